"""The fold of the queue's events: the tasks that are there, the ids that were given, the runs that were begun."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Set

from flowdsl.engine.events import Event
from flowdsl.orchestrator import facts
from flowdsl.orchestrator.definition import from_detail
from flowdsl.orchestrator.entry import Entry, kept_entry, take_in
from flowdsl.orchestrator.ids import Ids, numbered
from flowdsl.storage.names import file_name

__all__ = ["Queue"]

KNOWN = frozenset(value for name, value in vars(facts).items() if name.isupper())


class Queue:
    """What is known after the events that were applied: `entries` in the order in which tasks were added."""

    def __init__(self) -> None:
        self.entries: Dict[str, Entry] = {}
        self.ids = Ids()
        self.ever: Set[str] = set()  # every id that was ever given
        self.runs: Dict[str, None] = {}  # every run that a task was bound to, oldest first
        self.perhaps_open: Dict[str, None] = {}  # tasks of which an event told since somebody saw them ended
        self.paused = False
        self.foreign = False  # there was an event that a newer flowdsl wrote
        self._files: Set[str] = set()  # the names of the records, in lower case
        self._by_action: Dict[str, Dict[str, None]] = {}
        self._waiting: Dict[str, Dict[str, None]] = {}  # task -> those that wait for it

    def apply(self, event: Event, at: float) -> None:
        """Take in one event; what a newer flowdsl may know, or is about a task that is not there, is passed over."""
        name, detail = event.event, event.detail or {}
        if name == facts.TASK_ADDED:
            self._put(Entry(from_detail(event.task, detail), at, file_name(event.task, self._files)))
        elif name == facts.TASK_KEPT:
            self._put(kept_entry(event.task, detail, _text(detail.get("file")) or file_name(event.task, self._files)))
        elif name == facts.TASK_REMOVED:
            self._take_out(event.task)
        elif event.task:
            if name == facts.TASK_BOUND:
                self.runs[_text(detail.get("run_id"))] = None
            if event.task in self.entries:
                take_in(self.entries[event.task], event, at)
                self.perhaps_open[event.task] = None
        else:
            self._apply_to_queue(name, detail)
        self.foreign = self.foreign or name not in KNOWN

    def _apply_to_queue(self, name: str, detail: Mapping[str, Any]) -> None:
        if name in (facts.QUEUE_PAUSED, facts.QUEUE_RESUMED):
            self.paused = name == facts.QUEUE_PAUSED
        elif name == facts.QUEUE_COMPACTED:
            self.paused = detail.get("paused") is True
            self.ids.heard_of(numbered(detail.get("last", 0)))
        elif name == facts.RUNS_KEPT:
            self.runs.update(dict.fromkeys(detail.get("runs", ())))
        elif name == facts.IDS_RETIRED:
            self.ever.update(detail.get("names", ()))
            for first, last in detail.get("numbers", ()):
                self.ever.update(map(numbered, range(first, last + 1)))

    def _put(self, entry: Entry) -> None:
        name, task = entry.definition.task_id, entry.definition
        self._take_out(name)
        self._files.add(entry.file.lower())
        self.ever.add(name)
        self.ids.heard_of(name)
        self.entries[name] = entry
        self.perhaps_open[name] = None
        self._by_action.setdefault(task.action, {})[name] = None
        for parent in task.dependencies:
            self._waiting.setdefault(parent, {})[name] = None

    def _take_out(self, name: str) -> None:
        entry = self.entries.pop(name, None)
        if entry is not None:
            self._files.discard(entry.file.lower())
            self._by_action[entry.definition.action].pop(name)
            for parent in entry.definition.dependencies:
                self._waiting[parent].pop(name)

    def forget_runs(self, run_ids: Iterable[str]) -> None:
        """Let go of runs that are no more."""
        for run_id in run_ids:
            self.runs.pop(run_id, None)

    def action(self, task_id: str) -> str:
        """The action of a task; "" where it is not there."""
        entry = self.entries.get(task_id)
        return "" if entry is None else entry.definition.action

    def with_action(self, action: str) -> List[str]:
        """The tasks that have this action, as they were added."""
        return list(self._by_action.get(action, ()))

    def dependants(self, task_id: str) -> List[str]:
        """Those that wait for this one itself."""
        return list(self._waiting.get(task_id, ()))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
