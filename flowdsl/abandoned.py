"""The warning of attempts that outlived their limits, at the user's line and once for each in every run."""

from __future__ import annotations

import sys
import warnings
from types import FrameType
from typing import Optional

__all__ = ["AbandonedWarning", "users_frame", "warn_of"]


class AbandonedWarning(RuntimeWarning):
    """A task's thread outlived its limit and is still going; only a process could be killed."""


def warn_of(task: str) -> None:
    """Warn that an attempt of this task is still going.

    It has a registry of its own: Python shows a warning of the same text and line only once, and the next run may
    have the same.
    """
    text = "task %r was stopped, but what it runs in cannot be killed: it is still running" % task
    frame = users_frame()
    place = (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("flowdsl", 0)
    warnings.warn_explicit(text, AbandonedWarning, *place, registry={})


def users_frame() -> Optional[FrameType]:
    """The frame that called flowdsl; None where there is none, as in a thread of ours."""
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "flowdsl":
        frame = frame.f_back
    return frame
