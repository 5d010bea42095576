"""An independent look, by psutil and the file system, at what a test has left behind."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, List, Set

import psutil

PATIENCE = 6.0  # seconds for what is on its way out


def descendants() -> Set[int]:
    """The process ids of everything below this process."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def descriptors() -> Set[str]:
    """What this process has open, as far as the system shows it."""
    folder = Path("/proc/self/fd")
    found = set()
    for entry in folder.iterdir() if folder.is_dir() else ():
        try:
            found.add("%s -> %s" % (entry.name, os.readlink(str(entry))))
        except OSError:  # the one that the listing itself had open
            continue
    return found


def shared_files() -> Set[str]:
    """What this process has in shared memory and among the temporary files, each directory with what is in it."""
    found = set()
    for base in {"/dev/shm", tempfile.gettempdir()}:
        for path in Path(base).glob("flowdsl-*-%d-*" % os.getpid()):
            found |= {str(path), *map(str, path.rglob("*"))}
    return found


def locks() -> Set[str]:
    """The file locks that this process holds, as far as the system shows them."""
    table = Path("/proc/locks")
    lines = [line.split() for line in (table.read_text().splitlines() if table.exists() else ())]
    return {"lock on %s" % line[-3] for line in lines if str(os.getpid()) in line}


def running(word: str) -> List[str]:
    """Command lines with this word among their arguments, on the whole machine; zombies have none."""
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [" ".join(line) for line in lines if word in line]


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is not only waiting to be buried."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(done: Callable[[], Any], seconds: float = PATIENCE) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Before:
    """What there was before a test; `left` is what has come since."""

    def __init__(self) -> None:
        self._descendants = descendants()
        self._descriptors = descriptors()
        self._threads = set(threading.enumerate())
        self._files = shared_files()
        self._locks = locks()

    def left(self) -> List[str]:
        """Processes, threads, file descriptors, shared files and locks that stay; what is on its way out gets time."""
        wait_until(lambda: not self._now())
        return self._now()

    def _now(self) -> List[str]:
        gc.collect()
        found = ["process %d" % pid for pid in descendants() - self._descendants]
        threads = {one for one in threading.enumerate() if not one.name.startswith("pytest_timeout")}
        found += ["thread %s" % thread.name for thread in threads - self._threads]
        found += sorted(shared_files() - self._files) + sorted(locks() - self._locks)
        return found + sorted(descriptors() - self._descriptors)
