"""A run as its user holds it: results, states, frames, pictures, and the ways to wait for it and to end it."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Literal,
    Mapping,
    NamedTuple,
    NoReturn,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

from flowdsl.definition.checks import check_limits
from flowdsl.definition.graph import Graph
from flowdsl.definition.options import RunOptions, check_workers
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine import states as st
from flowdsl.engine.failures import Failure, failures
from flowdsl.engine.maps import split
from flowdsl.engine.snapshot import Snapshot
from flowdsl.errors import InternalError, LogWriteError, ResultReleased, RunFailed, TaskResultError
from flowdsl.hold import check_not_held
from flowdsl.runtime.driver import Driver
from flowdsl.runtime.results import NOTHING
from flowdsl.settings import options

if TYPE_CHECKING:
    import pandas as pd

    from flowdsl.analysis.insight import Insight
    from flowdsl.analysis.plan import Plan
    from flowdsl.analysis.timeline import Timeline
    from flowdsl.engine.events import Event
    from flowdsl.executors.outcome import Call
    from flowdsl.flow import Flow
    from flowdsl.rerun import RerunPlan

__all__ = ["AbandonedWarning", "Run", "last_run"]

SHOWN = 10  # failures and names that a message spells out
_last: Optional[Run] = None


class AbandonedWarning(RuntimeWarning):
    """A task's thread outlived its limit and is still going; only a process could be killed."""


def last_run() -> Optional[Run]:
    """The run that was started last in this process, also when `run()` raised; None before the first."""
    check_not_held()
    return _last


