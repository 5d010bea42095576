"""DebugOrchestrator: why attempts failed, the same attempt again, and what changed between two runs."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, List, Mapping, Optional, Tuple

from flowdsl.definition.checks import refuse
from flowdsl.definition.counted import counted
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import FlowError, TaskResultError
from flowdsl.executors.outcome import Call, text_of
from flowdsl.orchestrator.capsule import Capsule
from flowdsl.orchestrator.capsule_digest import value_digest
from flowdsl.orchestrator.capsule_making import capsules_of, failed_attempts, no_digest
from flowdsl.orchestrator.debug_call import Wanted, call_of
from flowdsl.orchestrator.debug_difference import Difference, difference
from flowdsl.orchestrator.debug_failures import failures_frame
from flowdsl.orchestrator.debug_fingerprint import fingerprint_of
from flowdsl.orchestrator.debug_post_mortem import debug_here, from_users_code, kept_traceback
from flowdsl.orchestrator.debug_replay import directly, perform_here
from flowdsl.orchestrator.debug_subject import Subject, subject_of
from flowdsl.orchestrator.debug_trace import Profile
from flowdsl.orchestrator.debug_watch import INPUTS, Watch, keep
from flowdsl.settings import options

if TYPE_CHECKING:
    from types import TracebackType

    import pandas as pd

__all__ = ["DebugOrchestrator"]


class DebugOrchestrator:
    """Looks into failed attempts.

    Args:
        subject: what to debug: a Run, a run read back (or several, as `load_runs` gives them), a Flow or a Task, a
            TaskOrchestrator; None is the last run of this process. Of a flow or an orchestrator the latest run is
            taken, and each run that begins from now on, until `close()`.
        inputs: what is kept on disk of the values that failed tasks were called with, for runs that begin from now
            on: "reference" (which task's result, and its type), "digest" (and a digest under the user's key), "pickle"
            (and the values themselves, sealed: only the user who wrote them can have them unpickled).
        flow: where the functions of runs read back come from, for `replay`, `post_mortem` and `trace`.
        runs: how many of the latest runs are remembered; a run that is remembered keeps its results in memory.
    """

    def __init__(self, subject: Any = None, *, inputs: str = "reference", flow: Any = None, runs: int = 5) -> None:
        if inputs not in INPUTS:
            refuse("DebugOrchestrator", "inputs", inputs, "is not one of %s" % ", ".join(map(repr, INPUTS)))
        self._subject: Subject = subject_of(subject, flow)
        self._runs: Deque[Any] = deque(self._subject.runs, max(len(self._subject.runs), runs))
        self._inputs = inputs
        self._watch: Optional[Watch] = None
        if self._subject.wants is not None:
            self._watch = Watch(self._subject.wants, self._runs.append, inputs)

    def __enter__(self) -> DebugOrchestrator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Watch no more runs; what is known stays."""
        if self._watch is not None:
            self._watch.close()

    @property
    def runs(self) -> Tuple[Any, ...]:
        """The runs that are looked at, oldest first."""
        return tuple(self._runs)

    # ---- what failed

    def failures(self) -> pd.DataFrame:
        """A DataFrame with one row a cause: its columns are those of `debug_failures.failures_frame`."""
        return failures_frame(self._runs)

    def capsules(self) -> List[Capsule]:
        """A capsule for every failed attempt of the runs, oldest first."""
        self._settle()
        return [capsule for run in self._runs for capsule in capsules_of(run, failed_attempts(run))]

    def inspect(self, task: Any, *, attempt: Optional[int] = None) -> Capsule:
        """The capsule of the last failed attempt of a task, in the latest run where it failed; or of attempt n.

        Of a mapped task it is that of the first item that failed; `inspect("delays[3]")` takes another.

        Raises KeyError for a task that no run has, TaskResultError where it did not fail.
        """
        self._settle()
        name = _name(task)
        for run in reversed(self._having(name)):
            guilty = _guilty(run, name)
            found = [one for one in failed_attempts(run) if one.task == guilty and attempt in (None, one.attempt)]
            if found:
                return capsules_of(run, found[-1:])[0]
        what = "no attempt %s" % attempt if attempt is not None else "no attempt that failed"
        raise TaskResultError("task %r has %s in %s" % (name, what, self._told()), task=name)

    # ---- again

    def replay(
        self,
        task: Any,
        /,
        inputs: Optional[Mapping[str, Any]] = None,
        *,
        code: str = "recorded",
        allow_pickle: bool = False,
        **changes: Any,
    ) -> Any:
        """What the task returns, or raises, when it is called again in this thread with the inputs that it had.

        `replay("clean", path="other.csv")` gives it another value for a parameter. There is no timeout and no retry;
        `verify` is asked.

        Args:
            inputs: other values by parameter, for names that are options here.
            code: "recorded" runs the function as that run had it, "newest" as it is defined now.
            allow_pickle: unpickle inputs that somebody else has kept: that can run any code.

        Raises TaskResultError where the inputs or the function are not known, PickleRefused for the inputs of others.
        """
        __tracebackhide__ = True
        name, call = self._call(task, Wanted(code, allow_pickle, {**(inputs or {}), **changes}))
        return perform_here(call, name, directly)

    def post_mortem(
        self,
        task: Any,
        /,
        inputs: Optional[Mapping[str, Any]] = None,
        *,
        debugger: Optional[Callable[[TracebackType], Any]] = None,
        code: str = "recorded",
        allow_pickle: bool = False,
        **changes: Any,
    ) -> None:
        """Open a debugger at the user's frame of what the task raised.

        An attempt in a thread has kept its frames. For any other, and with changed inputs, the task is run again here;
        FlowError where it does not fail this time. `debugger` is called with the traceback in the place of pdb.
        """
        wanted = Wanted(code, allow_pickle, {**(inputs or {}), **changes})
        self._settle()
        trace = None
        if not wanted.changes and code == "recorded":
            run = self._where(_name(task))
            trace = kept_traceback(run, _guilty(run, _name(task)))
        (debugger or debug_here)(trace or self._fresh_traceback(task, wanted))

    def trace(
        self,
        task: Any,
        /,
        inputs: Optional[Mapping[str, Any]] = None,
        *,
        code: str = "recorded",
        allow_pickle: bool = False,
        **changes: Any,
    ) -> pd.DataFrame:
        """A DataFrame that says where the time of an attempt goes: see `debug_trace.Profile.frame`.

        The task is run again here, with the profiler of the standard library; other threads are not seen. If it raises,
        the profile until then comes back, and `frame.attrs["error"]` says what it raised.
        """
        name, call = self._call(task, Wanted(code, allow_pickle, {**(inputs or {}), **changes}))
        profile, error = Profile(), ""
        try:
            perform_here(call, name, profile.around)
        except Exception as exc:
            error = "%s: %s" % (type(exc).__name__, text_of(exc))
        frame = profile.frame()
        frame.attrs["error"] = error
        return frame

    def _call(self, task: Any, wanted: Wanted) -> Tuple[str, Call]:
        __tracebackhide__ = True
        self._settle()
        run = self._where(_name(task))
        name = _guilty(run, _name(task))
        return name, call_of(run, self._subject.flow_of(run), name, wanted)

    def _fresh_traceback(self, task: Any, wanted: Wanted) -> TracebackType:
        name, call = self._call(task, wanted)
        try:
            perform_here(call, name, directly)
        except BaseException as exc:
            return from_users_code(exc)
        raise FlowError("task %r did not fail when it was run again here, so there is nothing to look at" % name)

    # ---- two runs

    def diff(self, run_a: Any, run_b: Any) -> Difference:
        """What changed from one run to another: code, versions, inputs, dependencies, options, durations, states.

        Both are runs, or run ids of `runs`. Of runs of this process everything is compared; of a run read back what
        its debugger has kept, else what its journal says.
        """
        self._settle()
        before, after = self._run(run_a), self._run(run_b)
        live = hasattr(before, "graph") and hasattr(after, "graph")
        digest = value_digest if live or self._inputs != "reference" else no_digest
        return difference(before, after, fingerprint_of(before, digest), fingerprint_of(after, digest))

    def keep(self, run: Any = None) -> None:
        """Write the capsules and the fingerprint of a run of this process into its directory, for later.

        A run that began under the eyes of a debugger has them anyway. Raises OSError.
        """
        found = self._run(run) if run is not None else self._latest()
        if not hasattr(found, "graph"):
            raise FlowError("run %r was read back: what its process knew is gone" % found.id)
        keep(found, self._inputs)

    # ---- finding things

    def _settle(self) -> None:
        if self._watch is not None:
            self._watch.settle()

    def _told(self) -> str:
        if options.stable_repr and self._runs:
            return counted(len(self._runs), "run")
        return ", ".join("run %r" % run.id for run in self._runs) or "no run"

    def _latest(self) -> Any:
        if not self._runs:
            raise FlowError("there is no run to debug yet; start one, or give DebugOrchestrator(run)")
        return self._runs[-1]

    def _run(self, run: Any) -> Any:
        if not isinstance(run, str):
            return run
        for one in self._runs:
            if one.id == run:
                return one
        ids = [one.id for one in self._runs]
        raise KeyError("no run %r%s" % (run, did_you_mean(run, ids, "known: %s" % ", ".join(ids))))

    def _having(self, task: str) -> List[Any]:
        """The runs that have the task, oldest first."""
        found = [run for run in self._runs if task in run.snapshot().tasks]
        if not found:
            self._latest()
            names = [name for run in self._runs for name in run.snapshot().tasks]
            raise KeyError("no task %r in %s%s" % (task, self._told(), did_you_mean(task, names)))
        return found

    def _where(self, task: str) -> Any:
        """The latest run where the task failed, else the latest that has it."""
        having = self._having(task)
        failed = [run for run in having if any(one.task == _guilty(run, task) for one in failed_attempts(run))]
        return (failed or having)[-1]

    def __repr__(self) -> str:
        return "<DebugOrchestrator of %s>" % self._told()


def _guilty(run: Any, task: str) -> str:
    """The task itself; of a mapped one the first item that failed, as `delays[3]`."""
    row = run.snapshot().tasks[task]
    return str(row.cause_task) if row.size is not None and row.cause_task.startswith(task + "[") else task


def _name(task: Any) -> str:
    return task if isinstance(task, str) else str(task.name)
