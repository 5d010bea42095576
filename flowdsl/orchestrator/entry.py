"""The entry of a task in the queue: what the queue itself knows of it, and what each event does to that."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional

from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.orchestrator import facts
from flowdsl.orchestrator.definition import TaskDefinition, from_detail, to_detail

__all__ = ["Entry", "kept_entry", "kept_detail", "take_in"]

# What an entry knows besides its definition and its file; a compacted journal has exactly these.
KNOWN = (
    "added_at",
    "priority",
    "run_id",
    "told",
    "runs",
    "state",
    "cause",
    "cause_task",
    "final",
    "progress",
    "message",
    "noted",
    "error",
    "output",
    "sealed",
    "started_at",
    "ended_at",
)


class Entry:
    """What the queue itself knows of a task; `run_id` is its latest run, "" where the queue's word is the latest."""

    __slots__ = ("definition", "file", *KNOWN)

    def __init__(self, definition: TaskDefinition, at: float, file: str) -> None:
        self.definition = definition
        self.file = file  # the name of its record
        self.added_at = at
        self.priority = definition.priority
        self.run_id = ""  # of its latest run
        self.told = True  # the queue's word came after that run
        self.runs = 0
        self.state = st.PENDING
        self.cause = "added"
        self.cause_task = ""
        self.final = False  # ended by hand
        self.progress: Optional[float] = None  # 0 to 100, by hand
        self.message = ""
        self.noted = 0  # the attempt that progress and message are about
        self.error: Optional[str] = None
        self.output: Any = None  # the result that was given by hand
        self.sealed = False  # that result is no JSON, and lies among those of runs
        self.started_at: Optional[float] = None
        self.ended_at: Optional[float] = None


def take_in(entry: Entry, event: Event, at: float) -> None:
    """What an event says of this task; one that a newer flowdsl may know is passed over."""
    handler = _HANDLERS.get(event.event)
    if handler is not None:
        handler(entry, event, at)


def _bound(entry: Entry, event: Event, at: float) -> None:
    entry.run_id = str((event.detail or {}).get("run_id", ""))
    entry.told = False
    entry.runs += 1
    entry.final = False
    entry.noted = 0
    entry.progress, entry.message, entry.error, entry.output = None, "", None, None
    entry.sealed = False
    entry.started_at = entry.ended_at = None


def _changed(entry: Entry, event: Event, at: float) -> None:
    detail: Mapping[str, Any] = event.detail or {}
    state = event.state
    if state not in st.TASK_STATES:
        return
    entry.told = True
    entry.state, entry.cause, entry.cause_task = state, event.cause, event.cause_task
    entry.final = event.cause == "external" and state in (st.SUCCEEDED, st.FAILED)
    entry.progress = detail.get("progress", entry.progress)
    entry.message = detail.get("message", entry.message)
    entry.error = detail.get("error")
    entry.output = detail.get("output")
    entry.sealed = detail.get("sealed") is True
    if state == st.PENDING:
        entry.started_at = entry.ended_at = entry.progress = None
    elif state == st.RUNNING:
        entry.started_at, entry.ended_at = entry.started_at or at, None
    else:
        entry.ended_at = at


def _noted(entry: Entry, event: Event, at: float) -> None:
    entry.noted = event.attempt
    entry.progress = (event.detail or {}).get("progress", entry.progress)
    entry.message = (event.detail or {}).get("message", entry.message)


def _prioritised(entry: Entry, event: Event, at: float) -> None:
    priority = (event.detail or {}).get("priority")
    if isinstance(priority, (int, float)):
        entry.priority = float(priority)


_HANDLERS: Dict[str, Callable[[Entry, Event, float], None]] = {
    facts.TASK_BOUND: _bound,
    facts.TASK_CHANGED: _changed,
    facts.TASK_NOTED: _noted,
    facts.TASK_PRIORITISED: _prioritised,
}


# ---- all of it in one event


def kept_detail(entry: Entry) -> Dict[str, Any]:
    """All that there is to an entry, for a journal that is written anew; what is empty is left out."""
    known = {name: getattr(entry, name) for name in KNOWN}
    blank = Entry(entry.definition, 0.0, entry.file)
    said = {name: value for name, value in known.items() if value != getattr(blank, name)}
    return {"definition": to_detail(entry.definition), "file": entry.file, **said}


def kept_entry(task_id: str, detail: Mapping[str, Any], file: str) -> Entry:
    """The entry that `kept_detail` wrote down."""
    definition = detail.get("definition")
    entry = Entry(from_detail(task_id, definition if isinstance(definition, dict) else {}), 0.0, file)
    for name in KNOWN:
        if name in detail:
            setattr(entry, name, detail[name])
    return entry