def users_frame() -> Optional[FrameType]:
    """The frame that called flowdsl; None where there is none, as in a thread of ours."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "flowdsl":
        frame = frame.f_back
    return frame


def in_order(found: Tuple[Failure, ...], names: Iterable[str]) -> Tuple[Failure, ...]:
    """The failures as their tasks ended, or in the order of the tasks, where all must be the same each time."""
    if not options.stable_repr:
        return found
    at = {name: n for n, name in enumerate(names)}
    return tuple(sorted(found, key=lambda one: at.get(one.task, len(at))))


class Origin(NamedTuple):
    """What a run was started with."""

    flow: Flow
    inputs: Mapping[str, Any]
    options: RunOptions


class Run:
    """One execution of a graph: `run["clean"]` is a result, `run.tasks` a DataFrame, `run.cancel()` the end of it.

    `id` is its name, `dir` the directory of its log, `flow` the flow's name, `graph` what it executes.
    """

    def __init__(self, graph: Graph, driver: Driver, origin: Origin) -> None:
        global _last
        self.id: str = driver.run_id
        self.dir: Path = driver.dir
        self.flow: str = graph.flow
        self.graph = graph
        self._driver = driver
        self._origin = origin
        self._raise = origin.options.raise_on_failure
        self._warned = 0
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
        """Wait for the end, at most `timeout` seconds; whether it has come. Never raises for what tasks did."""
        ended = self._driver.finished.wait(timeout)
        self.warn_of_abandoned()
        return ended

    def cancel(self, task: Optional[str] = None) -> None:
        """End the run: nothing new starts, what runs is stopped. Returns at once; `wait()` waits for the end.

        With the name of a task: end that one, and those that wait for it; nothing happens where it has ended.
        KeyError for a task that the run does not have.
        """
        if task is None:
            self._driver.cancel("cancel_requested")
            return
        if task.partition("[")[0] not in self.graph:
            raise KeyError("run %r has no task %r%s" % (self.id, task, did_you_mean(task, self.graph.tasks)))
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

    @property
    def origin(self) -> Origin:
        """What the run was started with."""
        return self._origin

    def has_result(self, name: str) -> bool:
        """Whether `run[name]` is there."""
        return name in self._driver.core.results.values

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
        found = in_order(failures(self.snapshot()), self.graph)
        return tuple(
            one._replace(exception=outcomes[one.task].exception) if one.task in outcomes else one for one in found
        )

    # ---- results

    def __getitem__(self, name: str) -> Any:
        """The result of a task: of a mapped one the list, in order; of `delays[3]` that item.

        A list has a `Missing` where an item was skipped. Raises TaskResultError (from the task's own exception) where
        there is no result, ResultReleased where it was let go, KeyError for a task that the run does not have.
        """
        results = self._driver.core.results
        mapped = name in self.graph.mapped
        if name in results.values and not (mapped and self._ended_badly(name)):
            return results.values[name]
        item = results.item(name)
        if item is NOTHING and name not in self:
            raise KeyError("run %r has no task %r%s" % (self.id, name, did_you_mean(name, self.graph.tasks)))
        return self._refuse(name) if item is NOTHING else item

    def _ended_badly(self, name: str) -> bool:
        row = self.snapshot().tasks.get(name)
        return row is not None and row.state not in st.DONE_WELL

    def _refuse(self, name: str) -> NoReturn:
        row = self.snapshot().tasks.get(name)
        state, cause = (row.state, row.cause) if row is not None else (st.PENDING, "added")
        if split(name)[0] in self._driver.core.results.released:
            text = "the result of task %r was let go once its last dependant had it; use keep='all'" % name
            raise ResultReleased(text, task=name, state=state, cause=cause)
        if state in st.OPEN and not self.done:
            text = "task %r has no result yet: it is %s; run.wait() waits for the end" % (name, state)
            raise TaskResultError(text, task=name, state=state, cause=cause)
        guilty = " because of task %r" % row.cause_task if row is not None and row.cause_task else ""
        text = "task %r has no result: it is %s (%s)%s" % (name, state, cause, guilty)
        if cause == "items_failed":
            text += "; the items that succeeded are there one by one: run['%s[0]']" % name
        blamed = (row.cause_task if row is not None else "") or name
        outcome = self._driver.core.errors.get(blamed)
        error = TaskResultError(text, task=name, state=state, cause=cause)
        found = tuple(one for one in self.failures if one.task == blamed)
        raise self._shown(error, found) from (outcome.exception if outcome else None)

    def __contains__(self, name: object) -> bool:
        return name in self.graph or (isinstance(name, str) and self._has_item(name))

    def _has_item(self, name: str) -> bool:
        task, index = split(name)
        return index is not None and task in self.graph.mapped and name in self.snapshot().tasks

    def _ipython_key_completions_(self) -> List[str]:
        return list(self.graph)

    @property
    def origin_flow(self) -> Flow:
        """The flow that was run."""
        return self._origin.flow

    @property
    def inputs(self) -> Dict[str, Any]:
        """What the run was given, by name."""
        return dict(self._origin.inputs)

    @property
    def results(self) -> Dict[str, Any]:
        """The results that are there now, by task."""
        return dict(self._driver.core.results.values)

    def call(self, name: str) -> Call:
        """The call that an attempt of this task makes: `function`, `args`, `kwargs`, `verify`, `retry`.

        A dependency without a result is `Missing` in it. ResultReleased where an argument was let go, KeyError for
        a task that the run does not have.
        """
        if name.partition("[")[0] not in self.graph:
            raise KeyError("run %r has no task %r%s" % (self.id, name, did_you_mean(name, self.graph.tasks)))
        for edge in self.graph.edges[name.partition("[")[0]]:
            if edge.parameter is not None and edge.source in self._driver.core.results.released:
                self._refuse(edge.source)
        return self._driver.call(name)

    def when_done(self, callback: Callable[[], None]) -> None:
        """Call this from some thread when the run comes to its end, or now if it has; it must not block."""
        self._driver.when_finished(callback)

    def output(self, name: str, *, attempt: Optional[int] = None) -> str:
        """What the task has printed so far: stdout, stderr, log records and warnings, as they came.

        Parameters
        ----------
        name : a task, such as "clean", or one item of a mapped one, such as "delays[3]". For a mapped task itself:
            what its items printed, each below a line with its name.
        attempt : which attempt, from 1; by default the latest.

        Of an attempt the first 10 MB are kept; a mark says where it was cut off. "" where nothing was printed.

        Raises KeyError for a task that the run does not have, ValueError for an attempt that there was not.
        """
        from flowdsl.printed import output_of

        return output_of(self.snapshot(), self._driver.scribe.read, name, attempt)

    # ---- what the log says

    @property
    def tasks(self) -> pd.DataFrame:
        """A DataFrame with one row a task; its columns are those of `flowdsl.analysis.frames.tasks_frame`."""
        from flowdsl.analysis.frames import tasks_frame

        with self._driver.core.reading() as snapshot:
            return tasks_frame([snapshot])

    @property
    def attempts(self) -> pd.DataFrame:
        """A DataFrame with one row an attempt; its columns are those of `flowdsl.analysis.frames.attempts_frame`."""
        from flowdsl.analysis.frames import attempts_frame

        with self._driver.core.reading() as snapshot:
            return attempts_frame([snapshot])

    @property
    def events(self) -> pd.DataFrame:
        """A DataFrame with one row an event; its columns are those of `flowdsl.analysis.frames.events_frame`."""
        from flowdsl.analysis.frames import events_frame
        from flowdsl.storage.reading import read_journal

        return events_frame([(self.id, self.flow, read_journal(self.dir).batches)])

    def timeline(self) -> Timeline:
        """The attempts on a time axis: a picture in a notebook, text elsewhere, rows in `.frame`."""
        from flowdsl.analysis.timeline import Timeline
        from flowdsl.views.static import image
        from flowdsl.views.timeline import timeline_svg

        with self._driver.core.reading() as snapshot:
            return Timeline(snapshot, timeline_svg, embed=image)

    def critical_path(self) -> pd.DataFrame:
        """A DataFrame that says which tasks made the run long; see `flowdsl.analysis.critical.critical_path`."""
        from flowdsl.analysis.critical import critical_path

        with self._driver.core.reading() as snapshot:
            return critical_path(snapshot)

    def utilisation(self) -> pd.DataFrame:
        """A DataFrame that says how busy each worker was; see `flowdsl.analysis.utilisation.utilisation`."""
        from flowdsl.analysis.utilisation import utilisation

        with self._driver.core.reading() as snapshot:
            return utilisation(snapshot)

    def report(self, path: Union[str, os.PathLike[str]]) -> Path:
        """Write a page of HTML on this run to `path`, and return the path: one file to send to somebody.

        It has the graph, the timeline, tables, failures with their tracebacks and what the tasks printed last, the
        names of the inputs and the environment. It needs no script and nothing from elsewhere. A run that goes on is
        shown as it stands.
        """
        from flowdsl.report import write_report

        return write_report(self, self.graph, path)

    @property
    def insight(self) -> Insight:
        """Answers from the attempts: where time went, wasted retries, how busy workers were, who waited for whom."""
        from flowdsl.analysis.insight import Insight

        return Insight(self.attempts)

    def what_if(self, max_workers: int, *, limits: Optional[Mapping[str, int]] = None) -> Plan:
        """What this run would come to on so many workers, and with other named limits: `.numbers`, frames, a timeline.

        See `flowdsl.analysis.plan`. Of a run that goes on, what has not run yet takes what it took in earlier runs.
        """
        from flowdsl.analysis.plan import what_if
        from flowdsl.views.timeline import timeline_svg

        where = "what_if of run %r" % self.id
        workers, other = check_workers(max_workers, where), check_limits(limits or {}, where)
        seconds = self._driver.expected.seconds
        with self._driver.core.reading() as snapshot:
            return what_if(snapshot, workers, limits=other, durations=seconds, draw=timeline_svg)

    def records(self, directory: Union[str, Path]) -> List[Path]:
        """Write one JSON record a task into `directory` (made where it is missing); the paths."""
        from flowdsl.storage.records import write_records

        return write_records(self.snapshot(), directory, dict(self._driver.core.results.values))

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
        failed = self._raise and self.state != st.SUCCEEDED
        try:
            self.warn_of_abandoned()
        finally:  # where warnings are errors, what failed still comes first
            if failed:
                found = self.failures
                error = RunFailed(self._obituary(found), run=self, failures=found)
                raise self._shown(error, found) from self._first_exception(found)
        return self

    def warn_of_abandoned(self) -> None:
        """Warn, once for each in every run, of attempts that outlived their limits and are still going."""
        left = self._driver.left_behind
        while self._warned < len(left):
            name = left[self._warned]
            self._warned += 1
            text = "task %r was stopped, but what it runs in cannot be killed: it is still running" % name
            frame = users_frame()
            place = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("flowdsl", 0)
            warnings.warn_explicit(text, AbandonedWarning, *place, registry={})

    def _shown(self, error: Any, found: Tuple[Failure, ...]) -> Any:
        """The same error, as it is to look under a cell."""
        error._render_traceback_ = lambda: self._rendered(error, found)
        return error

    def _rendered(self, error: BaseException, found: Tuple[Failure, ...]) -> List[str]:
        from flowdsl.views.raised import rendered

        advice = ["mend it, run its cell again, and then: run = flowdsl.last_run().rerun(failed=True)"]
        if getattr(found[0].exception if found else None, "__traceback__", None) is not None:
            advice.append("a debugger where it happened: raise flowdsl.last_run().failures[0].exception, then %debug")
        said = [line.strip() for line in str(error).splitlines()[1:]]
        held = [line for line in said if line.startswith("not run: ")]
        return rendered(error, found, self.snapshot(), [*held, *(advice if found else ()), *said[-1:]])

    @staticmethod
    def _first_exception(found: Tuple[Failure, ...]) -> Optional[BaseException]:
        return next((one.exception for one in found if one.exception is not None), None)

    def _obituary(self, found: Tuple[Failure, ...]) -> str:
        from flowdsl.views.escape import clean_lines

        snapshot = self.snapshot()
        which = "run" if options.stable_repr else "run %r" % self.id
        lines = ["%s of flow %r %s" % (which, self.flow, self.state)]
        if found:
            lines[0] += ": %d of %d tasks failed" % (len(found), len(snapshot.tasks))
        elif snapshot.cause:
            lines[0] += ": %s" % st.CAUSES.get(snapshot.cause, snapshot.cause)
        for one in found[:SHOWN]:
            lines.append("  " + clean_lines(one).replace("\n", "\n    "))
            if one.traceback and one.exception is None:
                lines += ["    " + line for line in clean_lines(one.traceback.rstrip()).splitlines()]
        if len(found) > SHOWN:
            lines.append("  and %d more" % (len(found) - SHOWN))
        held = [row.name for row in snapshot.tasks.values() if row.state in (st.UPSTREAM_FAILED, st.CANCELLED)]
        if held:
            more = ", ..." if len(held) > SHOWN else ""
            lines.append("  not run: %s%s" % (", ".join(held[:SHOWN]), more))
        log = "" if options.stable_repr else "; the log is in %s" % self.shown_dir
        lines.append("  flowdsl.last_run() has the results that there are" + log)
        return "\n".join(lines)

    # ---- how it looks

    def __repr__(self) -> str:
        which = "" if options.stable_repr else " %r" % self.id
        return "<Run%s of flow %r: %s, %d tasks>" % (which, self.flow, self.state, len(self.graph))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, Any]:
        try:
            from flowdsl.views.static import run_bundle

            return dict(run_bundle(self.graph, self.snapshot(), self._driver.scribe.tail))
        except Exception:  # a picture is never worth an error
            return {"text/plain": repr(self)}
