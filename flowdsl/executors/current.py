"""What a running task can ask about itself, `flowdsl.current()`; and where it says what it has to say."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Optional, Protocol, Tuple

from flowdsl.errors import AttemptStopped, FlowError

_CURRENT: ContextVar[Optional[Current]] = ContextVar("flowdsl_current", default=None)


class Output(Protocol):
    """Takes what an attempt prints; never raises, but for what strikes the thread that calls."""

    @property
    def count(self) -> int:
        """How many pieces have come."""

    def write(self, text: str) -> object:
        """Take some text."""

    def flush(self) -> object:
        """Let it be read by others."""


class Scribe(Protocol):
    """Hears what attempts say; from any thread, and without a lock, for the thread may be stopped at any line."""

    echo: int  # characters of output that may be shown here besides

    def output(self, task: str, attempt: int) -> Optional[Output]:
        """Where the attempt's output goes; None: to the streams of this process."""

    def noted(self, current: Current) -> None:
        """The attempt has said how far it is: `current.said`."""


class Current:
    """The attempt that is running here: `task` is its task's name, `attempt` its number from 1."""

    # What most attempts never have lies in the class: one is made for each attempt, in 0.2 us instead of 0.4.
    output: Optional[Output] = None  # made when it first prints
    said: Optional[Tuple[float, object]] = None  # the fraction and the message of its last progress
    told: Optional[Tuple[float, object]] = None  # what has been passed on of that; the rest is for `Notes`
    is_noted = False
    first: float  # when its progress was first told
    then: float  # when it may be told again
    reason = ""  # why it was asked to end
    _event: Optional[threading.Event] = None
    _guard = threading.Lock()  # for the rare moment in which an Event is made

    def __init__(self, task: str, attempt: int, scribe: Optional[Scribe] = None) -> None:
        self.task = task
        self.attempt = attempt
        self.scribe = scribe

    def check(self) -> None:
        """Return at once; raise AttemptStopped if the attempt has been timed out or cancelled."""
        if self.reason:
            raise AttemptStopped("attempt %d of task %r was stopped: %s" % (self.attempt, self.task, self.reason))

    def sleep(self, s: float) -> None:
        """Sleep `s` seconds, or until the attempt is stopped: then AttemptStopped is raised."""
        with self._guard:
            if self._event is None:
                self._event = threading.Event()
        self.check()
        self._event.wait(s)
        self.check()

    def find_output(self) -> Optional[Output]:
        """Where what it prints goes; None: to the streams of this process."""
        if self.output is None and self.scribe is not None:
            self.output = self.scribe.output(self.task, self.attempt)
        return self.output

    @property
    def stopped(self) -> bool:
        """Whether the attempt has been asked to end."""
        return bool(self.reason)

    def stop(self, reason: str) -> None:
        """Ask the task to end; for the driver."""
        with self._guard:
            self.reason = reason
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


here = _CURRENT.get
enter = _CURRENT.set
leave = _CURRENT.reset
