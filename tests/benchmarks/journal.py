"""What the journal costs: `python tests/benchmarks/journal.py [DIRECTORY]` writes and reads 100,000 events."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, List, Mapping, Optional, Sequence

from flowdsl.engine.events import Event
from flowdsl.storage.journal import Journal, read_journal

BATCHES = 33_334  # of three events: what a worker writes when it ends one task and begins the next
FSYNC_BATCHES = 300
REPEATS = 5
DETAIL = {"worker": "thread-1", "pid": 12_345}
AT = 1_795_363_829.0


def batches(count: int, detail: Optional[Mapping[str, object]]) -> List[Sequence[Event]]:
    return [
        (
            Event("attempt_succeeded", f"task_{i}", 1, "running", "succeeded", "returned", detail=detail),
            Event("task_ready", f"task_{i + 1}", 0, "pending", "ready", "dependencies_met"),
            Event("attempt_started", f"task_{i + 1}", 1, "ready", "running", "started", detail=detail),
        )
        for i in range(count)
    ]


def seconds(action: Callable[..., object], *arguments: object) -> float:
    begin = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - begin


def write(journal: Journal, events: List[Sequence[Event]]) -> None:
    append, at = journal.append, AT
    for batch in events:
        at += 0.000_1
        append(batch, at)


def bare(path: Path, events: List[Sequence[Event]], size: int) -> None:
    """The floor: the same number of writes of the same size, of bytes that are there already."""
    fd, data = os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND), b"x" * size
    for _ in events:
        os.write(fd, data)
    os.close(fd)


def measure(root: Path, name: str, detail: Optional[Mapping[str, object]]) -> None:
    events = batches(BATCHES, detail)
    total = 3 * BATCHES
    writing, floor, reading, size = [], [], [], 0
    for repeat in range(REPEATS):
        with Journal.create(root, f"{name}-{repeat}") as journal:
            writing.append(seconds(write, journal, events))
        path = journal.path / "events.jsonl"
        size = path.stat().st_size
        floor.append(seconds(bare, root / "bare", events, size // BATCHES))
        reading.append(seconds(read_journal, journal.path))
        path.unlink()
        (root / "bare").unlink()
    print(
        f"{name:12} write {statistics.median(writing) / total * 1e6:5.2f} us an event"
        f" (os.write alone {statistics.median(floor) / total * 1e6:4.2f}),"
        f" read {statistics.median(reading) * 100_000 / total:5.2f} s for 100,000, {size / total:4.0f} bytes an event"
    )


def measure_fsync(root: Path) -> None:
    events = batches(FSYNC_BATCHES, DETAIL)
    with Journal.create(root, "fsync", fsync=True) as journal:
        spent = seconds(write, journal, events)
    print(f"{'fsync=True':12} write {spent / FSYNC_BATCHES * 1e6:5.0f} us a batch of three")


def main() -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, batches of 3 events, medians of {REPEATS}")
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as root:
        measure(Path(root), "bare events", None)
        measure(Path(root), "with detail", DETAIL)
        measure_fsync(Path(root))


if __name__ == "__main__":
    main()
