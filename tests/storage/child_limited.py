"""Writes a journal until the system takes no more; prints what happened, as JSON.

Arguments: a log directory, the largest size of a file in bytes (0: no limit of our own).
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any, Dict, List

from flowdsl.engine.events import Event
from flowdsl.errors import LogWriteError
from flowdsl.storage.journal import Journal

BATCH = [Event("attempt_started", f"task {i}", 1, "ready", "running", "started") for i in range(7)]


def fill(journal: Journal) -> List[int]:
    """Append for ever; what was acknowledged is in `numbers` when the error comes."""
    numbers: List[int] = []
    try:
        while True:
            numbers += range(journal.append(BATCH, 1.8e9), journal.next_seq)
    except LogWriteError as error:
        error.numbers = numbers  # type: ignore[attr-defined]
        raise


def failure(write: Any) -> Dict[str, Any]:
    try:
        write()
    except LogWriteError as error:
        numbers = getattr(error, "numbers", [])
        return {"text": str(error), "path": error.path, "errno": error.errno, "numbers": numbers}
    raise AssertionError("nothing stopped it")


def main() -> None:
    log_dir, limit = Path(sys.argv[1]), int(sys.argv[2])
    if limit:  # Python ignores SIGXFSZ, so the write fails instead
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    journal = Journal.create(log_dir, "run")
    first = failure(lambda: fill(journal))
    size = (journal.path / "events.jsonl").stat().st_size
    second = failure(lambda: journal.append(BATCH[:1], 1.8e9))
    grown = (journal.path / "events.jsonl").stat().st_size - size
    print(json.dumps({"first": first, "second": second, "size": size, "grown": grown}))


if __name__ == "__main__":
    main()
