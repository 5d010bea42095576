"""What attempts say of their progress, on its way to whoever keeps account of them: the latest only, in good time."""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, NamedTuple, Optional

from flowdsl.executors.current import Current

OFTEN, SELDOM = 0.1, 1.0  # seconds from one telling to the next: at first, and later on
SHARE = 0.01  # of the time since the first; so ten a second for ten seconds, one a second after a hundred
LONGEST = 4_096  # characters of a message, its mark included


class Note(NamedTuple):
    """What is to be told now."""

    task: str
    attempt: int
    detail: Mapping[str, Any]


class Notes:
    """Attempts `put` themselves here, without a lock; one thread at a time takes what is due.

    `wake` is called when there is something new; it has to be one call into C, which no exception can divide.
    Times are seconds of any clock that does not go back.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._new: Deque[Current] = deque()
        self._held: Dict[Current, float] = {}  # told of too short a time ago -> when it may be told of again

    def put(self, current: Current) -> None:
        """It has said something; however often it does, it is here once."""
        if not current.is_noted:
            current.is_noted = True
            self._new.append(current)
            self._wake()

    def due(self, now: float) -> List[Note]:
        """What is to be told now."""
        self._take_new(now)
        ripe = [current for current, then in self._held.items() if then <= now]
        return [note for note in (self.last(current, now) for current in ripe) if note is not None]

    def all(self, now: float, task: str = "", attempt: int = 0) -> List[Note]:
        """What is to be told at the latest now, because attempts end: all of them, or that one."""
        self._take_new(now)
        ending = [one for one in self._held if not task or (one.task == task and one.attempt == attempt)]
        return [note for note in (self.last(current, now) for current in ending) if note is not None]

    def last(self, current: Current, now: float) -> Optional[Note]:
        """What the attempt has said and nobody has been told."""
        self._held.pop(current, None)
        current.is_noted = False  # before its word is read: what it says from here on puts it here again
        said = current.said
        if said is None or said is current.told:
            return None
        if current.told is None:
            current.first = now
        current.told = said
        current.then = now + min(SELDOM, max(OFTEN, SHARE * (now - current.first)))
        return Note(current.task, current.attempt, {"progress": round(said[0], 4), "message": _text(said[1])})

    def next_due(self) -> Optional[float]:
        """When something held back is to be told; None: nothing is."""
        return min(self._held.values()) if self._held else None

    def __bool__(self) -> bool:
        return bool(self._new or self._held)

    def _take_new(self, now: float) -> None:
        try:
            while True:
                current = self._new.popleft()
                self._held[current] = now if current.told is None else current.then
        except IndexError:
            return


def _text(message: object) -> str:
    try:
        text = str(message)
    except Exception as exc:
        text = "<%s while reading the message>" % type(exc).__name__
    return text if len(text) <= LONGEST else text[: LONGEST - 16] + " ... [truncated]"
