"""The parts that an open orchestrator is made of, and the questions that need several of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

from flowdsl.engine import states as st
from flowdsl.orchestrator.book import Book
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.executions import Executions
from flowdsl.orchestrator.handlers import Handlers
from flowdsl.orchestrator.listeners import Listeners
from flowdsl.orchestrator.options import OrchestratorOptions
from flowdsl.orchestrator.standing import Standing
from flowdsl.orchestrator.statuses import STATUSES
from flowdsl.orchestrator.task_records import TaskRecords
from flowdsl.orchestrator.values import Values

__all__ = ["Parts", "open_parts"]


@dataclass(frozen=True)
class Parts:
    """The parts of one open orchestrator."""

    options: OrchestratorOptions
    log_dir: Path
    handlers: Handlers
    listeners: Listeners
    book: Book
    executions: Executions
    values: Values
    records: TaskRecords

    def how(self, entry: Entry) -> Standing:
        """How a task stands now."""
        return self.executions.how(entry)

    def standings(self) -> Dict[str, Standing]:
        """How every task stands, at one moment."""
        with self.book.lock:
            return {task_id: self.how(entry) for task_id, entry in self.book.queue.entries.items()}

    def counts(self) -> Dict[str, int]:
        """How many tasks there are of each status."""
        found = [now.status for now in self.standings().values()]
        return {status: found.count(status) for status in STATUSES if status in found}

    def is_drained(self) -> bool:
        """Whether nothing runs, and nothing waits to be run."""
        waiting = (*st.OPEN, st.INTERRUPTED)
        return not self.executions.going and not any(now.state in waiting for now in self.standings().values())

    def record(self, task_ids: List[str]) -> None:
        """Bring the records of these tasks up to date."""
        for task_id in task_ids:
            entry = self.book.queue.entries.get(task_id)
            if entry is not None:
                self.records.write(entry, self.how(entry))


def open_parts(options: OrchestratorOptions, handlers: Handlers, listeners: Listeners) -> Parts:
    """Open the queue in the log directory, with all that an earlier orchestrator left there.

    Raises LogWriteError where the directory is no good, LogLocked where another orchestrator works there.
    """
    log_dir = Path(options.task_log_dir).absolute()
    book = Book(log_dir)
    try:
        values = Values(book.path)
        records = TaskRecords(log_dir, values)
        parts = Parts(options, log_dir, handlers, listeners, book, Executions(log_dir), values, records)
        for path in log_dir.glob("*.json"):  # of tasks whose line in the journal is damaged
            book.queue.ids.heard_of(path.stem)
        for entry in book.queue.entries.values():
            records.take_up(entry, parts.how(entry))
        book.open_for()
    except BaseException:
        book.close()
        raise
    return parts
