"""What comes out of a worker process's standard streams, and whose it is."""

from __future__ import annotations

import contextlib
import os
import re
from typing import Protocol, Sequence

ROOM = 1 << 16  # bytes; a pipe holds no more, unless it is told to
TURN = 16  # reads before others have their turn


class Prints(Protocol):
    """A job that hears what it prints."""

    def printed(self, data: bytes) -> None:
        """The job has printed this."""


def marker(mark: str, number: int) -> bytes:
    """What a worker writes between two members of a batch: from here on it is this member that prints.

    Only the worker and we know its `mark`.
    """
    return b"\0FDSL-%s-%08d\0" % (mark.encode(), number)


class Printed:
    """The reading end of the pipe that the streams of a worker lead to; it does not block."""

    def __init__(self, end: int, mark: str) -> None:
        os.set_blocking(end, False)
        self.end = end
        whole = marker(mark, 0)
        self._begin, self._length = whole[:-9], len(whole)
        self._marker = re.compile(re.escape(self._begin) + rb"([0-9]{8})\0")
        self._jobs: Sequence[Prints] = ()
        self._at = 0
        self._rest = b""  # which may be the beginning of a marker

    def assign(self, jobs: Sequence[Prints]) -> None:
        """From now on it is they who print, the first of them first."""
        self._jobs, self._at, self._rest = jobs, 0, b""

    def take(self, turns: int = TURN) -> None:
        """Read what is there, and tell whoever printed it; raises EOFError when there will be no more."""
        for _ in range(turns):
            try:
                data = os.read(self.end, ROOM)
            except BlockingIOError:
                return
            if not data:
                raise EOFError
            self._tell(data)
            if len(data) < ROOM:
                return

    def take_last(self) -> None:
        """Of a job that is over everything that it has printed is there: that is as much as the pipe holds."""
        with contextlib.suppress(EOFError, OSError):
            self.take(2)
        rest, self._rest = self._rest, b""
        if rest:
            self._to_job(rest)

    def _tell(self, data: bytes) -> None:
        if len(self._jobs) < 2:
            self._to_job(data)
            return
        text, begin = self._rest + data, 0
        for found in self._marker.finditer(text):
            self._to_job(text[begin : found.start()])
            self._at, begin = int(found.group(1)), found.end()
        end = len(text) - self._held_back(text[begin:])
        self._rest = text[end:]
        self._to_job(text[begin:end])

    def _held_back(self, text: bytes) -> int:
        """How many bytes at the end of the text may be the beginning of a marker."""
        tail = text[1 - self._length :]
        while b"\0" in tail:
            tail = tail[tail.index(b"\0") :]
            if self._begin.startswith(tail) or tail.startswith(self._begin):
                return len(tail)
            tail = tail[1:]
        return 0

    def _to_job(self, data: bytes) -> None:
        if data and self._at < len(self._jobs):
            self._jobs[self._at].printed(data)
