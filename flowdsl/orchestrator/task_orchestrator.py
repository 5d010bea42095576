"""TaskOrchestrator: a queue of tasks with ids, executed as runs, whose state outlives the process."""

from __future__ import annotations

import logging
from os import PathLike
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from flowdsl.definition.checks import check_name, refuse_unknown
from flowdsl.definition.options import INHERIT, Inherit
from flowdsl.errors import ConfigError, FlowError
from flowdsl.orchestrator import changes, facts
from flowdsl.orchestrator.book import event
from flowdsl.orchestrator.conductor import Conductor, Job
from flowdsl.orchestrator.definition import TaskDefinition, to_detail
from flowdsl.orchestrator.handlers import Handlers, make_handler
from flowdsl.orchestrator.listeners import Listeners
from flowdsl.orchestrator.options import OrchestratorOptions
from flowdsl.orchestrator.parts import Parts, open_parts
from flowdsl.orchestrator.recorder import payload
from flowdsl.orchestrator.standing import described
from flowdsl.orchestrator.validation import check_tasks

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from flowdsl.orchestrator.audit import Report
    from flowdsl.orchestrator.maintenance import CleanUp, Schedule
    from flowdsl.orchestrator.optimisation import Optimisation
    from flowdsl.orchestrator.performance import Performance
    from flowdsl.run import Run

__all__ = ["TaskOrchestrator"]

F = TypeVar("F", bound=Callable[..., Any])


