"""A process that adds tasks and compacts the journal of the queue, and is killed at a given point of that."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from flowdsl.orchestrator import TaskOrchestrator
from flowdsl.storage import rewriting

POINTS = ("half of the draft is written", "before it takes the place", "when it has taken the place")


def main(log_dir: str, point: str) -> None:
    orchestrator = TaskOrchestrator(task_log_dir=log_dir).initialize()
    orchestrator.handler("one", lambda: 1)
    for number in range(20):
        print(orchestrator.add_task(action="one", target=number), flush=True)
        orchestrator.update_task_state("task_001", {"status": "in-progress", "progress": number})
    die_at(point, Path(log_dir) / "orchestrator" / rewriting.DRAFT)
    orchestrator._parts.book.compact()


def die_at(point: str, draft: Path) -> None:
    replace, lines = Path.replace, rewriting.format_lines

    def half(*args: Any) -> bytes:
        data = lines(*args)
        draft.write_bytes(data[: len(data) // 2])
        die()
        return data

    def dying(self: Path, target: Any) -> Any:
        if point == POINTS[2]:
            replace(self, target)
        die()

    if point == POINTS[0]:
        rewriting.format_lines = half  # type: ignore[attr-defined]
    else:
        Path.replace = dying  # type: ignore[assignment]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
