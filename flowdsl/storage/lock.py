"""The lock of a directory: who may write there; it dies with the process that holds it, and readers never wait for it.

A file `lock` beside the data holds the pid of its holder. The lock is the operating system's (`flock`, on
Windows `msvcrt.locking`), so what counts is whether it is held, never whether a process of that pid exists.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, Optional
from weakref import WeakSet

from flowdsl.errors import LogLocked

FILE = "lock"
UNKNOWN_PID = -1  # held, and the holder has not yet written who it is
_TRIES = 5  # a reader that looks at the lock holds it for some microseconds
_PAUSE = 0.01

if sys.platform == "win32":
    import msvcrt

    _BYTE = 1 << 30  # a locked byte cannot be read there, so it lies far behind the pid

    def _lock(fd: int, shared: bool = False) -> None:
        os.lseek(fd, _BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

    def _unlock(fd: int) -> None:
        os.lseek(fd, _BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(fd: int, shared: bool = False) -> None:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)


class Lock:
    """The right to write in `directory`, held from construction to `release()` or the end of the process.

    Raises LogLocked where another holds it, OSError where no lock can be made.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self._fd = os.open(str(self.path), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._take()
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, b"%d\n" % os.getpid())
        except BaseException:
            os.close(self._fd)
            raise
        forget_after_fork(self)

    def _take(self) -> None:
        for _ in range(_TRIES - 1):
            try:
                return _lock(self._fd)
            except (BlockingIOError, PermissionError):
                time.sleep(_PAUSE)
        try:
            _lock(self._fd)
        except (BlockingIOError, PermissionError) as exc:
            raise _locked(self.path) from exc

    def release(self) -> None:
        """Let others write. Twice does no harm."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            os.ftruncate(fd, 0)
            _unlock(fd)
        finally:
            os.close(fd)

    def forget(self) -> None:
        """In a forked child: close the copy. The lock itself stays with the parent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _locked(path: Path) -> LogLocked:
    pid = _written_pid(path)
    who = "another process" if pid == UNKNOWN_PID else f"pid {pid}"
    itself = " (this process)" if pid == os.getpid() else ""
    text = f"{path.parent} is locked by {who}{itself}, which writes there; wait for its end, or give another log_dir"
    return LogLocked(text, path=str(path.parent), pid=None if pid == UNKNOWN_PID else pid)


def _written_pid(path: Path) -> int:
    try:
        return int(path.read_bytes()[:20])
    except (OSError, ValueError):
        return UNKNOWN_PID


def locked_by(directory: Path) -> Optional[int]:
    """The pid of the living process that writes in `directory`, None where there is none.

    It is -1 (UNKNOWN_PID) where the lock is held and the holder's pid cannot be read.
    """
    path = directory / FILE
    try:
        fd = os.open(str(path), os.O_RDONLY)
    except OSError:
        return None
    try:
        _lock(fd, shared=True)
        _unlock(fd)
    except (BlockingIOError, PermissionError):
        return _written_pid(path)
    except OSError:  # a file system without locks: nobody can hold one
        return None
    finally:
        os.close(fd)
    return None


# ---- A forked child inherits open files, and with them the lock, which would outlive its holder: the child forgets.

_to_forget: WeakSet[Any] = WeakSet()


def forget_after_fork(holder: Any) -> None:
    """Have `holder.forget()` called in every child that is forked from now on."""
    _to_forget.add(holder)


def _forget() -> None:
    for holder in list(_to_forget):
        holder.forget()
    _to_forget.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
