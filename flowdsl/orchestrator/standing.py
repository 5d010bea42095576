"""How a task stands: what the queue knows of it, and what its latest run does, put together."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional

from flowdsl.engine import states as st
from flowdsl.engine.snapshot import TaskRow
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.statuses import CAUSES, STATUS_OF
from flowdsl.settings import options
from flowdsl.storage.times import millisecond_text

__all__ = ["Standing", "as_row", "described", "standing", "which_run", "why"]


class Standing(NamedTuple):
    """How a task stands now; times are seconds since the epoch."""

    state: str
    cause: str
    cause_task: str
    progress: Optional[float]  # 0 to 100
    message: str
    attempts: int  # of its latest run
    attempt_running: bool
    in_run: bool  # it belongs to a run that goes on and has not ended in it
    started_at: Optional[float]
    ended_at: Optional[float]
    error: Optional[str]
    run_id: str
    final: bool = False

    @property
    def status(self) -> str:
        """The document's word."""
        return STATUS_OF[self.state]

    @property
    def duration(self) -> Optional[int]:
        """Milliseconds from the begin of its first attempt to its end."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0, round((self.ended_at - self.started_at) * 1000))


def standing(entry: Entry, row: Optional[TaskRow], live: bool) -> Standing:
    """How the task stands; `row` is that of its latest run, `live` says whether that run goes on.

    A run that never told of the task, and is not going on, was begun by a process that died.
    """
    if entry.told or not entry.run_id:
        return _by_the_queue(entry, row)
    if row is None:
        state, cause = (st.PENDING, "added") if live else (st.INTERRUPTED, "process_died")
        return Standing(state, cause, "", None, "", 0, False, live, None, None, None, entry.run_id)
    noted = entry.noted == row.attempts and entry.noted > 0
    progress = entry.progress if noted and entry.progress is not None else row.progress and row.progress * 100
    return Standing(
        row.state,
        row.cause,
        row.cause_task,
        100.0 if row.state in st.DONE_WELL else progress,
        entry.message if noted and entry.message else row.message,
        row.attempts,
        row.state == st.RUNNING,
        live and row.state in st.OPEN,
        row.started_at,
        row.ended_at,
        row.error,
        entry.run_id,
    )


def _by_the_queue(entry: Entry, row: Optional[TaskRow]) -> Standing:
    """Set by hand, or not run yet; the attempts of an earlier run are still its attempts."""
    return Standing(
        entry.state,
        entry.cause,
        entry.cause_task,
        100.0 if entry.state == st.SUCCEEDED else entry.progress,
        entry.message,
        row.attempts if row is not None else 0,
        False,
        False,
        entry.started_at,
        entry.ended_at,
        entry.error,
        entry.run_id,
        entry.final,
    )


def as_row(entry: Entry, now: Standing) -> TaskRow:
    """The task as the records of the library take it."""
    row = TaskRow(entry.definition.task_id)
    row.type, row.action = entry.definition.type, entry.definition.action
    row.upstream = entry.definition.dependencies
    row.state, row.cause, row.cause_task = now.state, now.cause, now.cause_task
    row.started_at, row.ended_at = now.started_at, now.ended_at
    row.error = why(now) if now.state not in st.OPEN and now.state not in st.DONE_WELL else None
    return row


def why(now: Standing) -> str:
    """Why a task did not succeed, in words; a dependant says for whose sake."""
    cause = CAUSES.get(now.cause, now.cause)
    if now.cause_task:
        blame = "task %r: %s" % (now.cause_task, now.cause)
        return "%s (%s)" % (now.error, blame) if now.error else blame
    if now.state in (st.CANCELLED, st.INTERRUPTED) and now.cause != "external":  # what it said last is no reason
        return "%s; an attempt had failed: %s" % (cause, now.error) if now.error else cause
    return now.error or now.message or cause


def which_run(run_id: str) -> str:
    """A run as messages name it."""
    return "a run" if options.stable_repr else "run %r" % run_id


def described(entry: Entry, now: Standing) -> Dict[str, Any]:
    """How the task stands, in the document's words."""
    task = entry.definition
    return {
        "taskId": task.task_id,
        "type": task.type,
        "action": task.action,
        "target": task.target,
        "status": now.status,
        "cause": now.cause,
        "causeTask": now.cause_task or None,
        "progress": now.progress,
        "message": now.message,
        "priority": entry.priority,
        "dependencies": list(task.dependencies),
        "attempts": now.attempts,
        "runs": entry.runs,
        "startTime": None if now.started_at is None else millisecond_text(now.started_at),
        "endTime": None if now.ended_at is None else millisecond_text(now.ended_at),
        "duration": now.duration,
        "error": now.error if now.state in st.OPEN else None if now.state in st.DONE_WELL else why(now),
        "runId": now.run_id or None,
    }
