"""What the tests of the storage write and run: events, and children that are allowed to die."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Tuple

from flowdsl.engine.events import Event
from flowdsl.storage.journal import Journal, Log

AT = 1_795_363_829.123456  # 2026-11-22T16:10:29.123456Z
HERE = Path(__file__).parent


def started(task: str = "clean", attempt: int = 1, **more: Any) -> Event:
    return Event("attempt_started", task, attempt, "ready", "running", "started", **more)


def succeeded(task: str = "clean", attempt: int = 1, **more: Any) -> Event:
    return Event("attempt_succeeded", task, attempt, "running", "succeeded", "returned", **more)


def added(task: str = "clean", **more: Any) -> Event:
    return Event("task_added", task, 0, "", "pending", "added", **more)


def write(log_dir: Path, *batches: List[Event], run_id: str = "run") -> Path:
    """A closed journal with these batches, a second apart; its directory."""
    with Journal.create(log_dir, run_id) as journal:
        for index, events in enumerate(batches):
            journal.append(events, AT + index)
    return journal.path


def lines_of(run_dir: Path) -> List[bytes]:
    return (run_dir / "events.jsonl").read_bytes().split(b"\n")[:-1]


def events_of(log: Log) -> List[Tuple[int, Event]]:
    return [(batch.seq + i, event) for batch in log.batches for i, event in enumerate(batch.events)]


def child(script: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """A fresh interpreter that runs `script`, a file beside this one, with the same import path as the tests."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True, **options
    )


def answer_of(script: str, *arguments: object) -> str:
    """What the child printed; it must end well."""
    process = child(script, *arguments)
    answer, _ = process.communicate()
    assert process.returncode == 0, f"{script} ended with {process.returncode}"
    return answer
