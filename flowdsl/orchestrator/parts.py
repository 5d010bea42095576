"""The parts that an open orchestrator is made of, and the questions that need several of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable

from flowdsl.engine import states as st
from flowdsl.engine.rows import TaskRow
from flowdsl.orchestrator.book import Book
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.executions import Executions, Glance
from flowdsl.orchestrator.handlers import Handlers
from flowdsl.orchestrator.listeners import Listeners
from flowdsl.orchestrator.options import OrchestratorOptions
from flowdsl.orchestrator.standing import Standing
from flowdsl.orchestrator.statuses import STATUSES
from flowdsl.orchestrator.task_records import TaskRecords
from flowdsl.orchestrator.values import Values
from flowdsl.orchestrator.weights import Weights

__all__ = ["Parts", "learn", "open_parts"]

WAITING = (*st.OPEN, st.INTERRUPTED)


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
    weights: Weights

    def how(self, entry: Entry) -> Standing:
        """How a task stands now."""
        return self.executions.how(entry)

    def standings(self) -> Dict[str, Standing]:
        """How every task stands, at one moment."""
        with self.book.lock:
            return {task_id: self.how(entry) for task_id, entry in self.book.queue.entries.items()}

    def glance(self) -> Glance:
        """How tasks stand, for who asks for some of them only; to be used under the book's lock."""
        return Glance(self.book.queue.entries, self.executions)

    def expected(self, names: Iterable[str]) -> Dict[str, float]:
        """The seconds that each of these tasks is expected to take."""
        return {name: self.weights.expected(self.book.queue.action(name)) for name in names}

    def counts(self) -> Dict[str, int]:
        """How many tasks there are of each status."""
        found = Counter(now.status for now in self.standings().values())
        return {status: found[status] for status in STATUSES if status in found}

    def tell_if_drained(self) -> None:
        """Let it be known when nothing runs, and nothing waits to be run; under the book's lock."""
        if self.listeners.are_there("queueDrained") and not self.executions.going and not self._waits():
            self.listeners.tell("queueDrained", {"tasks": self.counts()})

    def _waits(self) -> bool:
        """Whether a task waits to be run; of those that have ended each is looked at once."""
        queue = self.book.queue
        for name in list(queue.perhaps_open):
            entry = queue.entries.get(name)
            if entry is not None and self.how(entry).state in WAITING:
                return True
            queue.perhaps_open.pop(name)
        return False

    def record(self, task_ids: Iterable[str]) -> None:
        """Bring the records of these tasks up to date."""
        for task_id in task_ids:
            entry = self.book.queue.entries.get(task_id)
            if entry is not None:
                self.records.write(entry, self.how(entry))


def learn(parts: Parts, row: TaskRow) -> None:
    """Take note of how long a task took, where it succeeded."""
    if row.state == st.SUCCEEDED and row.duration_s is not None:
        parts.weights.learn(parts.book.queue.action(row.name) or row.action, row.duration_s)


def open_parts(options: OrchestratorOptions, handlers: Handlers, listeners: Listeners) -> Parts:
    """Open the queue in the log directory, with all that an earlier orchestrator left there.

    Raises LogWriteError where the directory is no good, LogLocked where another orchestrator works there.
    """
    log_dir = Path(options.task_log_dir).absolute()
    book = Book(log_dir)
    try:
        values = Values(book.path)
        records = TaskRecords(log_dir, values)
        parts = Parts(options, log_dir, handlers, listeners, book, Executions(log_dir), values, records, Weights())
        for path in log_dir.glob("*.json"):  # of tasks whose line in the journal is damaged
            book.queue.ids.heard_of(path.stem)
        for entry in book.queue.entries.values():
            records.take_up(entry, parts.how(entry))
            row = parts.executions.row(entry)
            if row is not None:
                learn(parts, row)
        records.sweep(book.queue.entries, book.queue.ever)
        book.open_for()
    except BaseException:
        book.close()
        raise
    return parts
