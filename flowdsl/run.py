"""A run as its user holds it: its results, and the ways to follow it, to wait for it, to end it and to repeat it."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterable,
    List,
    Literal,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

from flowdsl.abandoned import warn_of
from flowdsl.definition.counted import counted
from flowdsl.definition.graph import Graph
from flowdsl.definition.options import RunOptions
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine import states as st
from flowdsl.engine.failures import Failure
from flowdsl.engine.maps import split
from flowdsl.engine.snapshot import Snapshot
from flowdsl.errors import InternalError, LogWriteError
from flowdsl.hold import check_not_held
from flowdsl.recorded import Recorded
from flowdsl.run_errors import no_result, run_failed
from flowdsl.runtime.driver import Driver
from flowdsl.runtime.results import NOTHING
from flowdsl.settings import options
from flowdsl.task import Task

if TYPE_CHECKING:
    from flowdsl.engine.events import Batch, Event
    from flowdsl.executors.outcome import Call
    from flowdsl.flow import Flow
    from flowdsl.rerun import RerunPlan

__all__ = ["Origin", "Run", "last_run"]

PAINTED = 2.0  # seconds that `wait` gives the picture of the end
_last: Optional[Run] = None


def last_run() -> Optional[Run]:
    """The run that was started last in this process, also when `run()` raised; None before the first."""
    check_not_held()
    return _last


class Origin(NamedTuple):
    """What a run was started with."""

    flow: Flow
    inputs: Mapping[str, Any]
    options: RunOptions


class Run(Recorded):
    """One execution of a graph: `run["clean"]` is a result, `run.tasks` a DataFrame, `run.cancel()` the end of it.

    `id` is its name, `dir` the directory of its log, `flow` the flow's name, `graph` what it executes, `origin` what it
    was started with.
    """

    def __init__(self, graph: Graph, driver: Driver, origin: Origin) -> None:
        global _last
        self.id: str = driver.run_id
        self.dir: Path = driver.dir
        self.flow: str = graph.flow
        self.graph = graph
        self._driver = driver
        self.origin = origin
        self._warned = 0
        self._painter: Optional[threading.Thread] = None  # whoever shows it behind a cell that has ended
        unbegun = driver.snapshot()  # its log will say the same
        unbegun.run_id, unbegun.flow = self.id, self.flow
        _last = self

    @property
    def shown_dir(self) -> str:
        """`dir` as a reader wants it: relative where it lies below the working directory."""
        try:
            return str(self.dir.relative_to(Path.cwd()))
        except (OSError, ValueError):
            return str(self.dir)

    # ---- how it goes

    @property
    def state(self) -> str:
        """`running`, `succeeded`, `failed` or `cancelled`."""
        state = self._driver.state
        return st.FAILED if state == st.RUNNING and self.done else state

    @property
    def done(self) -> bool:
        """Whether the run has come to its end and its log is closed."""
        return self._driver.finished.is_set()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Wait for the end, at most `timeout` seconds; whether it has come. Never raises for what tasks did.

        The picture of the end is shown by then: what comes after a cell's end is lost on whoever saves the notebook.
        """
        until = None if timeout is None else time.monotonic() + timeout
        ended = self._driver.finished.wait(timeout)
        if ended and self._painter is not None and self._painter is not threading.current_thread():
            self._painter.join(PAINTED if until is None else max(0.0, min(PAINTED, until - time.monotonic())))
        self.warn_of_abandoned()
        return ended

    def painted_by(self, painter: Optional[threading.Thread]) -> None:
        """Tell it whose last picture `wait` waits for."""
        self._painter = painter

    def cancel(self, task: Optional[str] = None) -> None:
        """End the run: nothing new starts, what runs is stopped. Returns at once; `wait()` waits for the end.

        With the name of a task: end that one, and those that wait for it; nothing happens where it has ended. All
        others go on, and say how the run ends.
        KeyError for a task that the run does not have.
        """
        if task is None:
            self._driver.cancel("cancel_requested")
            return
        self._task(task)
        self._driver.cancel_task(task)

    @overload
    def rerun(
        self,
        *,
        failed: bool = False,
        from_: Any = None,
        dry_run: Literal[False] = False,
        wait: bool = True,
        **options: Any,
    ) -> Run: ...

    @overload
    def rerun(
        self, *, failed: bool = False, from_: Any = None, dry_run: Literal[True], wait: bool = True, **options: Any
    ) -> RerunPlan: ...

    def rerun(
        self, *, failed: bool = False, from_: Any = None, dry_run: bool = False, wait: bool = True, **options: Any
    ) -> Union[Run, RerunPlan]:
        """A new run of the same targets with the same inputs, made of the tasks as they are defined now.

        Args:
            failed: only what has no result, what has another definition than it had, and all that comes after; every
                other task keeps its result and is `reused`.
            from_: a task, a name, or a list of those: these and all that comes after, besides what `failed` says.
                With neither, everything runs.
            dry_run: run nothing, and return the plan: its `again` and `reused` are names of tasks, `why` says for the
                first that run why they do, and in a notebook it draws itself.
            wait: False returns the run at once, as `start` does.
            options: options of `run` that are to be others than before, such as `max_workers`.

        The results that are kept are the objects themselves, not copies. What a re-run cell defines is compared by its
        own code: a helper that changed is not seen, `from_` is for that.

        Raises ConfigError while this run goes on, and what `run` raises.
        """
        from flowdsl.rerun import run_again

        __tracebackhide__ = True
        said = {"failed": failed, "from_": from_, "dry_run": dry_run, "wait": wait}
        return run_again(self, said, options)

    def has_result(self, name: str) -> bool:
        """Whether `run[name]` is there."""
        results = self._driver.core.results
        if name in results.values:
            return not self._ended_badly(name)
        return results.item(name) is not NOTHING

    def hold(self) -> None:
        """Start no more attempts until `release()`; what runs goes on."""
        self._driver.hold()

    def release(self) -> None:
        """Go on after `hold()`."""
        self._driver.release()

    def follow(self, callback: Callable[[float, Sequence[Event]], Any]) -> None:
        """Call this with the moment and the events of every change that is durable; before the run begins.

        It is called under the run's lock, from whichever thread brought the change: it must neither block nor raise.
        """
        self._driver.core.followers += (callback,)

    def snapshot(self) -> Snapshot:
        """What is known of the run now; to be read only."""
        return self._driver.snapshot()

    @property
    def failures(self) -> Tuple[Failure, ...]:
        """The tasks that failed or timed out for good so far, each with its exception."""
        outcomes = self._driver.core.errors
        return tuple(
            one._replace(exception=outcomes[one.task].exception) if one.task in outcomes else one
            for one in super().failures
        )

    # ---- results

    def __getitem__(self, name: str) -> Any:
        """The result of a task: of a mapped one the list, in order; of `delays[3]` that item.

        A list has a `Missing` where an item was skipped. Raises TaskResultError (from the task's own exception) where
        there is no result, ResultReleased where it was let go, KeyError for a task that the run does not have.
        """
        if not isinstance(name, str):
            raise self._unknown(name)
        results = self._driver.core.results
        if name in results.values and not self._ended_badly(name):
            return results.values[name]
        item = results.item(name)
        if item is NOTHING and name not in self:
            raise self._unknown(name)
        if item is NOTHING:
            raise no_result(self, self._driver.core, name)
        return item

    def _ended_badly(self, name: str) -> bool:
        """Whether it is a mapped task of whose items some failed: its list is for those that take what there is."""
        if name not in self.graph.mapped:
            return False
        try:
            state = self._driver.core.scheduler.task_state(name)  # the snapshot would have to be made for it
        except KeyError:  # it has not joined
            return False
        return state not in st.DONE_WELL

    def _task(self, name: Any) -> str:
        """The task of that name, or the mapped one whose item it may be; KeyError where the run has none."""
        task = split(name)[0] if isinstance(name, str) else ""
        if task not in self.graph:
            raise self._unknown(name)
        return task

    def _unknown(self, name: Any) -> KeyError:
        hint = "; write run[%r]" % name.name if isinstance(name, Task) else did_you_mean(name, self.graph.tasks)
        return KeyError("run %r has no task %r%s" % (self.id, name, hint))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self.graph or self._has_item(name))

    def _has_item(self, name: str) -> bool:
        task, index = split(name)
        return index is not None and task in self.graph.mapped and name in self.snapshot().tasks

    def _ipython_key_completions_(self) -> List[str]:
        return list(self.graph)

    @property
    def inputs(self) -> Dict[str, Any]:
        """What the run was given, by name."""
        return dict(self.origin.inputs)

    @property
    def results(self) -> Dict[str, Any]:
        """The results that are there now, by task."""
        return dict(self._driver.core.results.values)

    def call(self, name: str) -> Call:
        """The call that an attempt of this task makes: `function`, `args`, `kwargs`, `verify`, `retry`.

        A dependency without a result is `Missing` in it. ResultReleased where an argument was let go, KeyError for
        a task that the run does not have.
        """
        for edge in self.graph.edges[self._task(name)]:
            if edge.parameter is not None and edge.source in self._driver.core.results.released:
                raise no_result(self, self._driver.core, edge.source)
        return self._driver.call(name)

    def when_done(self, callback: Callable[[], None]) -> None:
        """Call this from some thread when the run comes to its end, or now if it has; it must not block."""
        self._driver.when_finished(callback)

    # ---- its end

    def check(self) -> Run:
        """The run itself if all went well or `raise_on_failure=False`; else raise what it ended with.

        RunFailed names the tasks that failed; LogWriteError and InternalError are raised whatever was asked for.
        """
        __tracebackhide__ = True  # IPython and pytest leave such frames out: the user's own are what counts
        fault = self._driver.fault
        if isinstance(fault, LogWriteError):
            raise fault
        if fault is not None:
            raise InternalError("flowdsl itself is at fault in run %r; please report this" % self.id) from fault
        failed = self.origin.options.raise_on_failure and self.state != st.SUCCEEDED
        try:
            self.warn_of_abandoned()
        finally:  # where warnings are errors, what failed still comes first
            if failed:
                raise run_failed(self)
        return self

    def warn_of_abandoned(self) -> None:
        """Warn, once for each in every run, of attempts that outlived their limits and are still going."""
        left = self._driver.left_behind
        while self._warned < len(left):
            self._warned += 1
            warn_of(left[self._warned - 1])

    # ---- where it is kept

    def _reading(self) -> ContextManager[Snapshot]:
        return self._driver.core.reading()

    def batches(self) -> Sequence[Batch]:
        from flowdsl.storage.reading import read_journal

        return read_journal(self.dir).batches

    def _drawn(self) -> Graph:
        return self.graph

    def _read(self, task: str, attempt: int) -> str:
        return self._driver.scribe.read(task, attempt)

    def _tail(self, task: str, attempt: int, limit: int) -> str:
        return self._driver.scribe.tail(task, attempt, limit)

    def _results(self, names: Iterable[str]) -> Mapping[str, Any]:
        return {name: self[name] for name in names if self.has_result(name)}

    def _expected(self) -> Mapping[str, float]:
        return self._driver.expected.seconds

    def __repr__(self) -> str:
        which = "" if options.stable_repr else " %r" % self.id
        return "<Run%s of flow %r: %s, %s>" % (which, self.flow, self.state, counted(len(self.graph), "task"))
