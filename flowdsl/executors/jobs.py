"""What worker processes are given to do: an attempt of a run, or a call that somebody submitted."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Callable, Protocol

from flowdsl.errors import FlowError, WorkerDied
from flowdsl.executors.base import Detail, Listener
from flowdsl.executors.outcome import Outcome

LOST_IN_A_ROW = 5


class Job(Protocol):
    """Bytes for a worker, and who hears how it goes: `begun` at most once, then `ended` or `lost`, once."""

    payload: bytes
    unwanted: bool  # told to end before any worker had it

    def begun(self, detail: Detail, ago: float) -> None:
        """A worker began `ago` seconds before now."""

    def ended(self, outcome: Outcome, mechanism: str, detail: Detail) -> None:
        """It is over, and nothing of it runs any more."""

    def lost(self) -> None:
        """The worker died before it began."""


class AttemptJob:
    """One attempt of a run; `over` is called when it has ended."""

    def __init__(
        self, task: str, attempt: int, payload: bytes, listener: Listener, over: Callable[[AttemptJob], Any]
    ) -> None:
        self.task = task
        self.attempt = attempt
        self.payload = payload
        self.unwanted = False
        self._listener = listener
        self._over = over

    def begun(self, detail: Detail, ago: float) -> None:
        self._listener.begun(self.task, self.attempt, detail, ago)

    def ended(self, outcome: Outcome, mechanism: str, detail: Detail) -> None:
        self._over(self)
        self._listener.ended(self.task, self.attempt, outcome, mechanism, detail)

    def lost(self) -> None:
        self._over(self)
        self._listener.lost(self.task, self.attempt)


class FutureJob:
    """A submitted call; `over` is called when it has ended, `again` when its worker died before it began."""

    def __init__(
        self, payload: bytes, future: Future[Any], over: Callable[[], Any], again: Callable[[FutureJob], Any]
    ) -> None:
        self.payload = payload
        self.future = future
        self.unwanted = False
        self._over = over
        self._again = again
        self._losses = 0

    def begun(self, detail: Detail, ago: float) -> None:
        """A future that has left the queue counts as running already."""

    def ended(self, outcome: Outcome, mechanism: str, detail: Detail) -> None:
        if outcome.state == "succeeded":
            self.future.set_result(outcome.value)
        else:
            text = "%s: %s" % (outcome.error_type or outcome.state, outcome.error)
            self.future.set_exception(outcome.exception or FlowError(text))
        self._over()

    def lost(self) -> None:
        self._losses += 1
        if self._losses < LOST_IN_A_ROW:
            self._again(self)
            return
        self.future.set_exception(WorkerDied("workers died %d times in a row before the call began" % self._losses))
        self._over()
