"""The runs of the queue: which go on, which have ended, and what each says of a task."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Dict, Iterator, Mapping, Optional

from flowdsl.engine.snapshot import Snapshot, TaskRow, fold
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.standing import Standing, standing
from flowdsl.run import Run
from flowdsl.storage.names import file_name
from flowdsl.storage.reading import read_journal

__all__ = ["Executions", "Glance"]

FEW = 100  # runs; so many are kept without asking who needs them


class Executions:
    """The runs that tasks of the queue are bound to; to be used under the book's lock."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self.going: Dict[str, Run] = {}
        self._over: Dict[str, Optional[Snapshot]] = {}  # runs that have ended, as far as anybody asked for them
        self._many = FEW

    def begin(self, run: Run) -> None:
        """A run that is about to begin."""
        self.going[run.id] = run

    def end(self, run_id: str) -> Snapshot:
        """It is over: what is known of it, which stays; its results go."""
        found = self.going.pop(run_id).snapshot()
        self._over[run_id] = found
        return found

    def how(self, entry: Entry) -> Standing:
        """How the task stands now."""
        return standing(entry, self.row(entry), entry.run_id in self.going)

    def row(self, entry: Entry) -> Optional[TaskRow]:
        """What the latest run of a task says of it; None where it says nothing."""
        if not entry.run_id:
            return None
        snapshot = self.snapshot(entry.run_id)
        return None if snapshot is None else snapshot.tasks.get(entry.definition.task_id)

    def snapshot(self, run_id: str) -> Optional[Snapshot]:
        """A run, folded; None where it left no journal."""
        if run_id in self.going:
            return self.going[run_id].snapshot()
        if run_id not in self._over:
            self._over[run_id] = self._read(run_id)
        return self._over[run_id]

    def _read(self, run_id: str) -> Optional[Snapshot]:
        path = self.dir_of(run_id)
        try:
            log = read_journal(path)
        except OSError as exc:
            logging.getLogger("flowdsl").warning("the journal of run %r cannot be read: %s", run_id, exc)
            return None
        found = fold(log.batches, run_id=run_id)
        if log.locked_by is None:
            found.interrupted()
        return found

    def dir_of(self, run_id: str) -> Path:
        """Where a run keeps its journal; never outside of the log directory."""
        return self._log_dir / file_name(run_id)

    def forget_all_but(self, entries: Mapping[str, Entry]) -> None:
        """Let go of runs that are the latest of no task, when there may be many such."""
        if len(self._over) < self._many:
            return
        wanted = {entry.run_id for entry in entries.values()}
        self._over = {run_id: found for run_id, found in self._over.items() if run_id in wanted}
        self._many = max(FEW, 2 * len(self._over))


class Glance(Mapping[str, Standing]):
    """How tasks stand; each is looked at when it is asked for, and only once."""

    def __init__(self, entries: Mapping[str, Entry], executions: Executions) -> None:
        self._entries = entries
        self._executions = executions
        self._seen: Dict[str, Standing] = {}

    def __getitem__(self, task_id: str) -> Standing:
        found = self._seen.get(task_id)
        if found is None:
            found = self._seen[task_id] = self._executions.how(self._entries[task_id])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
