"""What the attempts of a run printed: a file for each that printed anything, in the run's directory, up to a limit.

There is no lock here. A task's thread writes in its own time, and may be stopped by an exception after any line: a
lock that it held would be held for ever. So text waits in a deque, and files append.
"""

from __future__ import annotations

import errno
import io
import os
from collections import deque
from pathlib import Path
from typing import Any, Deque, Dict, List, Optional, Tuple, Union

from flowdsl.storage.names import hashed_name

__all__ = ["LIMIT", "MARK", "Outputs", "Sink", "lost_mark", "output_file", "read_output", "tail_output"]

FOLDER = "output"
LIMIT = 10_000_000  # bytes of one attempt that are kept; the first ones
MARK = "\n[flowdsl: the output is cut off here, after %d bytes]\n" % LIMIT
PIECES = 64  # that wait for the end of their line

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Sink:
    """Takes what one attempt prints; what cannot be written is counted, never raised.

    `total` is the bytes that came, `count` the pieces; `fault` is why some of them could not be written, if so.
    """

    __slots__ = ("_late", "_open", "_path", "_pieces", "count", "fault", "lost", "total")

    def __init__(self, path: Path, *, late: bool = False) -> None:
        self.total = 0
        self.count = 0
        self.lost = 0  # bytes
        self.fault = ""
        self._path = path
        self._late = late
        self._pieces: Deque[str] = deque()
        self._open: Dict[str, io.FileIO] = {}  # a dict, because `setdefault` cannot be divided

    def write(self, text: str) -> None:
        """Take text; it is in the file when its line has ended."""
        self.count += 1
        self._pieces.append(text)
        if "\n" in text or len(self._pieces) > PIECES:
            self.flush()

    def flush(self) -> None:
        """Write what waits, from whichever thread."""
        pieces: List[str] = []
        try:
            while True:
                pieces.append(self._pieces.popleft())
        except IndexError:
            if pieces:
                self.write_bytes("".join(pieces).encode("utf-8", "backslashreplace"))

    def write_bytes(self, data: Union[bytes, bytearray, memoryview]) -> None:
        """Take bytes, which go to the file at once, as far as there is room."""
        room = LIMIT - self.total
        self.total += len(data)
        if room < 0:
            return
        self._put(bytes(data[:room]) + MARK.encode() if len(data) > room else bytes(data))

    def skip(self, count: int) -> None:
        """Note that so many bytes came which nobody has kept."""
        if count > 0:
            if self.total <= LIMIT:
                self._put(MARK.encode())
            self.total += count

    def close(self) -> None:
        """The attempt has ended; what a thread of it prints later is still appended, piece by piece."""
        self.flush()
        self._late = True
        file = self._open.pop("file", None)
        if file is not None:
            file.close()

    def _put(self, data: bytes) -> None:
        if self._late:
            self._put_late(data)
            return
        try:
            while data:
                data = data[self._file().write(data) or 0 :]
        except ValueError:  # closed by somebody else, just now
            self._put_late(data)
        except OSError as exc:
            self._note(exc, data)

    def _put_late(self, data: bytes) -> None:
        try:
            with _append_to(self._path) as file:
                file.write(data)
        except OSError as exc:
            self._note(exc, data)

    def _note(self, exc: OSError, data: bytes) -> None:
        name = errno.errorcode.get(exc.errno or 0, "no errno")
        self.lost += len(data)
        self.fault = "%s (%s)" % (exc.strerror or exc, name)

    def _file(self) -> io.FileIO:
        file = self._open.get("file")
        if file is None:
            new = _append_to(self._path)
            file = self._open.setdefault("file", new)
            if file is not new:
                new.close()
        return file


def _append_to(path: Path) -> io.FileIO:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    return io.FileIO(str(path), "ab", opener=_opener)


def _opener(path: str, _: int) -> int:
    return os.open(path, _FLAGS, 0o600)


class Outputs:
    """The sinks of the attempts of one run that are going on and have printed something."""

    def __init__(self, run_dir: Path) -> None:
        self._dir = run_dir
        self._sinks: Dict[Tuple[str, int], Sink] = {}
        self._closed = False

    def sink(self, task: str, attempt: int) -> Sink:
        """Where this attempt's output goes."""
        key = (task, attempt)
        found = self._sinks.get(key)
        if found is not None:
            return found
        new = Sink(output_file(self._dir, task, attempt), late=self._closed)
        return new if self._closed else self._sinks.setdefault(key, new)

    def found(self, task: str, attempt: int) -> Optional[Sink]:
        """The sink of an attempt, if it has printed anything so far."""
        return self._sinks.get((task, attempt)) if self._sinks else None

    def end(self, task: str, attempt: int) -> Optional[Sink]:
        """The attempt has ended; its sink, if it has printed anything."""
        sink = self._sinks.pop((task, attempt), None) if self._sinks else None
        if sink is not None:
            sink.close()
        return sink

    def flush(self) -> None:
        """Write what waits for the end of its line: somebody wants to read."""
        for sink in list(self._sinks.values()):
            sink.flush()

    def close(self) -> None:
        """The run is over; what is left behind of it may print on."""
        self._closed = True
        for task, attempt in list(self._sinks):
            self.end(task, attempt)


# ---- reading


def output_file(run_dir: Union[str, os.PathLike[str]], task: str, attempt: int) -> Path:
    """Where the output of that attempt is, if it had any."""
    return Path(run_dir) / FOLDER / ("%s-%d.log" % (hashed_name(task), attempt))


def read_output(run_dir: Union[str, os.PathLike[str]], task: str, attempt: int) -> str:
    """All that is kept of what the attempt printed; "" where it printed nothing. Bytes that are no UTF-8 are replaced.

    Raises OSError where there is something that cannot be read.
    """
    return _read(output_file(run_dir, task, attempt), LIMIT + len(MARK))[0]


def tail_output(run_dir: Union[str, os.PathLike[str]], task: str, attempt: int, limit: int) -> str:
    """The last lines of that, at most `limit` bytes, with a mark in the place of those before; never raises."""
    try:
        text, left_out = _read(output_file(run_dir, task, attempt), limit)
    except OSError as exc:
        return "[flowdsl: the output cannot be read: %s]\n" % (exc.strerror or exc)
    if not left_out:
        return text
    head, newline, rest = text.partition("\n")
    return "[flowdsl: %s bytes before this are left out]\n%s" % (format(left_out, ","), rest if newline else head)


def _read(path: Path, limit: int) -> Tuple[str, int]:
    """The last `limit` bytes of the file as text, and how many are before them."""
    if not path.is_file():  # nor is a pipe opened, for which one would wait
        return "", 0
    with path.open("rb") as file:
        size: Any = file.seek(0, os.SEEK_END)
        before = max(0, size - limit)
        file.seek(before)
        return file.read(limit).decode("utf-8", "replace"), before


def lost_mark(fault: str) -> str:
    """What stands at the end of an output that could not be written as a whole."""
    return "\n[flowdsl: some of the output could not be written: %s]\n" % fault
