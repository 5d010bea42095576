"""What failed in a run, and why: the tasks that failed themselves, not those that only waited for them."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from flowdsl.engine.snapshot import Snapshot, TaskRow
from flowdsl.engine.states import FAILED_ITSELF

__all__ = ["Failure", "failures"]


class Failure(NamedTuple):
    """A task that failed or timed out for good."""

    task: str
    state: str  # failed or timed_out
    cause: str  # a key of states.CAUSES
    attempts: int  # how many were begun
    error_type: Optional[str]  # the class of the exception, where there was one
    error: Optional[str]  # its text
    traceback: Optional[str]  # the user's own, as text
    exception: Optional[BaseException] = None  # only in the process that ran the task

    def __str__(self) -> str:
        what = ": ".join(text for text in (self.error_type, self.error) if text)
        tries = "" if self.attempts < 2 else f" after {self.attempts} attempts"
        return f"task {self.task!r} {self.state}{tries} ({self.cause})" + (f": {what}" if what else "")

    def __repr__(self) -> str:
        line = " ".join(str(self).split())
        return f"<Failure: {''.join(char for char in line if char.isprintable())}>"


def failures(snapshot: Snapshot) -> Tuple[Failure, ...]:
    """The failures of a run so far, in the order in which the tasks ended; of a mapped task its items that failed."""
    failed = [row for row in list(snapshot.tasks.values()) if row.state in FAILED_ITSELF]
    failed = [row for row in failed if row.cause != "items_failed"]
    return tuple(_failure(row) for row in sorted(failed, key=lambda row: row.ended_at or 0.0))


def _failure(row: TaskRow) -> Failure:
    latest = row.latest
    error_type, traceback = (None, None) if latest is None else (latest.error_type, latest.traceback)
    return Failure(row.name, row.state, row.cause, row.attempts, error_type, row.error, traceback)
