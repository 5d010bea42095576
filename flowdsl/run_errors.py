"""The errors that a run raises, for a task without result and for a run that went badly, and how each looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Tuple, TypeVar

from flowdsl.definition.counted import counted
from flowdsl.engine import states as st
from flowdsl.engine.failures import Failure
from flowdsl.engine.maps import split
from flowdsl.errors import ResultReleased, RunFailed, TaskResultError
from flowdsl.settings import options

if TYPE_CHECKING:
    from flowdsl.run import Run
    from flowdsl.runtime.core import Core

__all__ = ["no_result", "run_failed"]

E = TypeVar("E", bound=BaseException)
SHOWN = 10  # failures and names that a message spells out


def no_result(run: Run, core: Core, name: str) -> TaskResultError:
    """Why `run[name]` has no result; the exception of the guilty task is the cause of the error."""
    row = run.snapshot().tasks.get(name)
    state, cause = (row.state, row.cause) if row is not None else (st.PENDING, "added")
    if split(name)[0] in core.results.released:
        text = "the result of task %r was let go once its last dependant had it; use keep='all'" % name
        return ResultReleased(text, task=name, state=state, cause=cause)
    if state in st.OPEN and not run.done:
        text = "task %r has no result yet: it is %s; run.wait() waits for the end" % (name, state)
        return TaskResultError(text, task=name, state=state, cause=cause)
    guilty = " because of task %r" % row.cause_task if row is not None and row.cause_task else ""
    text = "task %r has no result: it is %s (%s)%s" % (name, state, cause, guilty)
    if cause == "items_failed":
        text += "; the items that succeeded are there one by one: run['%s[0]']" % name
    blamed = (row.cause_task if row is not None else "") or name
    error = TaskResultError(text, task=name, state=state, cause=cause)
    outcome = core.errors.get(blamed)
    error.__cause__ = outcome.exception if outcome is not None else None
    return _shown(error, run, tuple(one for one in run.failures if one.task == blamed))


def run_failed(run: Run) -> RunFailed:
    """What a run that did not succeed ends with; the exception of the first failed task is its cause."""
    found = run.failures
    error = RunFailed(_obituary(run, found), run=run, failures=found)
    error.__cause__ = next((one.exception for one in found if one.exception is not None), None)
    return _shown(error, run, found)


def _obituary(run: Run, found: Tuple[Failure, ...]) -> str:
    from flowdsl.views.escape import clean_lines

    lines = [_headline(run, found)]
    for one in found[:SHOWN]:
        lines.append("  " + clean_lines(one).replace("\n", "\n    "))
        if one.traceback and one.exception is None:
            lines += ["    " + line for line in clean_lines(one.traceback.rstrip()).splitlines()]
    if len(found) > SHOWN:
        lines.append("  and %d more" % (len(found) - SHOWN))
    held = [row.name for row in run.snapshot().tasks.values() if row.state in (st.UPSTREAM_FAILED, st.CANCELLED)]
    if held:
        more = ", ..." if len(held) > SHOWN else ""
        lines.append("  not run: %s%s" % (", ".join(held[:SHOWN]), more))
    log = "" if options.stable_repr else "; the log is in %s" % run.shown_dir
    lines.append("  flowdsl.last_run() has the results that there are" + log)
    return "\n".join(lines)


def _headline(run: Run, found: Tuple[Failure, ...]) -> str:
    snapshot = run.snapshot()
    which = "run" if options.stable_repr else "run %r" % run.id
    line = "%s of flow %r %s" % (which, run.flow, run.state)
    if found:
        return "%s: %d of %s failed" % (line, len(found), counted(len(snapshot.tasks), "task"))
    return "%s: %s" % (line, st.CAUSES.get(snapshot.cause, snapshot.cause)) if snapshot.cause else line


def _shown(error: E, run: Run, found: Tuple[Failure, ...]) -> E:
    """The same error, as it is to look under a cell: IPython asks it for these lines."""
    error._render_traceback_ = lambda: _rendered(error, run, found)  # type: ignore[attr-defined]
    return error


def _rendered(error: BaseException, run: Run, found: Tuple[Failure, ...]) -> List[str]:
    from flowdsl.views.raised import rendered

    advice = ["mend it, run its cell again, and then: run = flowdsl.last_run().rerun(failed=True)"]
    if _traceback(found) is not None:
        advice.append("a debugger where it happened: raise flowdsl.last_run().failures[0].exception, then %debug")
    said = [line.strip() for line in str(error).splitlines()[1:]]
    held = [line for line in said if line.startswith("not run: ")]
    return rendered(error, found, run.snapshot(), [*held, *(advice if found else ()), *said[-1:]])


def _traceback(found: Tuple[Failure, ...]) -> Optional[Any]:
    return getattr(found[0].exception if found else None, "__traceback__", None)
