"""The facts of the queue: the names of its events, and what each does to what is known of a task; the one fold."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Set

from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.orchestrator.definition import TaskDefinition, from_detail
from flowdsl.orchestrator.ids import Ids
from flowdsl.storage.names import file_name

__all__ = ["Entry", "Queue"]

QUEUE_OPENED = "queue_opened"  # by an orchestrator; detail: its pid
QUEUE_PAUSED = "queue_paused"
QUEUE_RESUMED = "queue_resumed"
TASK_ADDED = "task_added"  # detail: its definition
TASK_BOUND = "task_bound"  # to a run, that is about to begin; detail: the run's id
TASK_CHANGED = "task_changed"  # by hand, or for another task's sake
TASK_NOTED = "task_noted"  # a progress or a message from outside, while an attempt runs
TASK_PRIORITISED = "task_prioritised"
TASK_REMOVED = "task_removed"


class Entry:
    """What the queue itself knows of a task; `run_id` is its latest run, "" where the queue's word is the latest."""

    __slots__ = (
        "added_at",
        "cause",
        "cause_task",
        "definition",
        "ended_at",
        "error",
        "file",
        "final",
        "message",
        "noted",
        "output",
        "priority",
        "progress",
        "run_id",
        "runs",
        "started_at",
        "state",
        "told",
    )

    def __init__(self, definition: TaskDefinition, at: float, file: str) -> None:
        self.definition = definition
        self.added_at = at
        self.file = file  # the name of its record
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
        self.started_at: Optional[float] = None
        self.ended_at: Optional[float] = None


class Queue:
    """What is known after the events that were applied: `entries` in the order in which tasks were added."""

    def __init__(self) -> None:
        self.entries: Dict[str, Entry] = {}
        self.ids = Ids()
        self.ever: Set[str] = set()  # every id that was ever given
        self._files: Set[str] = set()  # the names of their records, in lower case
        self.runs: Dict[str, None] = {}  # every run that a task was bound to, oldest first
        self.paused = False
        self.opened = 0

    def apply(self, event: Event, at: float) -> None:
        """Take in one event; what a newer flowdsl may know, or is about a task that is not there, is passed over."""
        if event.event == TASK_ADDED:
            self._added(event, at)
        elif event.event in (QUEUE_PAUSED, QUEUE_RESUMED):
            self.paused = event.event == QUEUE_PAUSED
        elif event.event == QUEUE_OPENED:
            self.opened += 1
        elif event.event == TASK_REMOVED:
            self.entries.pop(event.task, None)
        else:
            if event.event == TASK_BOUND:
                self.runs[str((event.detail or {}).get("run_id", ""))] = None
            entry = self.entries.get(event.task)
            if entry is not None and event.event in _HANDLERS:
                _HANDLERS[event.event](entry, event, at)

    def _added(self, event: Event, at: float) -> None:
        file = file_name(event.task, self._files)
        self._files.add(file.lower())
        self.ever.add(event.task)
        self.ids.heard_of(event.task)
        self.entries[event.task] = Entry(from_detail(event.task, event.detail or {}), at, file)

    def dependants(self, task_id: str) -> List[str]:
        """Those that wait for this one itself."""
        return [name for name, entry in self.entries.items() if task_id in entry.definition.dependencies]


def _bound(entry: Entry, event: Event, at: float) -> None:
    entry.run_id = str((event.detail or {}).get("run_id", ""))
    entry.told = False
    entry.runs += 1
    entry.final = False
    entry.noted = 0
    entry.progress, entry.message, entry.error, entry.output = None, "", None, None
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
    TASK_BOUND: _bound,
    TASK_CHANGED: _changed,
    TASK_NOTED: _noted,
    TASK_PRIORITISED: _prioritised,
}
