"""Every exception that flowdsl raises on purpose.

By whose fault it is::

    FlowError
    |-- DefinitionError          what was written down cannot be run (also a ValueError)
    |   |-- GraphError           a name that nothing defines, a clash of names, a graph that is too large
    |   |   `-- CycleError       tasks that wait for each other; `.cycle` is the path
    |   |-- ConfigError          an option whose value makes no sense
    |   `-- InputError           an input that is missing, unknown or of the wrong kind
    |-- RunFailed                tasks failed; `.run` is the run, `.failures` says which and why
    |-- TaskResultError          a result was asked for that does not exist; `.task`, `.state`, `.cause`
    |   `-- ResultReleased       it existed, and `keep="targets"` let it go
    |-- WorkerDied               the process or executor under an attempt went away
    |-- MapError                 what a task maps over is no sized iterable (also a TypeError)
    |-- TaskTimeout              an attempt outlived its `timeout`
    |-- LogWriteError            the journal could not be written; `.path`, `.errno` (also an OSError)
    |-- LogLocked                another process writes this journal; `.path`, `.pid`
    |-- PickleRefused            a pickle on disk was not written by this user, so it is not unpickled
    |-- RendererMissing          no program here can make that kind of picture
    `-- InternalError            our fault: please report it

`Skip` is not an error: a task raises it to say that there is nothing to do. `AttemptStopped` is what a
running task sees when its attempt has been timed out or cancelled; it is a BaseException, so that
`except Exception` in a task does not swallow it.
"""

from __future__ import annotations

import sys
import traceback
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Tuple

__all__ = [
    "AttemptStopped",
    "ConfigError",
    "CycleError",
    "DefinitionError",
    "FlowError",
    "GraphError",
    "InputError",
    "InternalError",
    "LogLocked",
    "LogWriteError",
    "MapError",
    "PickleRefused",
    "RendererMissing",
    "ResultReleased",
    "RunFailed",
    "Skip",
    "TaskResultError",
    "TaskTimeout",
    "WorkerDied",
]


class FlowError(Exception):
    """The root of all errors that flowdsl raises."""

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), self.args, self._travelling()

    def _travelling(self) -> Dict[str, Any]:
        """What goes along to another process; how an error looks under a cell does not."""
        return {name: value for name, value in self.__dict__.items() if name != "_render_traceback_"}


class DefinitionError(FlowError, ValueError):
    """A task, flow or run is written in a way that cannot work."""

    def _render_traceback_(self) -> List[str]:
        """What IPython shows under a cell: it leaves out frames with `__tracebackhide__`, but never the last one."""
        kind, frames = type(self), _users_frames(self.__traceback__)
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        if shell is None or frames is None:
            return traceback.format_exception(kind, self, frames)
        lines: List[str] = shell.InteractiveTB.structured_traceback(kind, self, frames)
        return lines


def _users_frames(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """The traceback without the frames of flowdsl, wherever in it they are."""
    kept = []
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] != "flowdsl":
            kept.append(trace)
        trace = trace.tb_next
    found: Optional[TracebackType] = None
    for one in reversed(kept):
        found = TracebackType(found, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return found


def at_the_users_line(exc: DefinitionError) -> DefinitionError:
    """The same error without the frames of flowdsl that found it: what counts is the line that is at fault.

    For ``raise at_the_users_line(exc) from exc.__cause__`` in what users call.
    """
    return exc.with_traceback(None)


class GraphError(DefinitionError):
    """The tasks do not make a graph."""


class CycleError(GraphError):
    """Tasks wait for each other; `cycle` is the closed path of names, first and last alike."""

    def __init__(self, message: str, cycle: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.cycle: Tuple[str, ...] = tuple(cycle)


class ConfigError(DefinitionError):
    """An option has a value that makes no sense, or an option does not exist."""


class InputError(DefinitionError):
    """An input of a run is missing, unknown or unusable."""


class RunFailed(FlowError):
    """A run ended with failed tasks.

    `run` is the run, with every result that there is; `failures` is a tuple of `Failure`, one a failed task. An error
    that comes from another process has its `failures` as text, and None for the run.
    """

    def __init__(self, message: str, *, run: Any = None, failures: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.run = run
        self.failures: Tuple[Any, ...] = tuple(failures)

    def _travelling(self) -> Dict[str, Any]:
        told = tuple(failure._replace(exception=None) for failure in self.failures)
        return {**super()._travelling(), "run": None, "failures": told}


class TaskResultError(FlowError):
    """A task has no result; `state` and `cause` say why, the task's own exception is chained."""

    def __init__(self, message: str, *, task: str = "", state: str = "", cause: str = "") -> None:
        super().__init__(message)
        self.task = task
        self.state = state
        self.cause = cause


class ResultReleased(TaskResultError):
    """The task succeeded, and its result was let go because of `keep="targets"`."""


class WorkerDied(FlowError):
    """The process or executor that an attempt ran on went away."""


class TaskTimeout(FlowError):
    """An attempt ran longer than its `timeout`."""


class MapError(FlowError, TypeError):
    """What a mapped task maps over is no sized iterable, or its mapped parameters differ in length."""


class LogWriteError(FlowError, OSError):
    """The journal could not be written; the run was cancelled and what was written before is whole."""

    def __init__(self, message: str, *, path: str = "", errno: Optional[int] = None) -> None:
        super().__init__(message)
        self.path = path
        self.errno = errno

    def _travelling(self) -> Dict[str, Any]:
        return {**super()._travelling(), "errno": self.errno}


class LogLocked(FlowError):
    """Another process holds the journal; `pid` is that process, where it is known."""

    def __init__(self, message: str, *, path: str = "", pid: Optional[int] = None) -> None:
        super().__init__(message)
        self.path = path
        self.pid = pid


class PickleRefused(FlowError):
    """A pickle on disk was not written by this user, or has been changed: unpickling it could run any code."""


class RendererMissing(FlowError):
    """No program on this machine can make that kind of picture; the message says what to install."""


class InternalError(FlowError):
    """flowdsl itself is at fault."""


class Skip(Exception):
    """Raised inside a task: there is nothing to do. The task is `skipped`, and so are its descendants."""


class AttemptStopped(BaseException):
    """Raised inside a task whose attempt has been timed out or cancelled."""
