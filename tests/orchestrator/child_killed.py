"""A process with an orchestrator whose second task says that it has begun, and never ends; to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from flowdsl.orchestrator import TaskOrchestrator


def main(log_dir: str, seen: str) -> None:
    orchestrator = TaskOrchestrator(task_log_dir=log_dir, retry_attempts=0).initialize()
    orchestrator.handler("make", lambda: {"made": 1})
    orchestrator.handler("hang", lambda context: hang(context, seen))
    orchestrator.handler("use", lambda make: make)
    orchestrator.add_task(action="make")
    orchestrator.add_task(action="hang", dependencies=["make"])
    orchestrator.add_task(action="use", dependencies=["make", "hang"])
    orchestrator.execute_with_dependencies("task_003")


def hang(context: object, seen: str) -> None:
    context.progress(30, "in the middle")  # type: ignore[attr-defined]
    time.sleep(0.5)  # until that is written down
    Path(seen).write_text("begun")
    time.sleep(1000)


if __name__ == "__main__":
    main(*sys.argv[1:])
