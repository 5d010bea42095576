"""The journal of a run: the one writer of `<log_dir>/<run_id>/events.jsonl`.

What `append` has returned for survives the death of the process; with `fsync=True` a loss of power too. The
directory is locked while the journal is open. A journal that could not write one line writes no other: the
line that was cut off is sealed with a newline by the next writer, `Journal.resume`, never truncated.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Type, Union

from flowdsl.engine.events import Event
from flowdsl.storage.detail import spill
from flowdsl.storage.failure import refusal, write_error
from flowdsl.storage.line import detail_part, format_lines
from flowdsl.storage.lock import Lock, forget_after_fork
from flowdsl.storage.names import file_name
from flowdsl.storage.reading import FILE, Damage, Log, next_seq, read_journal, run_dirs
from flowdsl.storage.rewriting import rewritten

__all__ = ["Damage", "Journal", "Log", "read_journal", "run_dirs"]

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Journal:
    """The open journal of one run; `path` is its directory. One thread at a time may use it.

    Made by `create` (a new run) or `resume` (a run that is there); `close()` gives the directory free.
    """

    def __init__(self, path: Path, lock: Lock, *, fsync: bool) -> None:
        self.path = path
        self._lock = lock
        self.fsync = fsync
        self._fd = -1
        self._seq = 0
        self._kept: List[Mapping[str, Any]] = []  # so that no other object gets their ids
        self._fixed: Dict[int, str] = {}
        self._whole = True  # False from the begin of a write until all of it is written
        forget_after_fork(self)

    @classmethod
    def create(
        cls: Type[Journal], log_dir: Union[str, os.PathLike[str]], run_id: str, *, fsync: bool = False
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
            raise write_error(path, exc) from exc
        return cls._open(path, new=True, fsync=fsync)

    @classmethod
    def resume(cls: Type[Journal], run_dir: Union[str, os.PathLike[str]], *, fsync: bool = False) -> Journal:
        """The journal of a run that is there: locked, a line that was cut off sealed, ready for the next event.

        Raises as `create` does.
        """
        return cls._open(Path(run_dir), new=False, fsync=fsync)

    @classmethod
    def _open(cls: Type[Journal], path: Path, *, new: bool, fsync: bool) -> Journal:
        try:
            journal = cls(path, Lock(path), fsync=fsync)
            try:
                journal._begin(new)
            except BaseException:
                journal.close()
                raise
        except OSError as exc:
            raise write_error(path / FILE, exc) from exc
        return journal

    def _begin(self, new: bool) -> None:
        """Open the file: refuse one that is there, or go on with it and seal the line in which its writer stopped."""
        self._fd = os.open(str(self.path / FILE), _FLAGS if new else _FLAGS & ~os.O_CREAT, 0o600)
        size = os.lseek(self._fd, 0, os.SEEK_END)
        if new and size:
            raise refusal(errno.EEXIST, "that run is there already, and Journal.resume goes on with it")
        if size:
            self._seq = next_seq(self.path)
            self._seal()
        if self.fsync:
            _sync_directory(self.path)
            _sync_directory(self.path.parent)

    def _seal(self) -> None:
        os.lseek(self._fd, -1, os.SEEK_END)
        if os.read(self._fd, 1) != b"\n":
            self._write(b"\n")

    @property
    def next_seq(self) -> int:
        """The number that the next event will have."""
        return self._seq

    def append(self, events: Sequence[Event], at: float) -> int:
        """Write the events, one line each, all with the moment `at` (seconds since the epoch); the seq of the first.

        They are durable when this returns. LogWriteError where they are not; the journal then takes no more.
        """
        return self.append_all(((at, events),))

    def append_all(self, batches: Sequence[Tuple[float, Sequence[Event]]]) -> int:
        """Write batches of events, each with its own moment, in one write; the seq of the first event."""
        first = self._seq
        try:
            if self._fd < 0 or not self._whole:
                raise self._unusable()
            for _, events in batches:
                self._seq += len(events)  # also where they cannot be written: a number is never given twice
            text = format_lines(batches, first, self._spill, self._fixed)
            if text:
                self._write(text)
        except OSError as exc:
            self._whole = False
            raise write_error(self.path / FILE, exc) from exc
        return first

    def rewrite(self, events: Sequence[Event], at: float) -> None:
        """Have these events stand for all that was written so far, in one step; they are durable when this returns.

        A process that dies in the middle leaves the journal as it was, and so does LogWriteError.
        """
        try:
            new = rewritten(self.path, events, at)
            old, self._fd, self._seq = self._fd, new, len(events)
            os.close(old)
            _sync_directory(self.path)
        except OSError as exc:
            raise write_error(self.path / FILE, exc) from exc

    def fix(self, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        """The same detail, which from now on nobody changes: many events share it, and its text is made once."""
        self._kept.append(detail)
        self._fixed[id(detail)] = detail_part(detail, 0, self._spill)
        return detail

    def _write(self, data: bytes) -> None:
        self._whole = False
        written = os.write(self._fd, data)
        while written < len(data):  # a full disk takes a part, and says no to the rest
            more = os.write(self._fd, data[written:])
            if not more:
                raise refusal(errno.EIO, "the file takes no more bytes")
            written += more
        if self.fsync:
            os.fsync(self._fd)
        self._whole = True

    def _spill(self, seq: int, text: bytes) -> Mapping[str, Any]:
        where = spill(self.path, seq, text, self.fsync)
        if self.fsync:
            _sync_directory((self.path / where["file"]).parent)
            _sync_directory(self.path)
        return where

    def _unusable(self) -> OSError:
        if self._fd < 0:
            return refusal(errno.EBADF, "the journal is closed")
        return refusal(errno.EIO, "an earlier write failed, and nothing is written after that")

    def close(self) -> None:
        """Give the directory free. Twice does no harm."""
        fd, self._fd = self._fd, -1
        try:
            if fd >= 0:
                os.close(fd)
        except OSError as exc:  # a network file system says only here that it could not write
            raise write_error(self.path / FILE, exc) from exc
        finally:
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
        self.close()


def _sync_directory(path: Path) -> None:
    """Make the names in a directory durable; Windows has no such thing."""
    if os.name == "posix":
        fd = os.open(str(path), os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
