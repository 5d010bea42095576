"""What a running task can ask about itself: `flowdsl.current()`."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Optional

from flowdsl.errors import AttemptStopped, FlowError

_CURRENT: ContextVar[Optional[Current]] = ContextVar("flowdsl_current", default=None)


class Current:
    """The attempt that is running here: `task` is its task's name, `attempt` its number from 1."""

    __slots__ = ("_event", "_reason", "attempt", "task")

    _guard = threading.Lock()  # for the rare moment in which an Event is made

    def __init__(self, task: str, attempt: int) -> None:
        self.task = task
        self.attempt = attempt
        self._reason = ""
        self._event: Optional[threading.Event] = None

    def check(self) -> None:
        """Return at once; raise AttemptStopped if the attempt has been timed out or cancelled."""
        if self._reason:
            raise AttemptStopped("attempt %d of task %r was stopped: %s" % (self.attempt, self.task, self._reason))

    def sleep(self, s: float) -> None:
        """Sleep `s` seconds, or until the attempt is stopped: then AttemptStopped is raised."""
        with self._guard:
            if self._event is None:
                self._event = threading.Event()
        self.check()
        self._event.wait(s)
        self.check()

    @property
    def stopped(self) -> bool:
        """Whether the attempt has been asked to end."""
        return bool(self._reason)

    def stop(self, reason: str) -> None:
        """Ask the task to end; for the driver."""
        with self._guard:
            self._reason = reason
            if self._event is not None:
                self._event.set()

    def __repr__(self) -> str:
        return "<attempt %d of task %r>" % (self.attempt, self.task)


def current() -> Current:
    """The attempt that this code runs in.

    Raises FlowError outside a running task.

    >>> current()
    Traceback (most recent call last):
    ...
    flowdsl.errors.FlowError: no task is running here: current() works inside a task
    """
    found = _CURRENT.get()
    if found is None:
        raise FlowError("no task is running here: current() works inside a task")
    return found


enter = _CURRENT.set
leave = _CURRENT.reset
