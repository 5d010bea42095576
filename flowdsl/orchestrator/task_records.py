"""The records of the queue: one JSON file a task, in the document's format, always whole and never behind its state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Container, Dict, List, Mapping, Optional

from flowdsl.engine import states as st
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.standing import Standing, as_row
from flowdsl.orchestrator.values import Values
from flowdsl.storage.records import task_record, write_record

__all__ = ["TaskRecords", "read_records"]

LIMIT = 1_000_000  # bytes; nothing that we write comes near


class TaskRecords:
    """Writes `<task_log_dir>/<taskId>.json` where it says something else than before; under the book's lock."""

    def __init__(self, log_dir: Path, values: Values) -> None:
        self._dir = log_dir
        self._values = values
        self._written: Dict[str, Mapping[str, Any]] = {}

    def write(self, entry: Entry, now: Standing) -> None:
        """Bring the record of a task up to date."""
        record = self.record(entry, now)
        if self._written.get(entry.definition.task_id) != record:
            write_record(record, self.path(entry))
            self._written[entry.definition.task_id] = record

    def record(self, entry: Entry, now: Standing) -> Dict[str, Any]:
        """What the record says."""
        output = None
        if now.state in st.DONE_WELL:
            output = entry.output if entry.told and not entry.sealed else self._output(entry)
        return task_record(as_row(entry, now), output, run_id=now.run_id)

    def _output(self, entry: Entry) -> Any:
        return self._values.get(entry) if self._values.has(entry) else None

    def take_up(self, entry: Entry, now: Standing) -> None:
        """Trust the record that an earlier orchestrator wrote, where it tells of the same state; else write it again.

        So that no result has to be unpickled only to be described again.
        """
        found = read_record(self.path(entry))
        if found is not None and found.get("status") == now.status and now.state not in st.OPEN:
            self._written[entry.definition.task_id] = found
        else:
            self.write(entry, now)

    def sweep(self, entries: Mapping[str, Entry], ever: Container[str]) -> None:
        """Take away what a process left that was killed while it removed tasks; `ever` has all ids that were given."""
        files = {self.path(entry) for entry in entries.values()}
        for path in self._dir.glob("*.json"):
            found = read_record(path) if path not in files else None
            if found is not None and found["taskId"] in ever and found["taskId"] not in entries:
                path.unlink()

    def remove(self, entry: Entry) -> None:
        """Take the record away."""
        self._written.pop(entry.definition.task_id, None)
        self.path(entry).unlink(missing_ok=True)

    def path(self, entry: Entry) -> Path:
        """Where the record of a task is."""
        return self._dir / (entry.file + ".json")


def read_record(path: Path) -> Optional[Dict[str, Any]]:
    """The record in that file; None where it is none."""
    try:
        if not path.is_file() or path.stat().st_size > LIMIT:
            return None
        found = json.loads(path.read_bytes().decode())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("taskId"), str) else None


def read_records(log_dir: Path) -> List[Dict[str, Any]]:
    """All records in the directory, by id; whatever else lies there is passed over."""
    found = [read_record(path) for path in sorted(log_dir.glob("*.json"))]
    return sorted((one for one in found if one is not None), key=lambda one: str(one["taskId"]))
