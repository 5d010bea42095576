"""What is known of one task of a run, and of one attempt at it: the rows that a snapshot is made of."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple

from flowdsl.engine import states as st

__all__ = ["Attempt", "TaskRow"]

NONE: Mapping[str, int] = {}


class Attempt:
    """One try of one task; `state` is one of `states.ATTEMPT_STATES`, `cause` why it is in that state."""

    __slots__ = (
        "attempt",
        "cause",
        "cpu_s",
        "ended_at",
        "error",
        "error_type",
        "mechanism",
        "output_bytes",
        "output_error",
        "pid",
        "queued_at",
        "started_at",
        "state",
        "task",
        "traceback",
        "worker",
    )

    def __init__(self, task: str, attempt: int, queued_at: Optional[float], started_at: Optional[float]) -> None:
        self.task = task
        self.attempt = attempt  # 1 for the first
        self.state = st.RUNNING
        self.cause = "started"
        self.mechanism = ""
        self.queued_at = queued_at  # when the task became ready for this attempt
        self.started_at = started_at
        self.ended_at: Optional[float] = None
        self.worker: Optional[str] = None
        self.pid: Optional[int] = None
        self.cpu_s: Optional[float] = None
        self.error_type: Optional[str] = None
        self.error: Optional[str] = None
        self.traceback: Optional[str] = None
        self.output_bytes: Optional[int] = None
        self.output_error: Optional[str] = None  # why some of it could not be written

    @property
    def duration_s(self) -> Optional[float]:
        """Seconds from the attempt's start to its end; None while it runs, or where either is not known."""
        if self.ended_at is None or self.started_at is None:
            return None
        return self.ended_at - self.started_at

    def __repr__(self) -> str:
        return f"<Attempt {self.attempt} of {self.task!r}: {self.state} ({self.cause})>"


class TaskRow:
    """One task of a run; `queued_at` and `started_at` are those of its first attempt, `ended_at` is its final end."""

    __slots__ = (
        "abandoned",
        "action",
        "attempts",
        "cause",
        "cause_task",
        "ended_at",
        "error",
        "items",
        "latest",
        "map_index",
        "map_of",
        "message",
        "name",
        "progress",
        "queued_at",
        "ready_at",
        "retry_at",
        "started_at",
        "state",
        "over",
        "priority",
        "retries",
        "size",
        "tags",
        "type",
        "upstream",
        "uses",
        "worker",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = st.PENDING
        self.cause = "added"
        self.cause_task = ""
        self.attempts = 0  # how many were begun
        self.latest: Optional[Attempt] = None  # the last one begun
        self.queued_at: Optional[float] = None  # when it first became ready
        self.ready_at: Optional[float] = None  # when it last became ready
        self.started_at: Optional[float] = None  # when its first attempt began
        self.ended_at: Optional[float] = None  # when it reached a terminal state
        self.retry_at: Optional[float] = None  # when the next attempt is due, only in `retry_wait`
        self.worker: Optional[str] = None  # of the latest attempt
        self.error: Optional[str] = None  # of the latest attempt
        self.message = ""  # why it was skipped, or what the task last said of its progress
        self.progress: Optional[float] = None  # 0 to 1
        self.abandoned = False  # a timed-out thread of this task is still going
        self.upstream: Tuple[str, ...] = ()
        self.type = "task"
        self.tags: Tuple[str, ...] = ()
        self.retries = 0  # attempts that may follow the first
        self.uses: Tuple[str, ...] = ()  # named limits
        self.priority = 0.0  # higher goes first
        self.action = ""  # the name of its function
        # a mapped task has a size and items; each item, as `delays[3]`, says whose it is
        self.size: Optional[int] = None  # how many items, once that is known
        self.items: Mapping[str, int] = NONE  # how many of them are in each state, for states that occurred
        self.over: Tuple[str, ...] = ()  # the mapped tasks whose items it takes one by one
        self.map_of = ""  # the mapped task that this is an item of
        self.map_index: Optional[int] = None

    def count(self, before: str, state: str) -> None:
        """One of its items went from one state to another; `before` is empty for one that has joined."""
        if self.items is NONE:
            self.items = {}
        items: Dict[str, int] = self.items  # type: ignore[assignment]
        if before:
            items[before] = items.get(before, 1) - 1
        items[state] = items.get(state, 0) + 1

    @property
    def duration_s(self) -> Optional[float]:
        """Seconds that its last attempt took; None while that runs, or when there was none."""
        return None if self.latest is None else self.latest.duration_s

    def __repr__(self) -> str:
        return f"<TaskRow {self.name!r}: {self.state} ({self.cause})>"
