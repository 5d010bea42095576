"""A process that executes tasks which never end, says so, and tells how its execution ended."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from flowdsl.orchestrator import TaskOrchestrator

HOW = ("execute_task", "execute_with_dependencies", "execute_all")


def main(log_dir: str, how: str, isolation: str) -> None:
    orchestrator = TaskOrchestrator(task_log_dir=log_dir, retry_attempts=0, isolation=isolation).initialize()
    orchestrator.handler("make", lambda: {"made": 1}, isolation="thread")
    orchestrator.handler("hang", hang)
    orchestrator.add_task(action="make")
    orchestrator.add_task(action="hang", dependencies=["make"])
    orchestrator.add_task(action="hang", dependencies=["task_002"], task_id="later")
    orchestrator.execute_task("task_001")
    threading.Thread(target=say_when_it_runs, args=(orchestrator,), daemon=True).start()
    target = {"execute_all": (), "execute_task": ("task_002",), "execute_with_dependencies": ("later",)}[how]
    try:
        getattr(orchestrator, how)(*target)
    except KeyboardInterrupt:
        print("KeyboardInterrupt", orchestrator.get_task_status("task_002")["status"], flush=True)
    print(orchestrator.execute_task("task_001"), flush=True)
    time.sleep(1000)  # the orchestrator is open: its lock is the next signal's business


def hang(context: Any) -> None:
    context.progress(30, str(os.getpid()))
    context.sleep(1000)


def say_when_it_runs(orchestrator: TaskOrchestrator) -> None:
    while orchestrator.get_task_status("task_002")["progress"] != 30:
        time.sleep(0.01)
    print(orchestrator.get_task_status("task_002")["message"], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
