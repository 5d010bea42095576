"""Functions for tasks that share arrays; workers import this, so it is light."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, Set

import numpy as np

SIZE = 1_000_000  # numbers


def mapped(*addresses: int) -> Set[str]:
    """The files that lie in memory at these addresses."""
    found = set()
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, *rest = line.split(maxsplit=5)
        start, end = (int(number, 16) for number in place.split("-"))
        if any(start <= address < end for address in addresses):
            found.add(rest[-1] if len(rest) == 5 else "")
    return found


def numbers() -> Any:
    return np.arange(SIZE, dtype="f8")


def look(array: Any) -> Any:
    return mapped(array.ctypes.data), bool(array.flags.writeable), float(array.sum())


def count_files(pid: int) -> int:
    """How many files with buffers the runs of this process have now."""
    bases = {"/dev/shm", tempfile.gettempdir()}
    return sum(path.name != "lock" for base in bases for path in Path(base).glob("flowdsl-*-%d-*/*" % pid))


def few_files(pid: int, most: int) -> int:
    """How many they are as soon as they are not more than that; else at the end of our patience.

    Who launches a task lets go of what came before just then, or a moment later.
    """
    end = time.monotonic() + 10
    while count_files(pid) > most and time.monotonic() < end:
        time.sleep(0.01)
    return count_files(pid)
