"""The journal of a run: the one writer of `<log_dir>/<run_id>/events.jsonl`.

What `append` has returned for survives the death of the process; with `fsync=True` a loss of power too. The
directory is locked while the journal is open. A journal that could not write one line writes no other: the
line that was cut off is sealed with a newline by the next writer, `Journal.resume`, never truncated.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Type, Union

from flowdsl.engine.events import Event
from flowdsl.errors import LogWriteError
from flowdsl.storage.line import format_lines
from flowdsl.storage.lock import Lock, forget_after_fork
from flowdsl.storage.names import file_name
from flowdsl.storage.reading import FILE, Damage, Log, read_journal, run_dirs
from flowdsl.storage.spill import spill
from flowdsl.storage.times import moment_text

__all__ = ["Damage", "Journal", "Log", "read_journal", "run_dirs"]

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_HINTS: Mapping[Optional[int], str] = {
    errno.ENOSPC: "make room on that disk, or give another log_dir",
    errno.EDQUOT: "make room within the quota, or give another log_dir",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), or give another log_dir",
    errno.EEXIST: "that run is there already; Journal.resume goes on with it",
    errno.ENOTDIR: "a part of that path is a file; give another log_dir",
}


class Journal:
    """The open journal of one run; `path` is its directory. One thread at a time may use it.

    Made by `create` (a new run) or `resume` (a run that is there); `close()` gives the directory free.
    """

    def __init__(self, path: Path, lock: Lock, *, seq: int = 0, fsync: bool = False) -> None:
        self.path = path
        self.fsync = fsync
        self._lock = lock
        self._seq = seq
        self._whole = True  # False from the begin of a write until it has succeeded
        self._fd = os.open(str(path / FILE), _FLAGS, 0o600)
        forget_after_fork(self)

    @classmethod
    def create(
        cls: Type[Journal], log_dir: Union[str, "os.PathLike[str]"], run_id: str, *, fsync: bool = False
    ) -> Journal:
        """A journal for a new run, its directory made and locked.

        Raises LogWriteError where that cannot be done, LogLocked where another process writes that run.
        """
        path = Path(log_dir) / file_name(run_id)
        try:
            path.parent.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise _write_error(path, exc) from exc
        return cls._open(path, fsync=fsync, new=True)

    @classmethod
    def resume(cls: Type[Journal], run_dir: Union[str, "os.PathLike[str]"], *, fsync: bool = False) -> Journal:
        """The journal of a run that is there: locked, a line that was cut off sealed, ready for the next event.

        Raises as `create` does.
        """
        return cls._open(Path(run_dir), fsync=fsync, new=False)

    @classmethod
    def _open(cls: Type[Journal], path: Path, *, fsync: bool, new: bool) -> Journal:
        try:
            lock = Lock(path)
            try:
                seq = 0 if new else _next_seq(path)
                journal = cls(path, lock, seq=seq, fsync=fsync)
            except BaseException:
                lock.release()
                raise
        except OSError as exc:
            raise _write_error(path, exc) from exc
        try:
            journal._begin(new)
        except BaseException:
            journal.close()
            raise
        return journal

    def _begin(self, new: bool) -> None:
        try:
            size = os.fstat(self._fd).st_size
            if new and size:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            if size and _last_byte(self.path / FILE) != b"\n":
                self._write(b"\n")
            if self.fsync:
                _sync_directory(self.path)
                _sync_directory(self.path.parent)
        except OSError as exc:
            raise _write_error(self.path / FILE, exc) from exc

    @property
    def next_seq(self) -> int:
        """The number that the next event will have."""
        return self._seq

    def append(self, events: Sequence[Event], at: float) -> int:
        """Write the events, one line each, all with the moment `at` (seconds since the epoch); the seq of the first.

        They are durable when this returns. LogWriteError where they are not; the journal then takes no more.
        """
        if self._fd < 0 or not self._whole:
            raise _unusable(self.path / FILE, self._fd < 0)
        first = self._seq
        try:
            data = format_lines(events, first, moment_text(at), self._spill)
            self._seq = first + len(events)  # before the write: a number is never given twice
            self._whole = False
            self._write(data)
            self._whole = True
        except OSError as exc:
            self._whole = False
            raise _write_error(self.path / FILE, exc) from exc
        return first

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        while written < len(data):  # a full disk takes a part, and says no to the rest
            more = os.write(self._fd, data[written:])
            if not more:
                raise OSError(errno.EIO, "the file takes no more bytes")
            written += more
        if self.fsync:
            os.fsync(self._fd)

    def _spill(self, seq: int, text: bytes) -> Mapping[str, Any]:
        where = spill(self.path, seq, text, self.fsync)
        if self.fsync:
            _sync_directory((self.path / where["file"]).parent)
        return where

    def close(self) -> None:
        """Let the directory go. Twice does no harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
            self._lock.release()

    def forget(self) -> None:
        """In a forked child: the journal stays the parent's."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            self.close()


def _next_seq(run_dir: Path) -> int:
    batches = read_journal(run_dir).batches
    return batches[-1].seq + len(batches[-1].events) if batches else 0


def _last_byte(path: Path) -> bytes:
    with open(str(path), "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1)


def _sync_directory(path: Path) -> None:
    """Make the names in a directory durable; Windows has no such thing."""
    if os.name == "posix":
        fd = os.open(str(path), os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _write_error(path: Path, exc: OSError) -> LogWriteError:
    why = exc.strerror or str(exc)
    hint = _HINTS.get(exc.errno, "give a log_dir that can be written")
    return LogWriteError("cannot write %s: %s; %s" % (path, why, hint), path=str(path), errno=exc.errno)


def _unusable(path: Path, closed: bool) -> LogWriteError:
    why = "is closed" if closed else "takes no more: an earlier write failed"
    return LogWriteError("the journal %s %s" % (path, why), path=str(path), errno=errno.EBADF if closed else errno.EIO)
