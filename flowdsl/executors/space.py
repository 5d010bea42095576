"""The directories in which the processes of one run share large buffers; gone with the run, or with the next sweep.

In shared memory where there is any, and where that is full among the temporary files. A lock in each says whether its
run lives: what a crash has left behind is removed by the next process that makes such directories.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Iterable, List, Optional, Tuple
from weakref import WeakSet

LOCK = "lock"
SHARED_MEMORY = Path("/dev/shm")
TRIES = 5  # a sweep may take a directory away before it is locked

_swept: List[bool] = []  # not empty once this process has swept


class Space:
    """`places` are its directories, the better one first; none where none can be made."""

    def __init__(self) -> None:
        bases = list(_bases())
        if not _swept:
            _swept.append(True)
            for base in bases:
                sweep(base)
        made = [found for found in map(_make, bases) if found is not None]
        self.places: Tuple[str, ...] = tuple(place for place, _ in made)
        self._locks = [lock for _, lock in made]
        _open.add(self)

    def close(self) -> None:
        """Remove everything; what is mapped stays with those who have it. Twice does no harm."""
        places, self.places = self.places, ()
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
        self.forget()

    def forget(self) -> None:
        """Let go of the locks, for which the directories may be swept; in a forked process they are the parent's."""
        self.places = ()
        locks, self._locks = self._locks, []
        for lock in locks:
            with contextlib.suppress(OSError):
                os.close(lock)


def sweep(base: Path) -> None:
    """Remove this user's directories whose run is over; those of others cannot be removed."""
    for found in base.glob(_prefix() + "*"):
        with contextlib.suppress(OSError):
            if found.is_symlink() or found.stat().st_uid != os.getuid():
                continue
            lock = _lock(found)
            if lock is not None:
                shutil.rmtree(str(found), ignore_errors=True)
                os.close(lock)


def _bases() -> Iterable[Path]:
    if os.access(str(SHARED_MEMORY), os.W_OK):
        yield SHARED_MEMORY
    yield Path(tempfile.gettempdir())


def _prefix() -> str:
    return "flowdsl-%d-" % os.getuid()


def _make(base: Path) -> Optional[Tuple[str, int]]:
    """A new directory there, for this user alone, and its lock, held."""
    with contextlib.suppress(OSError):
        for _ in range(TRIES):
            place = tempfile.mkdtemp(prefix="%s%d-" % (_prefix(), os.getpid()), dir=str(base))
            with contextlib.suppress(OSError):
                lock = _lock(Path(place))
                if lock is not None:
                    return place, lock
    return None


def _lock(place: Path) -> Optional[int]:
    """The lock of a directory, None where somebody else has it or has taken the directory away."""
    fd = os.open(str(place / LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:
            return fd
    except OSError:
        pass
    os.close(fd)
    return None


# ---- at the end of this process, and in one that was forked from it

_open: WeakSet[Space] = WeakSet()


def _close_all() -> None:
    for space in list(_open):
        space.close()


def _forget_all() -> None:
    for space in list(_open):
        space.forget()
    _open.clear()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
