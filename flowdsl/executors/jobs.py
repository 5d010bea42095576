"""What worker processes are given to do: attempts of a run, or a call that somebody submitted."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import Future
from contextlib import contextmanager
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    ContextManager,
    Dict,
    Iterator,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
)

from flowdsl.errors import FlowError, WorkerDied
from flowdsl.executors import buffers
from flowdsl.executors.base import Detail, Listener
from flowdsl.executors.outcome import Call, Outcome
from flowdsl.executors.sharing import NO_BOOK, Book

if TYPE_CHECKING:
    from flowdsl.executors.load import Load

LOST_IN_A_ROW = 5

Key = Tuple[str, int]  # task, attempt


class Job(Protocol):
    """Who hears how it goes: `begun` at most once, then one of the others, once; or `ran`, and nothing else."""

    unwanted: bool  # it was told to end
    book: Book  # by which the result is opened
    load: Optional[Load]  # what it is part of, for as long as a worker has it

    def begun(self, detail: Detail, ago: float) -> None:
        """A worker began `ago` seconds before now."""

    def noted(self, task: str, attempt: int, detail: Mapping[str, Any]) -> None:
        """The attempt says how far it is; after `begun`."""

    def logged(self, fields: Mapping[str, Any]) -> None:
        """It has logged a record that handlers here may want."""

    def printed(self, data: bytes) -> None:
        """It has printed this; before `ended`."""

    def ended(self, outcome: Outcome, mechanism: str, detail: Detail, ago: float = 0.0) -> None:
        """It is over since `ago` seconds, and nothing of it runs any more."""

    def ran(self, outcome: Outcome, detail: Detail, begun_at: float, ended_at: float) -> None:
        """A worker began it and has ended it, at these times of the monotonic clock."""

    def lost(self) -> None:
        """The worker died before it began."""

    def returned(self) -> None:
        """It has not begun, and will not: another job keeps the worker, or has ended it."""

    def together(self) -> ContextManager[None]:
        """What is told within it, of jobs that came together, may be taken in one turn."""


class Work(NamedTuple):
    """A message for one worker, and the jobs that it gives it, in their order."""

    kind: bytes
    data: bytes
    jobs: Sequence[Job]


class AttemptJob:
    """One attempt of a run; it takes itself out of `going` when it has ended."""

    __slots__ = ("_call", "_going", "_listener", "attempt", "book", "key", "letter", "load", "task", "unwanted")

    def __init__(
        self, key: Key, call: Optional[Call], book: Book, listener: Listener, going: Dict[Key, AttemptJob]
    ) -> None:
        self.key = key
        self.task, self.attempt = key
        self._call = call  # so that the files of its arguments stay
        self.book = book
        self.letter = ""  # the file that its arguments are in; the worker that reads it removes it
        self.unwanted = False
        self.load: Optional[Load] = None
        self._listener = listener
        self._going = going

    def begun(self, detail: Detail, ago: float) -> None:
        self._listener.begun(self.task, self.attempt, detail, ago)

    def noted(self, task: str, attempt: int, detail: Mapping[str, Any]) -> None:
        self._listener.noted(task, attempt, detail)

    def logged(self, fields: Mapping[str, Any]) -> None:
        self._listener.logged(fields)

    def printed(self, data: bytes) -> None:
        self._listener.printed(self.task, self.attempt, data, len(data))

    def ended(self, outcome: Outcome, mechanism: str, detail: Detail, ago: float = 0.0) -> None:
        self._leave()
        self._listener.ended(self.task, self.attempt, outcome, mechanism, detail, ago)

    def ran(self, outcome: Outcome, detail: Detail, begun_at: float, ended_at: float) -> None:
        self._leave()
        self._listener.ran(self.task, self.attempt, outcome, detail, begun_at, ended_at)

    def lost(self) -> None:
        self._leave()
        self._listener.lost(self.task, self.attempt)

    def returned(self) -> None:
        self._leave()
        self._listener.returned(self.task, self.attempt)

    def together(self) -> ContextManager[None]:
        return self._listener.together()

    def _leave(self) -> None:
        self._going.pop(self.key, None)
        if self.letter:
            buffers.remove(self.letter)


class FutureJob:
    """A submitted call; `over` is called when it has ended, `again` when its worker died before it began."""

    def __init__(
        self, payload: bytes, future: Future[Any], over: Callable[[], Any], again: Callable[[FutureJob], Any]
    ) -> None:
        self.payload = payload
        self.future = future
        self.book = NO_BOOK
        self.unwanted = False
        self.load: Optional[Load] = None
        self._over = over
        self._again = again
        self._losses = 0

    def begun(self, detail: Detail, ago: float) -> None:
        """A future that has left the queue counts as running already."""

    def noted(self, task: str, attempt: int, detail: Mapping[str, Any]) -> None:
        """Nobody asked."""

    def logged(self, fields: Mapping[str, Any]) -> None:
        """A call that is no attempt keeps its records to itself."""

    def printed(self, data: bytes) -> None:
        """A call that is no attempt prints where we do."""
        with contextlib.suppress(OSError):
            os.write(2, data)

    def ended(self, outcome: Outcome, mechanism: str, detail: Detail, ago: float = 0.0) -> None:
        if outcome.state == "succeeded":
            self.future.set_result(outcome.value)
        else:
            text = "%s: %s" % (outcome.error_type or outcome.state, outcome.error)
            self.future.set_exception(outcome.exception or FlowError(text))
        self._over()

    def ran(self, outcome: Outcome, detail: Detail, begun_at: float, ended_at: float) -> None:
        self.ended(outcome, "", detail)

    def lost(self) -> None:
        self._losses += 1
        if self._losses < LOST_IN_A_ROW:
            self._again(self)
            return
        self.future.set_exception(WorkerDied("workers died %d times in a row before the call began" % self._losses))
        self._over()

    def returned(self) -> None:
        """It is never one of several."""
        self.lost()

    @contextmanager
    def together(self) -> Iterator[None]:
        yield
