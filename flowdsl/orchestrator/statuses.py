"""The status words of the document: the engine's states in its words, and what may be changed into what by hand."""

from __future__ import annotations

from typing import Mapping, Tuple

from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine import states as st
from flowdsl.errors import ConfigError
from flowdsl.storage.records import STATUS

__all__ = ["BY_HAND", "STATE_OF", "STATUSES", "STATUS_OF", "check_change"]

# Why a task is in its state: the engine's causes, and one that only a queue has.
CAUSES: Mapping[str, str] = {
    **st.CAUSES,
    "external": "somebody set it by hand, with update_task_state",
    "task_cancelled": "it was cancelled",
    "cancel_requested": "it, or its whole run, was cancelled",
    "process_died": "its process died in the middle",
}

STATUS_OF: Mapping[str, str] = STATUS  # the status word of every state of the engine
STATUSES: Tuple[str, ...] = tuple(dict.fromkeys(STATUS_OF.values()))

# The state of each word that a person may give.
STATE_OF: Mapping[str, str] = {
    "pending": st.PENDING,
    "in-progress": st.RUNNING,
    "completed": st.SUCCEEDED,
    "failed": st.FAILED,
    "skipped": st.SKIPPED,
    "cancelled": st.CANCELLED,
}

_ANEW: Tuple[str, ...] = ("pending", "in-progress", "completed", "failed", "skipped", "cancelled")
_ENDED: Tuple[str, ...] = ("pending", "completed", "failed")

# {status: what it may be changed into by hand}, while no attempt runs. `completed` and `failed` by hand are final.
BY_HAND: Mapping[str, Tuple[str, ...]] = {
    "pending": _ANEW,
    "in-progress": _ANEW,
    "retrying": (),  # an attempt will follow: cancel() comes first
    "completed": (),
    "failed": _ENDED,
    "timed-out": _ENDED,
    "blocked": _ENDED,
    "skipped": _ENDED,
    "cancelled": _ENDED,
    "interrupted": (*_ENDED, "cancelled"),
}
WHILE_RUNNING: Tuple[str, ...] = ("in-progress",)  # a progress and a message; the state is the attempt's


def check_change(task: str, before: str, after: object, *, running: bool, final: bool) -> str:
    """The state of the engine that `after` stands for; ConfigError where that change is not allowed."""
    if after not in STATUSES:
        known = did_you_mean(after, STATUSES, "the status words are " + ", ".join(STATUSES))
        raise ConfigError("task %r: %r is not a status%s" % (task, after, known))
    allowed = () if final else WHILE_RUNNING if running else BY_HAND[before]
    if after not in allowed:
        raise ConfigError(
            "task %r is %s and cannot be made %s by hand; %s" % (task, before, after, _may(allowed, final))
        )
    return STATE_OF[str(after)]


def _may(allowed: Tuple[str, ...], final: bool) -> str:
    if allowed:
        return "allowed are: " + ", ".join(allowed)
    return "nothing is" + (": it was ended by hand" if final else "") + "; execute_task(..., force=True) runs it again"
