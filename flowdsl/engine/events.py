"""What goes into the machine, what comes out of it: inputs, events (facts, past tense) and effects (orders).

All are NamedTuples: immutable, and a quarter of the cost of a frozen dataclass on the hot path. They carry
names and numbers only, never functions or values, so that a journal can be replayed without user code.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional, Sequence, Tuple

# The facts. A task's life: task_added, task_ready, attempt_started, one of attempt_*, and so on round a retry.
# That of a mapped task: task_added, task_ready, task_expanded (then its items join), one of task_*.
RUN_STARTED = "run_started"
RUN_ENDED = "run_ended"
TASK_ADDED = "task_added"
TASK_READY = "task_ready"
TASK_GIVEN = "task_given"
TASK_REUSED = "task_reused"
TASK_EXPANDED = "task_expanded"  # detail: {"size": how many items}
TASK_SUCCEEDED = "task_succeeded"
TASK_SKIPPED = "task_skipped"
TASK_FAILED = "task_failed"
TASK_UPSTREAM_FAILED = "task_upstream_failed"
TASK_CANCELLED = "task_cancelled"
TASK_INTERRUPTED = "task_interrupted"
ATTEMPT_STARTED = "attempt_started"
ATTEMPT_SUCCEEDED = "attempt_succeeded"
ATTEMPT_FAILED = "attempt_failed"
ATTEMPT_TIMED_OUT = "attempt_timed_out"
ATTEMPT_SKIPPED = "attempt_skipped"
ATTEMPT_CANCELLED = "attempt_cancelled"
ATTEMPT_REQUEUED = "attempt_requeued"
ATTEMPT_PROGRESSED = "attempt_progressed"  # the task said how far it is; no state changes
ATTEMPT_RELEASED = "attempt_released"  # a thread that had been abandoned came to its end; no state changes

# The state in which each of these leaves its attempt.
ATTEMPT_STATE: Mapping[str, str] = {
    ATTEMPT_STARTED: "running",
    ATTEMPT_SUCCEEDED: "succeeded",
    ATTEMPT_FAILED: "failed",
    ATTEMPT_TIMED_OUT: "timed_out",
    ATTEMPT_SKIPPED: "skipped",
    ATTEMPT_CANCELLED: "cancelled",
}


class Event(NamedTuple):
    """A fact about a task (or, with an empty `task`, about the run)."""

    event: str
    task: str
    attempt: int  # 0 where no attempt is concerned
    before: str  # the task's state before; equal to `state` where nothing changed
    state: str  # the task's (run's) state after
    cause: str  # why the task changed: a key of states.CAUSES
    cause_task: str = ""  # the guilty task, if it is another one
    attempt_cause: str = ""  # why the attempt ended, where that differs from `cause` (cause "retry")
    mechanism: str = ""  # how the attempt was ended from outside: a key of states.MECHANISMS
    detail: Optional[Mapping[str, Any]] = None  # what the driver or the worker has to say; the machine never looks


class Batch(NamedTuple):
    """Events that became durable together."""

    seq: int  # of the first event; the others follow by one
    at: float  # seconds since the epoch, UTC: wall clock at the run's start plus monotonic time
    events: Tuple[Event, ...]


# ---- inputs


class Start(NamedTuple):
    """The run begins."""

    detail: Optional[Mapping[str, Any]] = None


class Add(NamedTuple):
    """Tasks join the run; what they depend on is there already or comes with them, earlier in the order."""

    nodes: Tuple[Any, ...]  # of policy.Node


class Seal(NamedTuple):
    """No more tasks will come: the run ends when all have ended."""


class Claim(NamedTuple):
    """A worker is free: which attempt should go next?"""

    kinds: Optional[Tuple[str, ...]] = None  # only tasks of these executor kinds; None: any
    detail: Optional[Mapping[str, Any]] = None  # of the attempt_started event, for kinds that begin at launch
    most: int = 1  # attempts that it would take together, of a kind that replaces its workers; none with a time limit


class Begun(NamedTuple):
    """The worker began the attempt (its time limit counts from here)."""

    task: str
    attempt: int
    detail: Optional[Mapping[str, Any]] = None


class Note(NamedTuple):
    """The task says how far the attempt is."""

    task: str
    attempt: int
    detail: Mapping[str, Any]  # `progress`, 0 to 1, and `message`


class Ended(NamedTuple):
    """The attempt is over: nothing of it runs any more (but for mechanism "abandoned": it cannot be stopped)."""

    task: str
    attempt: int
    state: str  # succeeded, failed, skipped, cancelled
    cause: str  # returned, raised, verify_failed, unpicklable, worker_died, skip_raised
    retryable: bool = True  # the worker matched `retry_on` and `give_up_on`
    mechanism: str = ""
    detail: Optional[Mapping[str, Any]] = None


class Ran(NamedTuple):
    """`Begun` and `Ended` of attempts that succeeded before anybody told of their begin.

    One worker made them one after the other: each began when the one before it ended. They are of one kind.
    """

    attempts: Sequence[Tuple[str, int]]  # task, attempt
    began: float  # the first of them, in seconds since the run's start
    ends: Sequence[float]  # when each ended; `now` is the last
    detail: Optional[Mapping[str, Any]] = None  # of each, as that of `Begun`
    said: Sequence[Optional[Mapping[str, Any]]] = ()  # one each, as those of `Ended`; empty: nothing was said


class Lost(NamedTuple):
    """The worker died before it began the attempt: no attempt is charged."""

    task: str
    attempt: int


class Returned(NamedTuple):
    """The attempt has not begun and will not: a member of its batch keeps the worker, or took it with it."""

    task: str
    attempt: int


class Sized(NamedTuple):
    """The answer to an `Expand`: how many items there are; None: what is mapped over is not what it should be."""

    task: str
    size: Optional[int]
    detail: Optional[Mapping[str, Any]] = None  # of the task_failed event where there is no size


class Tick(NamedTuple):
    """Time has passed: deadlines and retry delays may be due."""


class Cancel(NamedTuple):
    """End everything."""

    cause: str = "cancel_requested"
    cause_task: str = ""


class CancelTask(NamedTuple):
    """End this task, and no other; those that wait for it are cancelled for its sake. Of a mapped task: its items."""

    task: str


# ---- effects


class Launch(NamedTuple):
    """Start this attempt."""

    task: str
    attempt: int
    kind: str


class LaunchBatch(NamedTuple):
    """Start these attempts one after the other on one worker; the answer to one `Claim`. None of them has begun."""

    attempts: Tuple[Tuple[str, int], ...]  # task, attempt
    kind: str

    def launches(self) -> Tuple[Launch, ...]:
        """The same, one by one."""
        return tuple(Launch(task, attempt, self.kind) for task, attempt in self.attempts)


class Stop(NamedTuple):
    """End this attempt by whatever means its executor has."""

    task: str
    attempt: int
    kind: str
    cause: str  # "timeout" or a cancel cause


class Expand(NamedTuple):
    """Find out how many items this mapped task has, and say so by a `Sized`."""

    task: str


class Close(NamedTuple):
    """The run has ended; nothing will come any more."""

    state: str
