"""The debugger at the user's frame of what an attempt raised."""

from __future__ import annotations

import pdb
import traceback
from types import TracebackType
from typing import Any, Optional

from flowdsl.executors.outcome import users_traceback
from flowdsl.views.users_line import is_foreign

__all__ = ["debug_here", "from_users_code", "kept_traceback", "steps_up"]


def debug_here(trace: TracebackType) -> None:
    """Open pdb at the deepest frame of the user's own code; `down` leads into the library that it called."""
    debugger = pdb.Pdb()
    up = steps_up(trace)
    if up:
        debugger.rcLines.append("up %d" % up)
    debugger.reset()
    debugger.interaction(None, trace)  # type: ignore[arg-type, unused-ignore]


def kept_traceback(run: Any, task: str) -> Optional[TracebackType]:
    """The frames that the last attempt of a task has left in this process; None where it ran elsewhere."""
    found = next((one.exception for one in getattr(run, "failures", ()) if one.task == task), None)
    return found.__traceback__ if found is not None else None


def from_users_code(exc: BaseException) -> TracebackType:
    """The traceback without our frames at its head; the whole one where there is nothing else."""
    whole = exc.__traceback__
    assert whole is not None  # it has been raised
    return users_traceback(exc) or whole


def steps_up(trace: Optional[TracebackType]) -> int:
    """How many frames the deepest one of the user lies above the one that raised; 0 where there is none of the user."""
    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(trace)]
    users = [at for at, file in enumerate(files) if not is_foreign(file)]
    return len(files) - 1 - users[-1] if users else 0
