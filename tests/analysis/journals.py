"""Small journals made by hand for the tests of frames: a run in which much happens, and the tools to make more."""

from __future__ import annotations

from typing import Any, List, Optional

from flowdsl.engine.events import Batch, Event

START = 1_700_000_000.0  # 2023-11-14T22:13:20Z


def run_started(run_id: str = "r1", flow: str = "etl", **detail: Any) -> Event:
    return Event("run_started", "", 0, "", "running", "started", detail={"run_id": run_id, "flow": flow, **detail})


def run_ended(state: str = "succeeded", cause: str = "all_done", cause_task: str = "") -> Event:
    return Event("run_ended", "", 0, "running", state, cause, cause_task)


def added(task: str, *upstream: str) -> Event:
    return Event("task_added", task, 0, "", "pending", "added", detail={"upstream": upstream} if upstream else None)


def ready(task: str, before: str = "pending", cause: str = "dependencies_met") -> Event:
    return Event("task_ready", task, 0, before, "ready", cause)


def started(task: str, attempt: int = 1, worker: Optional[str] = "thread-1", **detail: Any) -> Event:
    return Event(
        "attempt_started", task, attempt, "ready", "running", "started", detail={"worker": worker, "pid": 77, **detail}
    )


def succeeded(task: str, attempt: int = 1, **detail: Any) -> Event:
    return Event("attempt_succeeded", task, attempt, "running", "succeeded", "returned", detail=detail or None)


def failed(task: str, attempt: int = 1, **detail: Any) -> Event:
    return Event("attempt_failed", task, attempt, "running", "failed", "raised", detail=detail or None)


def retried(task: str, attempt: int = 1, **detail: Any) -> Event:
    return Event("attempt_failed", task, attempt, "running", "retry_wait", "retry", "", "raised", detail=detail or None)


def timed_out(task: str, attempt: int = 1) -> Event:
    return Event("attempt_timed_out", task, attempt, "running", "timed_out", "timeout", mechanism="abandoned")


def batches(*moments: Any) -> List[Batch]:
    """Batches from (seconds after START, event, event...) tuples; `seq` counts on."""
    made, seq = [], 0
    for after, *events in moments:
        made.append(Batch(seq, START + after, tuple(events)))
        seq += len(events)
    return made


def eventful(run_id: str = "r1") -> List[Batch]:
    """flights -> clean -> report, and slow: clean fails once and is retried, slow times out, report waits in vain."""
    guilty = Event("task_upstream_failed", "report", 0, "pending", "upstream_failed", "upstream_failed", "slow")
    return batches(
        (0.0, run_started(run_id), added("flights"), added("clean", "flights"), added("slow"),
         added("report", "clean", "slow"), ready("flights"), ready("slow")),
        (0.5, started("flights")),
        (0.75, started("slow", worker="thread-2")),
        (2.5, succeeded("flights", cpu_s=1.5, output_bytes=12), ready("clean")),
        (2.75, started("clean")),
        (3.75, retried("clean", error="boom", error_type="ValueError", retry_at=4.75)),
        (4.75, ready("clean", "retry_wait", "delay_over")),
        (5.0, started("clean", 2, worker="thread-3")),
        (5.25, timed_out("slow"), guilty),
        (8.0, succeeded("clean", 2)),
        (8.25, run_ended("failed", "tasks_failed", "slow")),
    )  # fmt: skip
