"""A flow: a named set of tasks that is drawn and run as a whole or up to a task."""

from __future__ import annotations

import inspect
import sys
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Collection,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
    overload,
)

from flowdsl.decorator import decorate, shows_options
from flowdsl.definition.checks import check_count, check_flag, check_name
from flowdsl.definition.counted import counted
from flowdsl.definition.graph import build_graph
from flowdsl.definition.options import INHERIT, FlowOptions, Inherit, check_workers
from flowdsl.definition.resolve import Scope
from flowdsl.definition.retry import Retry
from flowdsl.definition.spec import TaskSpec
from flowdsl.definition.stale import stale_tasks
from flowdsl.errors import DefinitionError, at_the_users_line
from flowdsl.graph import Graph, Pictures, drawable, pictures
from flowdsl.members import Members, taken_over
from flowdsl.named_tasks import NamedTasks
from flowdsl.request import Target, requested, target_names
from flowdsl.task import Task

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from os import PathLike

    from flowdsl.analysis.history import History
    from flowdsl.analysis.plan import Plan
    from flowdsl.run import Run
    from flowdsl.task import P

R = TypeVar("R")

__all__ = ["Flow"]


class Flow(NamedTasks):
    """A named set of tasks.

    Args:
        name: 1 to 200 printable characters without ``[ ] /``.
        limits: named limits that tasks take with `uses=`, ``{"db": 2}``: how many attempts may hold one at once.
        retries: a number or a Retry, for tasks that say nothing.
        timeout: seconds an attempt may take, for tasks that say nothing; None is no limit.
        isolation: where attempts run when neither the task nor the run says: "thread" or "process"; None: a thread.
        log_dir: the directory of the journals.
        fresh: start empty where the cell that makes the flow is run again; else the tasks defined before are kept.
    """

    def __init__(
        self,
        name: str,
        *,
        limits: Optional[Mapping[str, int]] = None,
        retries: Union[int, Retry] = 0,
        timeout: Optional[float] = None,
        isolation: Optional[str] = None,
        log_dir: Union[str, PathLike[str]] = "./logs/tasks",
        fresh: bool = False,
        **unknown: Any,
    ) -> None:
        __tracebackhide__ = True  # IPython and pytest leave such frames out
        said = {"limits": limits, "retries": retries, "timeout": timeout, "isolation": isolation, "log_dir": log_dir}
        try:
            check_flag(fresh, "fresh", "Flow")
            self._name = check_name(name, "Flow")
            self._options = FlowOptions.checked("flow %r" % name, {**said, **unknown})
        except DefinitionError as exc:
            raise at_the_users_line(exc) from exc.__cause__
        self._built: Optional[Tuple[Any, Graph]] = None  # the last graph, and what it was made of
        self.members = taken_over(self, fresh, sys._getframe(1)) or Members(self)
        self.members.take_over(self)

    @property
    def name(self) -> str:
        """The name of the flow."""
        return self._name

    @property
    def limits(self) -> Mapping[str, int]:
        """The named limits."""
        return self._options.limits

    @property
    def retries(self) -> Retry:
        """What tasks that say nothing about retries have."""
        return self._options.retries

    @property
    def timeout(self) -> Optional[float]:
        """Seconds, or None, for tasks that say nothing about it."""
        return self._options.timeout

    @property
    def isolation(self) -> Optional[str]:
        """Where attempts run when neither the task nor the run says."""
        return self._options.isolation

    @property
    def log_dir(self) -> str:
        """The directory of the journals."""
        return self._options.log_dir

    @property
    def newest(self) -> Flow:
        """This flow, or the one that took its tasks over when the cell that makes it was run again."""
        flow: Flow = self.members.newest
        return flow

    @property
    def scope(self) -> Scope:
        """The flow as a graph sees it."""
        flow = self.newest
        options = (flow.limits, flow.retries, flow.timeout, flow.isolation)
        return Scope(flow.name, self.members.specs, *options, self.members.settled)

    # ---- defining

    @overload
    def task(self, function: Callable[P, R], *, name: Optional[str] = None, **options: Any) -> Task[P, R]: ...

    @overload
    def task(
        self,
        name: Optional[str] = None,
        *,
        depends_on: Any = None,
        map: Union[str, Sequence[str], None] = None,
        retries: Union[int, Retry, Inherit] = INHERIT,
        timeout: Union[float, Inherit, None] = INHERIT,
        isolation: Union[str, Inherit] = INHERIT,
        run_when: str = "all_succeeded",
        verify: Optional[Callable[[Any], Any]] = None,
        uses: Union[str, Sequence[str], None] = None,
        priority: Optional[float] = None,
        cache: bool = False,
        tags: Union[str, Sequence[str]] = (),
        type: str = "task",
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    @shows_options(method=True)
    def task(self, *given: Any, **options: Any) -> Any:
        """A decorator that puts a function into this flow as a task; see `flowdsl.task` for its options."""
        __tracebackhide__ = True
        return decorate(lambda frame: self, given, options, sys._getframe(1))

    def __reduce__(self) -> Tuple[Any, ...]:
        """In another process a flow has the same tasks, and can be run."""
        flow = self.newest
        return _empty, (flow.name, flow._options), list(flow.members.specs.values())

    def __setstate__(self, specs: Sequence[TaskSpec]) -> None:
        self.members.restore(specs)

    # ---- drawing

    def graph(self, *, targets: Union[Target, Sequence[Target], None] = None) -> Graph:
        """The graph of `targets` and everything upstream, or of the whole flow.

        In a notebook it shows itself as a picture beside a table. Tasks that are newer than their last result are
        marked as stale. Raises GraphError, or CycleError, where there is none.
        """
        __tracebackhide__ = True
        try:
            return self._marked(self.build(target_names(self, targets)))
        except DefinitionError as exc:
            raise at_the_users_line(exc) from exc.__cause__

    def _marked(self, graph: Graph) -> Graph:
        stale = stale_tasks(graph, self.members.made(graph))
        return drawable(graph, stale) if stale else graph

    def what_if(
        self,
        max_workers: int = 5,
        *,
        targets: Union[Target, Sequence[Target], None] = None,
        log_dir: Union[str, PathLike[str], None] = None,
    ) -> Plan:
        """What a run would come to on so many workers, with the durations of earlier runs from this file.

        The plan has `.numbers`, frames and a timeline; see `flowdsl.analysis.plan`. A task of which nothing is known
        takes 1 s, a mapped task of which nothing is known has one item.
        """
        from flowdsl.outlook import plan_of

        __tracebackhide__ = True
        where = "what_if of flow %r" % self.name
        try:
            workers, graph = check_workers(max_workers, where), self.build(target_names(self, targets))
        except DefinitionError as exc:
            raise at_the_users_line(exc) from exc.__cause__
        return plan_of(graph, workers, str(log_dir or self.newest.log_dir))

    def history(self, *, last: int = 100, log_dir: Union[str, PathLike[str], None] = None) -> History:
        """The last runs of this flow from this notebook or script (else from this folder), over time.

        `.runs` has one row a run, `.tasks` one row a task of each run, `.plot()` draws both.
        """
        from flowdsl.outlook import history_of

        check_count(last, "last", "history of flow %r" % self.name, least=1, hint="it is how many runs, 1 or more")
        return history_of(self.name, str(log_dir or self.newest.log_dir), last)

    def build(self, targets: Optional[Sequence[str]] = None, given: Collection[str] = ()) -> Graph:
        """The graph of a run with the inputs named `given`; see `flowdsl.definition.graph.build_graph`."""
        home = self.scope
        key = (self.members.version, None if targets is None else tuple(targets), frozenset(given))
        if self._built is not None and self._built[0] == key and not self.members.crosses:
            return self._built[1]
        graph = drawable(build_graph(home.flow, home.specs, targets=targets, given=given, limits=home.limits))
        self._built = (key, graph)
        return graph

    def __repr__(self) -> str:
        count = len(self)
        text = "flow %r: %s" % (self.name, counted(count, "task"))
        try:
            self.build()
        except DefinitionError as exc:
            return "%s; it cannot run: %s" % (text, exc)
        return text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Pictures:
        try:
            return pictures(self._marked(self.build()), repr(self))
        except DefinitionError as exc:
            from flowdsl.views.cards import broken_flow_card

            return {"text/plain": repr(self), "text/html": broken_flow_card(self.name, self, len(self), str(exc))}
        except Exception:  # a picture is never worth an error
            return {"text/plain": repr(self)}

    # ---- running

    def run(
        self,
        inputs: Optional[Mapping[str, Any]] = None,
        *,
        targets: Union[Target, Sequence[Target], None] = None,
        executor: Union[str, Executor] = "threads",
        max_workers: int = 5,
        on_failure: str = "continue",
        raise_on_failure: bool = True,
        isolation: Optional[str] = None,
        keep: str = "all",
        display: Union[str, bool, None] = "auto",
        log_dir: Union[str, PathLike[str], None] = None,
        fsync: bool = False,
        **more_inputs: Any,
    ) -> Run:
        """The finished run of the flow.

        Args:
            inputs, more_inputs: values for the parameters that no task makes. A task's name replaces that task by the
                value. Names of options, such as `display`, are inputs in `inputs` only.
            targets: the tasks to run, with everything upstream; default: all.
            executor: "threads", "processes" (what has no isolation of its own runs in worker processes), "inline" (in
                this thread, one after the other) or a `concurrent.futures.Executor`.
            max_workers: how many attempts run at once.
            on_failure: "continue" with what does not need the failed task, or "stop": start nothing new.
            raise_on_failure: raise RunFailed when a task failed.
            isolation: where the attempts of tasks that do not say run, "thread" or "process"; None leaves it to the
                flow.
            keep: "all" results, or those of the "targets" only.
            display: "auto" shows the run where it can be shown, "none" does not.
            log_dir: the directory of the journals; None is the flow's.
            fsync: make the journal survive a power loss too.

        Raises:
            ConfigError, InputError, GraphError: before anything runs.
            RunFailed: at the end, when a task failed.
        """
        from flowdsl.start import run_here

        __tracebackhide__ = True
        options = {
            "executor": executor,
            "max_workers": max_workers,
            "on_failure": on_failure,
            "raise_on_failure": raise_on_failure,
            "isolation": isolation,
            "keep": keep,
            "display": display,
            "log_dir": log_dir,
            "fsync": fsync,
        }
        return run_here(self.newest, *requested(self, inputs, {**more_inputs, **options, "targets": targets}))

    def start(self, inputs: Optional[Mapping[str, Any]] = None, **options_and_inputs: Any) -> Run:
        """The run, at once, while it goes on; takes what `run` takes."""
        from flowdsl.start import run_behind

        __tracebackhide__ = True
        return run_behind(self.newest, *requested(self, inputs, options_and_inputs))

    async def run_async(self, inputs: Optional[Mapping[str, Any]] = None, **options_and_inputs: Any) -> Run:
        """The finished run, awaited; takes what `run` takes. Cancelling the await cancels the run and waits for it."""
        from flowdsl.start import run_awaited

        return await run_awaited(self.newest, *requested(self, inputs, options_and_inputs))


def _empty(name: str, options: FlowOptions) -> Flow:
    return Flow(name, **options._asdict())


def _show_what_run_takes() -> None:
    """Have completion and help of a notebook show the options of `run` also where they are only handed on to it."""
    shown = inspect.signature(Flow.run)
    methods: Any = (Flow.start, Flow.run_async)
    for method in methods:
        method.__signature__ = shown
    of_a_task = shown.replace(parameters=[one for one in shown.parameters.values() if one.name != "targets"])
    methods = (Task.run, Task.start, Task.run_async)
    for method in methods:
        method.__signature__ = of_a_task


_show_what_run_takes()