class TaskOrchestrator:
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

    def __init__(
        self,
        *,
        task_log_dir: Union[str, PathLike[str]] = "./logs/tasks",
        max_concurrent_tasks: int = 5,
        task_timeout: Optional[float] = 300.0,
        retry_attempts: int = 3,
        retry_delay: float = 5.0,
        isolation: str = "thread",
        on_interrupted: str = "rerun",
        display: Union[str, bool, None] = "none",
        **unknown: Any,
    ) -> None:
        __tracebackhide__ = True
        said = {
            "task_log_dir": task_log_dir,
            "max_concurrent_tasks": max_concurrent_tasks,
            "task_timeout": task_timeout,
            "retry_attempts": retry_attempts,
            "retry_delay": retry_delay,
            "isolation": isolation,
            "on_interrupted": on_interrupted,
            "display": display,
        }
        self._set_up(OrchestratorOptions.checked({**said, **unknown}))

    def _set_up(self, options: OrchestratorOptions) -> None:
        self.options = options
        self._handlers = Handlers()
        self._listeners = Listeners()
        self._conductor: Optional[Conductor] = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> TaskOrchestrator:
        """The orchestrator that a dict in the document's words describes: camelCase, durations in milliseconds.

        Its keys are taskLogDir, maxConcurrentTasks, taskTimeout, retryAttempts, retryDelay, and besides isolation,
        onInterrupted, display. ConfigError names the key that is wrong or does not exist.
        """
        __tracebackhide__ = True
        found = cls.__new__(cls)
        found._set_up(OrchestratorOptions.from_document(options))
        return found

    # ---- its life

    def initialize(self) -> TaskOrchestrator:
        """Open the log directory, take up what an earlier orchestrator left there, and return this orchestrator.

        Tasks, their states, counters and results are there again; what a killed process left in the middle is
        `interrupted`. Faults of the dependencies are logged as a warning, see `validate`. Twice does no harm.

        Raises LogWriteError where the directory cannot be made or written, LogLocked where another orchestrator works
        in it.
        """
        if self._conductor is None:
            parts = open_parts(self.options, self._handlers, self._listeners)
            self._conductor = Conductor(parts)
            self._conductor.admission.paused = parts.book.queue.paused
            for found in self.validate().broken:  # handlers may come later
                logging.getLogger("flowdsl").warning("the queue in %s: %s", parts.log_dir, found.text)
        return self

    async def initialize_async(self) -> TaskOrchestrator:
        """The same, for `await`."""
        return self.initialize()

    def close(self, *, cancel: bool = False) -> None:
        """Wait for the runs that go on, or `cancel` them, then give the directory free. Twice does no harm."""
        conductor = self._conductor
        if conductor is not None:
            conductor.close(cancel)
            self._conductor = None

    def __enter__(self) -> TaskOrchestrator:
        return self.initialize()

    def __exit__(self, kind: Any, exc: Any, trace: Any) -> None:
        self.close(cancel=kind is not None)

    async def __aenter__(self) -> TaskOrchestrator:
        return self.initialize()

    async def __aexit__(self, kind: Any, exc: Any, trace: Any) -> None:
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, lambda: self.close(cancel=kind is not None))

    def __del__(self) -> None:
        conductor = getattr(self, "_conductor", None)
        if conductor is not None:
            conductor.abandon()

    def __reduce__(self) -> Any:
        raise TypeError("a TaskOrchestrator stays in its process; a handler with isolation='process' cannot use it")

    @property
    def _parts(self) -> Parts:
        return self._open.parts

    @property
    def _open(self) -> Conductor:
        if self._conductor is None:
            raise FlowError("the orchestrator is not open; call initialize(), or use it in a `with` block")
        return self._conductor

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
        return self.add_tasks([_in_the_documents_words(config, options)])[0]

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

    def queue(self, *, status: Union[str, Sequence[str], None] = None) -> pd.DataFrame:
        """A DataFrame with one row a task; its columns are those of `flowdsl.orchestrator.frames.queue_frame`."""
        from flowdsl.orchestrator.frames import queue_frame

        return queue_frame(self._parts, status)

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
        such as `result` of taskComplete. Callbacks run one after the other on a thread of their own; what they raise
        is logged once. They may call any method but `wait` and `close`.
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

    # ---- logs

    def logs(self, **conditions: Any) -> pd.DataFrame:
        """A DataFrame of the records in the log directory; see `flowdsl.orchestrator.frames.records_frame`.

        Conditions: `status`, `type`, `action` (a word or a list of them), `since`, `until` (of the start), `text`.
        """
        from flowdsl.orchestrator.frames import records_frame

        return records_frame(self._parts.log_dir, **conditions)

    # ---- maintenance

    def validate(self) -> Report:
        """A report on the dependencies: cycles, missing, unreachable, redundant edges, dead ends, damage.

        `report.ok` says whether anything keeps a task from running; see `flowdsl.orchestrator.audit.Report`.
        """
        from flowdsl.orchestrator.audit import audit

        return audit(self._parts)

    def clean_up(
        self,
        *,
        older_than: Union[float, timedelta, None] = None,
        keep: Optional[int] = None,
        max_bytes: Optional[int] = None,
        dry_run: bool = False,
    ) -> CleanUp:
        """Remove ended tasks beyond the limits, oldest first, with their records, results and runs; what was removed.

        Args:
            older_than: seconds since their end, or a timedelta.
            keep: so many ended tasks stay.
            max_bytes: so large may all their runs together be.
            dry_run: remove nothing, only say what would go.

        What is open, and what an open task needs, is kept whatever the limits.
        """
        from flowdsl.orchestrator.maintenance import clean_up, limits

        return clean_up(self._parts, limits(older_than, keep, max_bytes), dry_run)

    def schedule_clean_up(self, every: float, **wanted: Any) -> Schedule:
        """Clean up every so many seconds while the orchestrator is open, with the limits of `clean_up`.

        Another schedule takes the place of this one; `stop()` of what is returned ends it.
        """
        from flowdsl.orchestrator.maintenance import Schedule, clean_up, limits

        names = ("older_than", "keep", "max_bytes")
        refuse_unknown([name for name in wanted if name not in names], names, "schedule_clean_up")
        parts, checked = self._parts, limits(*(wanted.get(name) for name in names))
        schedule = Schedule(every, lambda: clean_up(parts, checked))
        self._open.replace_schedule(schedule.stop)
        return schedule

    def optimize_queue(self) -> Optimisation:
        """The order in which `execute_all` would work now, and the seconds that it is expected to save.

        By priority first, then the longest path, by what earlier tasks of the same action took.
        """
        from flowdsl.orchestrator.optimisation import optimise

        return optimise(self._parts)

    def performance(self) -> Performance:
        """How the tasks did: throughput, waits, times by action, retries, time-outs, workers, the slowest.

        As DataFrames, and as a picture in a notebook; see `flowdsl.orchestrator.performance.Performance`.
        """
        from flowdsl.orchestrator.performance import performance

        return performance(self._parts)

    def __repr__(self) -> str:
        if self._conductor is None:
            return "<TaskOrchestrator in %r, not open>" % self.options.task_log_dir
        counts: Tuple[str, ...] = tuple("%d %s" % (n, status) for status, n in self._parts.counts().items())
        return "<TaskOrchestrator in %r: %s>" % (self.options.task_log_dir, ", ".join(counts) or "no tasks")


# ---- keywords

_WORDS: Mapping[str, str] = {"task_id": "taskId"}


def _in_the_documents_words(config: Any, options: Mapping[str, Any]) -> Any:
    """The dict that was given, or the keywords as one."""
    if config is not None and options:
        raise ConfigError("add_task: give a dict or keywords, not both")
    if config is not None:
        return config
    found = {_WORDS.get(name, name): value for name, value in options.items()}
    timeout = found.get("timeout")
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool):
        found["timeout"] = timeout * 1000
    return found
