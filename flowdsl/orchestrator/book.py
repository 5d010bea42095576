"""The book of the queue: its journal on disk and the fold of it in memory, which never differ; one writer, one lock."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any, List, Optional, Sequence

from flowdsl.definition.counted import counted
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine.events import Event
from flowdsl.errors import FlowError, LogLocked, LogWriteError
from flowdsl.orchestrator import facts
from flowdsl.orchestrator.compaction import compacted, is_due
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.fold import Queue
from flowdsl.storage.journal import Damage, Journal
from flowdsl.storage.line import CUT_OFF
from flowdsl.storage.names import file_name
from flowdsl.storage.reading import FILE, QUEUE_DIR, read_journal

__all__ = ["Book", "event"]


class Book:
    """The queue of one log directory, locked against other writers while it is open.

    Whoever reads or changes more than one thing takes `lock`, which may be taken twice by one thread.
    """

    def __init__(self, log_dir: Path) -> None:
        self.lock = threading.RLock()
        self.queue = Queue()
        self.damage: List[Damage] = []
        self.path = log_dir / QUEUE_DIR
        self._last = 0.0
        self._events = 0  # in the journal
        self._due = 0  # not before there are so many is the journal written anew
        self._journal: Optional[Journal] = self._open(log_dir)

    def _open(self, log_dir: Path) -> Journal:
        try:
            if not (self.path / FILE).is_file():
                return Journal.create(log_dir, QUEUE_DIR)
            journal = Journal.resume(self.path)
        except LogLocked as exc:
            raise _locked(exc) from exc
        log = read_journal(self.path)
        self.damage = [one for one in log.damage if one.reason != CUT_OFF]  # such a line was never acknowledged
        for batch in log.batches:
            self._last = max(self._last, batch.at)
            self._events += len(batch.events)
            for found in batch.events:
                self.queue.apply(found, batch.at)
        self.queue.forget_runs([run for run in self.queue.runs if not (log_dir / file_name(run)).is_dir()])
        if self.damage:
            text = "passed over %s in %s; validate() lists them"
            logging.getLogger("flowdsl").warning(text, counted(len(self.damage), "damaged line"), self.path / FILE)
        return journal

    def now(self) -> float:
        """Seconds since the epoch; never before the last event."""
        return max(time.time(), self._last)

    def append(self, events: Sequence[Event]) -> float:
        """Write the events and take them in; the moment that they have. LogWriteError where they cannot be written."""
        with self.lock:
            if self._journal is None:
                raise FlowError("the orchestrator is closed; make a new one on the same task_log_dir")
            # As exact as the journal, so that what is read back is the same.
            at = self._last = round(self.now() * 1e6) / 1e6
            self._journal.append(events, at)
            for one in events:
                self.queue.apply(one, at)
            self._events += len(events)
            if self._events >= self._due and is_due(self._events, self.queue):
                self.compact()
            return at

    def compact(self) -> None:
        """Write the journal anew, as short as it can be; a damaged one, or a newer flowdsl's, is left as it is."""
        with self.lock:
            if self._journal is None or self.damage or self.queue.foreign:
                return
            events = compacted(self.queue)
            try:
                self._journal.rewrite(events, self._last)
            except LogWriteError as exc:
                self._due = 2 * self._events
                logging.getLogger("flowdsl").warning("the journal of the queue stays as long as it is: %s", exc)
                return
            self._events, self._due = len(events), 0

    def open_for(self) -> None:
        """Say in the journal that an orchestrator works here."""
        self.append([event(facts.QUEUE_OPENED, "", "running", "added", {"pid": os.getpid()})])

    def entry(self, task_id: Any) -> Entry:
        """What the queue knows of a task; KeyError with the nearest id."""
        found = self.queue.entries.get(task_id) if isinstance(task_id, str) else None
        if found is None:
            known = list(self.queue.entries)
            raise KeyError("there is no task %r%s" % (task_id, did_you_mean(task_id, known, "queue() lists the tasks")))
        return found

    def close(self) -> None:
        """Give the directory free. Twice does no harm."""
        with self.lock:
            journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()


def event(name: str, task: str, state: str, cause: str, detail: Any = None, **more: Any) -> Event:
    """An event of the queue."""
    return Event(name, task, more.pop("attempt", 0), more.pop("before", ""), state, cause, detail=detail, **more)


def _locked(exc: LogLocked) -> LogLocked:
    if exc.pid != os.getpid():
        return exc
    text = "an orchestrator of this process works in %s; close() that one first, or take another task_log_dir"
    return LogLocked(text % exc.path, path=exc.path, pid=exc.pid)
