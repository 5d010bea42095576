"""Forks writers and kills each with SIGKILL at a random moment; prints what they had acknowledged, as JSON.

Arguments: a log directory, how many kills, a seed. Each run directory sees five writers, one after the other.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path
from typing import List

from flowdsl.engine.events import Event
from flowdsl.storage.journal import Journal

LIVES = 5
LONG = "x" * 3_000  # batches of several pages, so that a kill can strike in the middle of a write
TEXTS = [{"message": LONG[:length]} for length in (1, 1_000, 3_000)]


def write_for_ever(run_dir: Path, acknowledge: int, chance: random.Random) -> None:
    """Append and acknowledge until the kill comes."""
    new = not (run_dir / "events.jsonl").exists()
    journal = Journal.create(run_dir.parent, run_dir.name) if new else Journal.resume(run_dir)
    while True:
        count = chance.randint(1, 8)
        detail = chance.choice(TEXTS)
        task = str(journal.next_seq)
        events = [Event("attempt_started", task, 1, "ready", "running", "started", detail=detail)] * count
        first = journal.append(events, 1.8e9)
        os.write(acknowledge, struct.pack("=qq", first, count))


def one_life(run_dir: Path, chance: random.Random) -> List[int]:
    """The numbers that a writer acknowledged before it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            write_for_ever(run_dir, writing, chance)
        finally:
            os._exit(1)
    os.close(writing)
    first = os.read(reading, 16)  # it is under way
    time.sleep(chance.random() * 0.006)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    with os.fdopen(reading, "rb") as rest:
        acknowledged = first + rest.read()
    return [first + i for first, count in struct.iter_unpack("=qq", acknowledged) for i in range(count)]


def main() -> None:
    log_dir, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)
    acknowledged = {}
    for life in range(kills):
        name = f"run{life // LIVES}"
        acknowledged.setdefault(name, []).extend(one_life(log_dir / name, chance))
    print(json.dumps(acknowledged))


if __name__ == "__main__":
    main()
