"""What the states of a task mean, in a sentence each."""

from __future__ import annotations

from typing import Mapping

__all__ = ["STATES"]

STATES: Mapping[str, str] = {
    "pending": "waits for its dependencies",
    "ready": "may start, and waits for a worker or for a limit",
    "running": "an attempt is going on",
    "retry_wait": "an attempt did not succeed, and the next one is due after a wait",
    "succeeded": "returned a result, or was given one",
    "reused": "a stored result stood in for it",
    "failed": "its last attempt raised, was refused by its verification, or lost its worker",
    "timed_out": "its last attempt took longer than its timeout",
    "skipped": "had nothing to do, or comes after a task that was skipped",
    "upstream_failed": "did not run, because a task that it depends on failed",
    "cancelled": "did not run, or was stopped, because the run was to end",
    "interrupted": "was left open by a process that died",
}
