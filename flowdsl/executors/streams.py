"""What a worker process prints: its file descriptors 1 and 2 lead to us; here is how it writes to them."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
from typing import Any, Callable, Optional

FIRST = 1  # the file descriptor of standard output; that of standard error is the next
LINES = 1  # _IOLBF of C's setvbuf, on Linux and macOS


class Direct(io.RawIOBase):
    """Writes all that it is given to a file descriptor, at once; `count` is how often."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.count = 0

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._end

    def write(self, data: Any) -> int:
        self.count += 1
        view = memoryview(data).cast("B")
        rest = view
        while rest:
            rest = rest[os.write(self._end, rest) :]
        return len(view)


class Streams:
    """`sys.stdout` and `sys.stderr` of a worker: nothing is held back, for the worker may be killed at any moment.

    It is the `Output` of the attempts there, too: log records that no handler writes go to standard error.
    """

    def __init__(self) -> None:
        self._ends = [Direct(FIRST), Direct(FIRST + 1)]
        self._texts = [_text(end) for end in self._ends]
        self._own = os.dup(1)  # whatever a task does with 1; both 1 and 2 lead there
        self._flush_c = _held_back_by_c()
        self.put()

    @property
    def count(self) -> int:
        return self._ends[0].count + self._ends[1].count

    def write(self, text: str) -> None:
        self._texts[1].write(text)

    def flush(self) -> None:
        """What is held back by C's own buffers goes out."""
        if self._flush_c is not None:
            self._flush_c(None)

    def put(self) -> None:
        """Into their places, where an earlier task may have left others, or may have closed these."""
        with contextlib.suppress(OSError):
            os.dup2(self._own, FIRST)
            os.dup2(self._own, FIRST + 1)
        if not self._are_open():
            self._ends = [Direct(FIRST), Direct(FIRST + 1)]
            self._texts = [_text(end) for end in self._ends]
        sys.stdout, sys.stderr = self._texts

    def _are_open(self) -> bool:
        try:
            return not (self._texts[0].closed or self._texts[1].closed)
        except ValueError:  # one has been detached from what it wrote to
            return False

    def say(self, data: bytes) -> None:
        """Put this between what was printed before and what will be."""
        with contextlib.suppress(OSError):
            os.write(self._own, data)


def _text(end: Direct) -> io.TextIOWrapper:
    return io.TextIOWrapper(end, encoding="utf-8", errors="backslashreplace", write_through=True)  # type: ignore[arg-type]


def _held_back_by_c() -> Optional[Callable[[Any], Any]]:
    """C's `fflush`, where it can be had; from now on C holds back no line that is complete."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        library = ctypes.CDLL(None)
        name = "__stdoutp" if sys.platform == "darwin" else "stdout"
        library.setvbuf(ctypes.c_void_p.in_dll(library, name), None, LINES, 0)
        flush: Callable[[Any], Any] = library.fflush
        return flush
    return None
