"""An attempt on an executor that is not ours, with what it says: kept there, and sent back with its outcome."""

from __future__ import annotations

import pickle
import time
from typing import Any, List, Mapping, NamedTuple, Optional

from flowdsl.executors import capture, payload
from flowdsl.executors.current import Current
from flowdsl.executors.notes import Note, Notes

KEPT = 10_000_000  # bytes; a run keeps no more of it either


class Words(NamedTuple):
    """What came back: the answer to the payload, and what the attempt said besides."""

    answer: bytes
    output: bytes
    total: int  # bytes that it printed, those that were not kept too
    note: Optional[Mapping[str, Any]]  # its last progress


class Spool:
    """The scribe, and the output, of one attempt."""

    echo = 0

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self._kept: List[bytes] = []
        self._notes = Notes(lambda: None)

    def output(self, task: str, attempt: int) -> Spool:
        return self

    def noted(self, current: Current) -> None:
        self._notes.put(current)

    def write(self, text: str) -> None:
        self.count += 1
        data = text.encode("utf-8", "backslashreplace")
        room = KEPT - self.total
        self.total += len(data)
        if room > 0:
            self._kept.append(data[:room])

    def flush(self) -> None:
        """Nobody reads before the end."""

    def words(self, answer: bytes) -> Words:
        """All of it, once the attempt has answered."""
        notes: List[Note] = self._notes.all(time.monotonic())
        return Words(answer, b"".join(self._kept), self.total, notes[-1].detail if notes else None)


def work(data: payload.Bytes) -> bytes:
    """`payload.work`, with the words of the attempt; for a worker of whatever executor. It never raises."""
    spool = Spool()
    capture.begin()
    try:
        answer = payload.work(data, spool)
    finally:
        capture.end()
    return pickle.dumps(tuple(spool.words(answer)))


def unpack(data: bytes) -> Words:
    """What `work` sent."""
    return Words(*pickle.loads(data))
