"""The runs of the queue: which go on, which have ended, and what each says of a task."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from flowdsl.engine.snapshot import Snapshot, TaskRow, fold
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.standing import Standing, standing
from flowdsl.run import Run
from flowdsl.storage.names import file_name
from flowdsl.storage.reading import read_journal

__all__ = ["Executions"]


class Executions:
    """The runs that tasks of the queue are bound to; to be used under the book's lock."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self.going: Dict[str, Run] = {}
        self._over: Dict[str, Optional[Snapshot]] = {}  # runs that have ended, as far as anybody asked for them

    def begin(self, run: Run) -> None:
        """A run that is about to begin."""
        self.going[run.id] = run

    def end(self, run_id: str) -> None:
        """It is over: what is known of it stays, its results go."""
        run = self.going.pop(run_id)
        self._over[run_id] = run.snapshot()

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

    def forget_all_but(self, entries: Mapping[str, Entry]) -> List[str]:
        """Let go of runs that are the latest of no task; their ids."""
        wanted = {entry.run_id for entry in entries.values()}
        gone = [run_id for run_id in self._over if run_id not in wanted]
        for run_id in gone:
            del self._over[run_id]
        return gone
