"""From a plan to a run: the tasks of the queue as a flow of their own, begun with the results that are there."""

from __future__ import annotations

from typing import Any, Callable, List, Mapping, Tuple, Union

from flowdsl.definition.function import is_async
from flowdsl.definition.inputs import check_inputs
from flowdsl.definition.options import INHERIT, Inherit, RunOptions
from flowdsl.definition.retry import Retry
from flowdsl.errors import ConfigError, TaskResultError
from flowdsl.flow import Flow
from flowdsl.orchestrator import facts
from flowdsl.orchestrator.admission import Admission
from flowdsl.orchestrator.book import event
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.handlers import Handler, Source, sources_of
from flowdsl.orchestrator.order import ranks_of
from flowdsl.orchestrator.parts import Parts
from flowdsl.orchestrator.planning import Plan
from flowdsl.orchestrator.recorder import Recorder
from flowdsl.orchestrator.verification import verifier
from flowdsl.orchestrator.work import described, work_for
from flowdsl.run import Run
from flowdsl.start import run_behind, watchers

__all__ = ["Launcher"]

FLOW = "orchestrator"
TAKES_ALL = ("results", "*")


class Launcher:
    """Begins runs; to be used under the book's lock."""

    def __init__(self, parts: Parts, recorder: Recorder, admission: Admission) -> None:
        self._parts = parts
        self._recorder = recorder
        self._admission = admission

    def begin(self, plan: Plan, inside_a_task: bool, take_note: Callable[[Run], None]) -> Run:
        """The run of this plan, which goes on when this returns; `take_note` has it before it begins.

        Raises ConfigError for a task that cannot run here, TaskResultError for a result that is lost, before anything
        of the run exists; LogWriteError where the queue cannot be written.
        """
        handled = {name: self._handled(name) for name in plan.runs}
        given = {name: self._given(name, plan.runs, handled) for name in plan.gives}
        flow = self._flow(plan, handled)
        width = self._admission.width(len(plan.runs), inside_a_task)
        where = "run of the queue"
        display = self._parts.options.display
        options = RunOptions.checked(where, max_workers=width, display=display)
        graph = flow.build(plan.runs or plan.gives, given=given)
        check_inputs(graph, given)

        def bind(run: Run) -> None:
            take_note(run)
            self._bind(run, plan, width, inside_a_task)

        return self._start(flow, graph, given, options, bind)

    def _start(self, flow: Flow, graph: Any, given: Any, options: RunOptions, bind: Callable[[Run], None]) -> Run:
        """Begin the run, after `bind` has taken note of it."""
        failed: List[BaseException] = []

        def watch(run: Run) -> None:
            if run.graph is graph:
                try:
                    bind(run)
                except BaseException as exc:
                    failed.append(exc)
                    run.cancel()  # before it begins: it starts nothing

        watchers.append(watch)
        try:
            run = run_behind(flow, graph, given, options)
        finally:
            watchers.remove(watch)
        if failed:
            run.wait()
            raise failed[0]
        return run

    def _bind(self, run: Run, plan: Plan, width: int, inside_a_task: bool) -> None:
        """The journal of the queue says that these tasks belong to that run before any of them can begin."""
        parts = self._parts
        parts.book.append([event(facts.TASK_BOUND, name, "pending", "added", {"run_id": run.id}) for name in plan.runs])
        parts.executions.begin(run)
        self._recorder.follow(run)
        self._admission.begin(run, width, inside_a_task)
        parts.record(list(plan.runs))

    # ---- what a task needs

    def _handled(self, name: str) -> Tuple[Handler, Tuple[Source, ...]]:
        entry = self._parts.book.queue.entries[name]
        task = entry.definition
        if task.unkept:
            text = "task %r cannot run in this process: its %s is no JSON, and only the process that added it had it"
            raise ConfigError((text + "; remove it and add it again") % (name, " and ".join(task.unkept)))
        handler = self._parts.handlers.of(task)
        if handler is None:
            text = "task %r: there is no handler for action %r of type %r; register it: @orchestrator.handler(%r)"
            raise ConfigError(text % (name, task.action, task.type, task.action))
        return handler, sources_of(handler.function, task.parameters, self._actions(task.dependencies))

    def _actions(self, names: Tuple[str, ...]) -> List[Tuple[str, str]]:
        entries = self._parts.book.queue.entries
        return [(name, entries[name].definition.action) for name in names]

    def value(self, name: str) -> Any:
        """The result of a completed task; TaskResultError where it is lost."""
        parts = self._parts
        with parts.book.lock:
            entry = parts.book.entry(name)
            if entry.told and not entry.sealed:
                return entry.output
            going = parts.executions.going.get(entry.run_id)
            if going is not None and going.has_result(name):
                return going[name]
            return parts.values.get(entry)

    def _given(self, name: str, runs: Tuple[str, ...], handled: Mapping[str, Any]) -> Any:
        """The result of a completed task for these; None where none of them takes it and it is lost."""
        entries = self._parts.book.queue.entries
        takers = [task for task in runs if name in entries[task].definition.dependencies]
        wanted = any(source.kind in TAKES_ALL or source.key == name for task in takers for source in handled[task][1])
        try:
            return self.value(name)
        except TaskResultError:
            if wanted or not runs:
                raise
            return None

    # ---- the flow

    def _flow(self, plan: Plan, handled: Mapping[str, Any]) -> Flow:
        options = self._parts.options
        flow = Flow(
            FLOW,
            retries=Retry(options.retry_attempts, delay=options.retry_delay),
            timeout=options.task_timeout,
            isolation=options.isolation,
            log_dir=str(self._parts.log_dir),
        )
        entries = self._parts.book.queue.entries
        ranks = ranks_of(plan.runs, entries, self._parts.expected(plan.runs))
        for name in plan.gives:
            flow.task(name, type=entries[name].definition.type)(_Given(entries[name].definition.action))
        for name in plan.runs:
            self._put(flow, entries[name], handled[name], ranks[name])
        return flow

    def _put(self, flow: Flow, entry: Entry, handled: Tuple[Handler, Tuple[Source, ...]], rank: float) -> None:
        task, (handler, sources) = entry.definition, handled
        work = work_for(handler.function, is_async(handler.function), described(task.task_id, task), sources)
        flow.task(
            task.task_id,
            depends_on=list(task.dependencies),
            retries=self._retries(task.retries, handler),
            timeout=handler.timeout if task.timeout is INHERIT else task.timeout,
            isolation=handler.isolation,
            verify=verifier(task.verify if task.verify is not None else handler.verify),
            priority=rank,
            type=task.type,
        )(work)

    def _retries(self, own: Union[int, Inherit], handler: Handler) -> Union[Retry, Inherit]:
        said = handler.retries if own is INHERIT else own
        return Retry(said, delay=self._parts.options.retry_delay) if isinstance(said, int) else said


class _Given:
    """Stands for a completed task, whose result is given."""

    def __init__(self, action: str) -> None:
        self.__name__ = action or "task"

    def __call__(self) -> None:
        raise AssertionError("its result is given")
