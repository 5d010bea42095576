"""Orchestrators for tests: quick to retry, open, and closed at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

from flowdsl.orchestrator import TaskOrchestrator

EVENTS = (
    "taskAdded",
    "taskStart",
    "taskProgress",
    "taskRetry",
    "taskComplete",
    "taskFailed",
    "taskCancelled",
    "queueDrained",
)


def make(log_dir: Path, **options: Any) -> TaskOrchestrator:
    """Open, with handlers for `one` (gives 1), `echo` (gives its target), `fail` and `add` (sums what comes in)."""
    found = TaskOrchestrator(task_log_dir=log_dir, **{"retry_attempts": 0, "retry_delay": 0, **options})
    found.handler("one", lambda: 1)
    found.handler("echo", lambda target: target)
    found.handler("fail", fail)
    found.handler("add", lambda *parts: sum(parts))
    return found.initialize()


def fail(target: Any) -> None:
    raise ValueError("no %s" % target)


def hear(orchestrator: TaskOrchestrator) -> List[Tuple[str, Dict[str, Any]]]:
    """A list that fills with all events and their payloads."""
    heard: List[Tuple[str, Dict[str, Any]]] = []
    for name in EVENTS:
        orchestrator.on(name, lambda payload, name=name: heard.append((name, payload)))
    return heard


def status(orchestrator: TaskOrchestrator, task_id: str) -> str:
    return str(orchestrator.get_task_status(task_id)["status"])


def statuses(orchestrator: TaskOrchestrator) -> Dict[str, str]:
    frame = orchestrator.queue()
    return dict(zip(frame["taskId"], frame["status"]))


class Unwalked(Dict[str, Any]):
    """A dict that can be asked, but not walked through."""

    def __iter__(self) -> Any:
        raise AssertionError("it was walked through")

    items = keys = values = __iter__  # type: ignore[assignment]
