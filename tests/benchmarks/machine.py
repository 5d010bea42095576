"""The machine that a benchmark runs on, as far as its numbers hang on it."""

from __future__ import annotations

import os
import platform
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from time import perf_counter
from typing import List


def facts(log_dir: str) -> str:
    """A few lines: interpreter, libraries, cores, load, disk, and what a hand-over between two threads costs now."""
    trips = round_trips(10)
    return "\n".join(
        (
            f"{platform.python_implementation()} {platform.python_version()}, flowdsl {_version('flowdsl')}, "
            f"dask {_version('dask')}, {platform.system()} {platform.release()}, {_processor()}",
            f"{os.cpu_count()} cores, load {', '.join(f'{load:.1f}' for load in os.getloadavg())}, "
            f"journals under {log_dir} ({_file_system(log_dir)})",
            f"from one thread to another and back: {median(trips):.0f} us ({min(trips):.0f} to {max(trips):.0f})",
        )
    )


def round_trips(times: int, trips: int = 1000) -> List[float]:
    """Microseconds; what the floor pays for a chain, and what differs most between machines and moments."""
    return [_round_trip(trips) for _ in range(times)]


def _round_trip(trips: int) -> float:
    there: SimpleQueue[int] = SimpleQueue()
    back: SimpleQueue[int] = SimpleQueue()

    def answer() -> None:
        for _ in range(trips):
            back.put(there.get())

    thread = threading.Thread(target=answer)
    thread.start()
    begun = perf_counter()
    for number in range(trips):
        there.put(number)
        back.get()
    took = perf_counter() - begun
    thread.join()
    return took / trips * 1e6


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _file_system(path: str) -> str:
    """The kind of the file system that holds the path: on tmpfs nothing is written to a disk."""
    import psutil

    real = os.path.realpath(path)
    mounts = [
        part
        for part in psutil.disk_partitions(all=True)
        if os.path.commonpath([real, part.mountpoint]) == part.mountpoint
    ]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"
