"""TaskOrchestrator: a queue of tasks with ids, executed as runs, whose state outlives the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, TypeVar, Union

from flowdsl.definition.checks import check_name
from flowdsl.definition.options import INHERIT, Inherit
from flowdsl.errors import ConfigError
from flowdsl.orchestrator import changes, facts
from flowdsl.orchestrator.book import event
from flowdsl.orchestrator.conductor import Job
from flowdsl.orchestrator.definition import TaskDefinition, in_the_documents_words, to_detail
from flowdsl.orchestrator.handlers import make_handler
from flowdsl.orchestrator.parts import Parts
from flowdsl.orchestrator.recorder import payload
from flowdsl.orchestrator.standing import described
from flowdsl.orchestrator.upkeep import Upkeep
from flowdsl.orchestrator.validation import check_tasks

if TYPE_CHECKING:
    from flowdsl.run import Run

__all__ = ["TaskOrchestrator"]

F = TypeVar("F", bound=Callable[..., Any])


class TaskOrchestrator(Upkeep):
    """A queue of tasks in a log directory.

    Args:
        task_log_dir: the directory of the records, the runs and the queue itself.
        max_concurrent_tasks: how many tasks may run at once, over all runs.
        task_timeout: seconds an attempt may take, for tasks that say nothing; None is no limit.
        retry_attempts: attempts after the first, for tasks that say nothing.
        retry_delay: seconds before each of them.
        isolation: where attempts run when the handler does not say: "thread" or "process".
        on_interrupted: what becomes of tasks that a killed process left in the middle: "rerun" has
            `execute_with_dependencies` and `execute_all` run them again, "hold" leaves them for `execute_task`.
        display: how runs are shown, as in `Flow.run`; "none" shows nothing.

    `initialize()` opens it and `close()` gives the directory free; ``with TaskOrchestrator() as orchestrator:`` and
    ``async with`` do both. All methods may be called from any thread.

    Raises ConfigError, which names the option, for one that is wrong or does not exist.
    """

    # ---- what tasks do

    def handler(
        self,
        action: str = "",
        function: Optional[Callable[..., Any]] = None,
        *,
        type: str = "",
        timeout: Union[float, Inherit, None] = INHERIT,
        retries: Union[int, Any] = INHERIT,
        isolation: Union[str, Inherit] = INHERIT,
        verify: Any = None,
    ) -> Any:
        """Register the function, or a `@task` of a flow, that does the tasks of this action, this type or both.

        Without `function` it is a decorator. A handler takes, by the names of its parameters: the task's own
        `parameters`; `target`, `parameters`, `results` (of the dependencies, by id), `context`, `task`; the result of
        a dependency by the name of its action. `timeout` is in seconds; it, `retries`, `isolation` and `verify` hold
        for tasks that say nothing of their own. A second handler for the same replaces the first.
        """
        where = "handler(%r)" % (action or type)
        if callable(action) and function is None:
            raise ConfigError("handler: say which action it is for: @orchestrator.handler('generate')")
        if action:
            check_name(action, where, "action")
        options = {"timeout": timeout, "retries": retries, "isolation": isolation, "verify": verify}

        def register(function: F) -> F:
            self._handlers.add(action, type, make_handler(function, where, **options))
            return function

        return register if function is None else register(function)

    # ---- tasks

    def add_task(self, config: Optional[Mapping[str, Any]] = None, **options: Any) -> str:
        """Add a task to the queue; its id.

        In the document's words as a dict (`taskId type action target parameters dependencies priority timeout retries
        verify`, the time-out in milliseconds), or by keyword (`task_id`, and `timeout` in seconds).

        Args:
            type: the kind of work, "task" by default.
            action: the word for what is to be done, which has a handler; or a function, or a `@task` of a flow.
            target, parameters: for the handler; `parameters` is a dict.
            dependencies: ids, or the action of a task that is there.
            priority: the larger goes first.
            timeout, retries: of its attempts.
            verify: a function of the result that returns false or raises where it is not good, or a JSON Schema.
            task_id: the id to have, instead of the next ``task_001``, ``task_002``, ...

        Raises ConfigError (GraphError, where only dependencies are at fault) with every fault, and changes nothing.
        """
        __tracebackhide__ = True
        return self.add_tasks([in_the_documents_words(config, options)])[0]

    def add_tasks(self, configs: Sequence[Mapping[str, Any]]) -> List[str]:
        """Add several tasks, all or none; their ids. They may name each other as dependencies, by id or action."""
        __tracebackhide__ = True
        parts = self._parts
        with parts.book.lock:
            tasks = check_tasks(list(configs), parts.book.queue, self._handlers)
            self._add(parts, tasks)
        return [task.task_id for task in tasks]

    def _add(self, parts: Parts, tasks: Sequence[TaskDefinition]) -> None:
        parts.book.append(
            [event(facts.TASK_ADDED, task.task_id, "pending", "added", to_detail(task)) for task in tasks]
        )
        for task in tasks:
            entry = parts.book.queue.entries[task.task_id]
            entry.definition = task  # which has what JSON has no word for
            parts.records.write(entry, parts.how(entry))
            parts.listeners.tell("taskAdded", payload(entry, parts.how(entry)))

    def get_task_status(self, task_id: str) -> Dict[str, Any]:
        """How a task stands, as a dict: `taskId type action target status cause causeTask progress message priority
        dependencies attempts runs startTime endTime duration error runId`.

        `progress` is 0 to 100, `duration` in milliseconds, times are ISO 8601 in UTC; what is not known is None.
        KeyError for a task that there is not.
        """
        parts = self._parts
        with parts.book.lock:
            entry = parts.book.entry(task_id)
            return described(entry, parts.how(entry))

    def update_task_state(self, task_id: str, change: Mapping[str, Any]) -> Dict[str, Any]:
        """Set the state of a task by hand: `status`, `progress` (0 to 100), `message`, `result`, `error`; its status.

        `completed` and `failed` are final, and release or fail those that wait for the task. While an attempt runs
        only progress and message can be told. ConfigError, which says what is allowed, for anything else.
        """
        __tracebackhide__ = True
        changes.update(self._parts, task_id, change)
        return self.get_task_status(task_id)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._parts.book.queue.entries

    def __len__(self) -> int:
        return len(self._parts.book.queue.entries)

    # ---- executing

    def execute_task(self, task_id: str, *, force: bool = False, start: bool = False) -> Any:
        """Execute one task whose dependencies are completed; its result, or with `start=True` the run, at once.

        A completed task is not executed again: its result is returned, unless `force`. One that a run has in hand is
        waited for. None for a task that is skipped.

        Raises GraphError where a dependency is not completed, RunFailed when the task failed, TaskResultError when it
        was cancelled.
        """
        return self._execute(self._open.one(task_id, force), start)

    async def execute_task_async(self, task_id: str, *, force: bool = False) -> Any:
        """Like `execute_task`, awaited; cancelling the await cancels the run and waits for its end."""
        return await self._open.do_async(self._open.one(task_id, force))

    def execute_with_dependencies(self, task_id: str, *, force: bool = False, start: bool = False) -> Any:
        """Execute a task after everything that it needs and that is not completed; its result, or the run.

        Dependencies run in parallel, each with its own time-out and retries; one that failed before runs again. Only
        when one fails for good is the task `blocked`, and RunFailed raised. Otherwise like `execute_task`.
        """
        return self._execute(self._open.with_dependencies(task_id, force), start)

    async def execute_with_dependencies_async(self, task_id: str, *, force: bool = False) -> Any:
        """Like `execute_with_dependencies`, awaited."""
        return await self._open.do_async(self._open.with_dependencies(task_id, force))

    def execute_all(self, *, start: bool = False) -> Any:
        """Execute all tasks that are not completed, skipped, cancelled or ended by hand; results by id, or the run.

        RunFailed at the end, when one failed.
        """
        return self._execute(self._open.all(), start)

    async def execute_all_async(self) -> Dict[str, Any]:
        """Like `execute_all`, awaited."""
        found: Dict[str, Any] = await self._open.do_async(self._open.all())
        return found

    def _execute(self, job: Job, start: bool) -> Union[Any, Run]:
        __tracebackhide__ = True
        return self._open.start(job) if start else self._open.do(job)

    # ---- the queue

    def set_priority(self, task_id: str, priority: float) -> None:
        """Give a task another priority, for runs that begin from now on; the larger goes first."""
        changes.prioritise(self._parts, task_id, priority)

    def cancel(self, task_id: str) -> bool:
        """Cancel a task that waits or runs, and those that wait for it; False where it has ended.

        Returns at once: a running attempt is stopped, in a process killed.
        """
        return changes.cancel(self._parts, task_id)

    def remove(self, task_id: str) -> None:
        """Take a task out of the queue, with its record and result; its id is never given again.

        ConfigError where a run has it in hand, or where a task that is not completed needs it.
        """
        changes.remove(self._parts, task_id)

    def pause(self) -> None:
        """Start nothing more, in no run, until `resume`; what runs goes on. It holds beyond the end of the process."""
        self._open.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._open.resume()

    @property
    def paused(self) -> bool:
        """Whether the queue is paused."""
        return self._parts.book.queue.paused

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait until no run goes on, all is written down and every listener has heard of it; whether that has come."""
        return self._open.wait(timeout)

    # ---- events

    def on(self, event: str, callback: Optional[Callable[[Dict[str, Any]], Any]] = None) -> Any:
        """Have `callback(payload)` called for an event; a decorator without `callback`. Returns the callback.

        Events: taskAdded, taskStart, taskProgress, taskRetry, taskComplete, taskFailed, taskCancelled, queueDrained.
        `payload` is a dict with `taskId type action status duration runId` (`duration` in ms) and what the event adds,
        such as `result` of taskComplete; that of queueDrained has `tasks` alone, how many there are of each status.
        Callbacks run one after the other on a thread of their own; what they raise is logged once. They may call any
        method but `wait` and `close`.
        """
        return self._listen(event, callback, False)

    def once(self, event: str, callback: Optional[Callable[[Dict[str, Any]], Any]] = None) -> Any:
        """Like `on`, for the next such event only."""
        return self._listen(event, callback, True)

    def _listen(self, event: str, callback: Any, once: bool) -> Any:
        def listen(callback: F) -> F:
            self._listeners.add(event, callback, once=once)
            return callback

        return listen if callback is None else listen(callback)

    def off(self, event: str, callback: Optional[Callable[..., Any]] = None) -> None:
        """Call that callback no more for the event; without one: nobody."""
        self._listeners.remove(event, callback)
