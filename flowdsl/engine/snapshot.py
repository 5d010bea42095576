"""The one fold of events: what is known of a run, its tasks and its attempts after any number of batches.

Pure, like all of the machine: the same code serves a live run, a finished one and one that crashed. All
times are those of the batches, in seconds since the epoch (UTC); `None` is "not yet" or "not known".
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from flowdsl.definition.counted import counted
from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.maps import item_upstream, split
from flowdsl.engine.rows import Attempt, TaskRow

__all__ = ["Attempt", "Snapshot", "TaskRow", "fold"]

# What a worker says of an attempt in an event's `detail`; each has a field of that name in `Attempt`.
_FROM_WORKER = frozenset(("worker", "pid", "cpu_s", "error_type", "error", "traceback", "output_bytes", "output_error"))


class Snapshot:
    """What is known of a run after the batches that were applied.

    `tasks` is in the order in which tasks joined the run, `attempts` in the order in which attempts began,
    `counts` says how many tasks are in each state (every state is a key), `seq` is the number of the last
    event (-1: none), `at` the time of the last batch, `info` the detail of `run_started`.
    """

    def __init__(self, run_id: str = "", flow: str = "") -> None:
        self.run_id = run_id
        self.flow = flow
        self.state = st.RUNNING
        self.cause = "started"
        self.cause_task = ""
        self.started_at: Optional[float] = None
        self.ended_at: Optional[float] = None
        self.tasks: Dict[str, TaskRow] = {}
        self.attempts: List[Attempt] = []
        self.counts: Dict[str, int] = dict.fromkeys(st.TASK_STATES, 0)
        self.seq = -1
        self.at: Optional[float] = None
        self.info: Mapping[str, Any] = {}
        self._abandoned: Set[Tuple[str, int]] = set()

    def apply(self, batch: Batch) -> None:
        """Take in one batch; batches must come in the order of their `seq`."""
        at, tasks, counts = batch.at, self.tasks, self.counts
        for event in batch.events:
            name = event.task
            if not name:
                self._apply_to_run(event, at)
                continue
            row = tasks.get(name)
            if row is None:  # also when the line that added it was damaged
                row = tasks[name] = TaskRow(name)
                counts[row.state] += 1
                if name[-1] == "]":
                    _join(tasks, row)
            state = event.state
            if row.state != state:
                counts[row.state] -= 1
                counts[state] = counts.get(state, 0) + 1  # a newer flowdsl may know other states
                if row.map_of and row.map_of in tasks:
                    tasks[row.map_of].count(row.state, state)
                row.state, row.cause, row.cause_task = state, event.cause, event.cause_task
            _HANDLERS.get(event.event, _ended)(self, row, event, at)
        self.seq = max(self.seq, batch.seq - 1) + len(batch.events)  # it grows, even where nothing could be written
        self.at = at

    def interrupted(self, at: Optional[float] = None) -> None:
        """Make `interrupted` what a dead process left open; nothing happens to a run that has ended.

        `at` becomes the end of what was open. Leave it None where nobody saw that end.
        """
        if self.state != st.RUNNING:
            return
        for row in self.tasks.values():
            if row.state in st.OPEN:
                self._interrupt(row, at)
        self._abandoned.clear()
        self.state, self.cause, self.cause_task, self.ended_at = st.INTERRUPTED, "process_died", "", at

    def _interrupt(self, row: TaskRow, at: Optional[float]) -> None:
        self.counts[row.state] -= 1
        self.counts[st.INTERRUPTED] += 1
        if row.map_of in self.tasks:
            self.tasks[row.map_of].count(row.state, st.INTERRUPTED)
        row.state, row.cause, row.cause_task = st.INTERRUPTED, "process_died", ""
        row.ended_at, row.retry_at, row.abandoned = at, None, False
        attempt = row.latest
        if attempt is not None and attempt.state == st.RUNNING:
            attempt.state, attempt.cause, attempt.ended_at = st.INTERRUPTED, "process_died", at

    def _apply_to_run(self, event: Event, at: float) -> None:
        self.state, self.cause, self.cause_task = event.state, event.cause, event.cause_task
        if event.event == ev.RUN_STARTED:
            self.started_at, self.info = at, event.detail or {}
            self.run_id = self.run_id or str(self.info.get("run_id", ""))
            self.flow = self.flow or str(self.info.get("flow", ""))
        elif event.event == ev.RUN_ENDED:
            self.ended_at = at

    def __repr__(self) -> str:
        return f"<Snapshot of run {self.run_id!r}: {self.state}, {counted(len(self.tasks), 'task')}>"


def fold(batches: Iterable[Batch], *, run_id: str = "", flow: str = "") -> Snapshot:
    """The snapshot after all of `batches`; `run_id` and `flow` go before what the first event says."""
    snapshot = Snapshot(run_id, flow)
    for batch in batches:
        snapshot.apply(batch)
    return snapshot


# ---- what each event does to the row of its task, beyond state and cause


def _added(_: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    detail = event.detail
    if detail:
        row.upstream = _names(detail.get("upstream"))
        row.tags = _names(detail.get("tags"))
        row.retries = _count(detail.get("retries"))
        row.type = detail.get("type", "task")
        row.action = detail.get("action", "")
        row.over = _names(detail.get("over"))
        row.uses = _names(detail.get("uses"))
        row.priority = _number(detail.get("priority"))


def _join(tasks: Mapping[str, TaskRow], row: TaskRow) -> None:
    """An item has what its mapped task has; of other mapped tasks it may wait for one item only."""
    name, index = split(row.name)
    whole = tasks.get(name)
    if whole is None or index is None:  # no name that flowdsl gives
        return
    row.map_of, row.map_index = whole.name, index
    row.upstream = item_upstream(whole.upstream, whole.over, index)
    row.tags, row.type, row.action, row.retries = whole.tags, whole.type, whole.action, whole.retries
    row.uses, row.priority = whole.uses, whole.priority
    whole.count("", row.state)


def _expanded(_: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    row.started_at = at
    row.size = _count(event.detail.get("size")) if event.detail else None


def _ready(_: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    row.ready_at = at
    row.retry_at = None
    if row.queued_at is None:
        row.queued_at = at


def _started(snapshot: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    attempt = row.latest = Attempt(event.task, event.attempt, row.ready_at, at)
    snapshot.attempts.append(attempt)
    row.attempts = event.attempt
    row.error = row.progress = None
    row.message = ""
    if row.started_at is None:
        row.started_at = at
    if event.detail:
        _take_detail(row, attempt, event.detail)


def _attempt_ended(snapshot: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    attempt = row.latest
    if attempt is None or attempt.attempt != event.attempt:  # the line that began it was damaged
        attempt = row.latest = Attempt(event.task, event.attempt, None, None)
        snapshot.attempts.append(attempt)
        row.attempts = event.attempt
    attempt.state = ev.ATTEMPT_STATE[event.event]
    attempt.cause = event.attempt_cause or event.cause
    attempt.ended_at = at
    if event.detail:
        _take_detail(row, attempt, event.detail)
    if event.mechanism:
        attempt.mechanism = event.mechanism
        _note_abandoned(snapshot, row, event)
    if event.state == st.RETRY_WAIT:
        row.retry_at = _epoch(snapshot, event)
    else:
        row.ended_at = at


def _requeued(snapshot: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    """Take back an attempt that no worker began: it costs nothing, and the task waits since it became ready."""
    lost = row.latest
    if lost is None or lost.attempt != event.attempt or lost.state != st.RUNNING:
        return
    snapshot.attempts.remove(lost)
    row.attempts = event.attempt - 1
    former = _latest_of(snapshot, row.name) if row.attempts else None
    row.latest = former
    row.worker, row.error = (None, None) if former is None else (former.worker, former.error)
    if former is None:
        row.started_at = None


def _progressed(_: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    if row.latest is None or row.latest.attempt != event.attempt or not event.detail:
        return
    progress, message = event.detail.get("progress"), event.detail.get("message", "")
    # What comes from a file may be anything.
    if isinstance(progress, (int, float)) and type(progress) is not bool and 0 <= progress <= 1:
        row.progress = float(progress)
    if type(message) is str:
        row.message = message


def _note_abandoned(snapshot: Snapshot, row: TaskRow, event: Event) -> None:
    if event.mechanism == "abandoned":
        row.abandoned = True
        snapshot._abandoned.add((event.task, event.attempt))


def _released(snapshot: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    snapshot._abandoned.discard((event.task, event.attempt))
    row.abandoned = any(name == event.task for name, _ in snapshot._abandoned)


def _interrupted(snapshot: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    snapshot._interrupt(row, at)


def _ended(_: Snapshot, row: TaskRow, event: Event, at: float) -> None:
    """The task came to its end without an attempt (or in a way that only a newer flowdsl knows)."""
    row.retry_at = None
    if event.state in st.TERMINAL:
        row.ended_at = at
    if event.detail:
        row.message = event.detail.get("message", row.message)
        row.error = event.detail.get("error", row.error)


_HANDLERS: Dict[str, Callable[[Snapshot, TaskRow, Event, float], None]] = {
    ev.TASK_ADDED: _added,
    ev.TASK_READY: _ready,
    ev.TASK_EXPANDED: _expanded,
    ev.TASK_INTERRUPTED: _interrupted,
    ev.ATTEMPT_STARTED: _started,
    ev.ATTEMPT_SUCCEEDED: _attempt_ended,
    ev.ATTEMPT_FAILED: _attempt_ended,
    ev.ATTEMPT_TIMED_OUT: _attempt_ended,
    ev.ATTEMPT_SKIPPED: _attempt_ended,
    ev.ATTEMPT_CANCELLED: _attempt_ended,
    ev.ATTEMPT_REQUEUED: _requeued,
    ev.ATTEMPT_PROGRESSED: _progressed,
    ev.ATTEMPT_RELEASED: _released,
}


def _latest_of(snapshot: Snapshot, name: str) -> Optional[Attempt]:
    return next((attempt for attempt in reversed(snapshot.attempts) if attempt.task == name), None)


def _take_detail(row: TaskRow, attempt: Attempt, detail: Mapping[str, Any]) -> None:
    for key, value in detail.items():
        if key in _FROM_WORKER:
            setattr(attempt, key, value)
        elif key == "message":
            row.message = value
    row.worker, row.error = attempt.worker, attempt.error


def _epoch(snapshot: Snapshot, event: Event) -> Optional[float]:
    """When the retry is due, in seconds since the epoch (the event counts from the run's start)."""
    after = event.detail.get("retry_at") if event.detail else None
    if snapshot.started_at is None or not isinstance(after, (int, float)):
        return None
    return snapshot.started_at + after


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) and abs(value) < 1e300 else 0.0


def _names(value: Any) -> Tuple[str, ...]:
    if isinstance(value, tuple):  # from the machine; what comes from a file may be anything
        return value
    return tuple(name for name in value if type(name) is str) if isinstance(value, list) else ()
