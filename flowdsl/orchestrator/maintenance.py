"""Maintenance: old tasks leave the queue, old runs leave the disk; once, or on a schedule."""

from __future__ import annotations

import logging
import shutil
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Set, Union

from flowdsl.definition.checks import check_count, check_number
from flowdsl.engine import states as st
from flowdsl.errors import ConfigError
from flowdsl.orchestrator.changes import take_out
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.parts import Parts
from flowdsl.orchestrator.standing import Standing
from flowdsl.storage.lock import locked_by
from flowdsl.storage.reading import run_dirs

__all__ = ["CleanUp", "Limits", "Schedule", "clean_up", "limits"]

ENDED = st.TERMINAL - {st.INTERRUPTED}
WHERE = "clean_up"


class Limits(NamedTuple):
    """What may stay: ended tasks not older than so many seconds, so many of them, so many bytes of runs."""

    older_than: Optional[float] = None
    keep: Optional[int] = None
    max_bytes: Optional[int] = None


class CleanUp(NamedTuple):
    """What was removed: the ids of the tasks, the ids of the runs, the bytes that this freed."""

    tasks: List[str]
    runs: List[str]
    bytes: int


def limits(older_than: Union[float, timedelta, None], keep: Optional[int], max_bytes: Optional[int]) -> Limits:
    """The limits, checked; ConfigError where there is none."""
    if older_than is None and keep is None and max_bytes is None:
        raise ConfigError("%s: say what is to go: older_than=, keep= or max_bytes=" % WHERE)
    if isinstance(older_than, timedelta):
        older_than = older_than.total_seconds()
    if older_than is not None:
        older_than = check_number(older_than, "older_than", WHERE, least=0, hint="give seconds, or a timedelta")
    if keep is not None:
        keep = check_count(keep, "keep", WHERE, least=0, hint="it is the number of ended tasks that stay")
    if max_bytes is not None:
        max_bytes = check_count(max_bytes, "max_bytes", WHERE, least=0, hint="it is the size that the runs may have")
    return Limits(older_than, keep, max_bytes)


def clean_up(parts: Parts, wanted: Limits, dry_run: bool = False) -> CleanUp:
    """Remove ended tasks beyond the limits, oldest first, with their records, results and runs.

    What is open, what goes on, what a task that stays and is not completed needs, and runs that a task which stays had
    last, are kept. Runs that no task of the queue had last go in any case. The journal of the queue is then written
    anew, without them.
    """
    with parts.book.lock:
        gone = _tasks_to_go(parts, wanted)
        runs = _runs_to_go(parts, {entry.definition.task_id for entry in gone})
        found = CleanUp([entry.definition.task_id for entry in gone], [run.name for run in runs], sum(map(_size, runs)))
        if not dry_run:
            if gone:
                take_out(parts, gone, "external")
            for run in runs:
                shutil.rmtree(str(run), ignore_errors=True)
            if gone or runs:
                parts.book.queue.forget_runs([run.name for run in runs])
                parts.book.compact()
        return found


def _tasks_to_go(parts: Parts, wanted: Limits) -> List[Entry]:
    entries = parts.book.queue.entries
    how = parts.standings()
    needed = _needed(parts, [name for name, now in how.items() if now.state not in ENDED])
    ended = [name for name, now in how.items() if now.state in ENDED and not now.in_run and name not in needed]
    ended.sort(key=lambda name: _when(entries[name], how[name]))
    sizes = _Sizes(parts) if wanted.max_bytes is not None else None
    chosen: List[Entry] = []
    for place, name in enumerate(ended):
        old = wanted.older_than is not None and parts.book.now() - _when(entries[name], how[name]) > wanted.older_than
        many = wanted.keep is not None and len(ended) - place > wanted.keep
        large = sizes is not None and wanted.max_bytes is not None and sizes.left > wanted.max_bytes
        if old or many or large:
            chosen.append(entries[name])
            if sizes is not None:
                sizes.without(entries[name])
    gone = {entry.definition.task_id for entry in chosen}
    may_run = [name for name, now in how.items() if name not in gone and now.state not in st.DONE_WELL]
    needed = _needed(parts, may_run)  # a failed task may be executed again
    return [entry for entry in chosen if entry.definition.task_id not in needed]


class _Sizes:
    """The bytes of the runs that tasks had last, as tasks are taken away."""

    def __init__(self, parts: Parts) -> None:
        ids = [entry.run_id for entry in parts.book.queue.entries.values() if entry.run_id]
        self._tasks = Counter(ids)
        self._bytes = {run_id: _size(parts.executions.dir_of(run_id)) for run_id in self._tasks}
        self.left = sum(self._bytes.values())

    def without(self, entry: Entry) -> None:
        """A run goes with the last of its tasks."""
        if entry.run_id:
            self._tasks[entry.run_id] -= 1
            if not self._tasks[entry.run_id]:
                self.left -= self._bytes[entry.run_id]


def _needed(parts: Parts, names: Iterable[str]) -> Set[str]:
    """These tasks, and what they wait for, however far."""
    entries = parts.book.queue.entries
    reached = list(names)
    needed: Set[str] = set(reached)
    for name in reached:  # it grows while it is walked
        for parent in entries[name].definition.dependencies:
            if parent in entries and parent not in needed:
                needed.add(parent)
                reached.append(parent)
    return needed


def _when(entry: Entry, now: Standing) -> float:
    return now.ended_at if now.ended_at is not None else entry.added_at


def _runs_to_go(parts: Parts, gone: Set[str]) -> List[Path]:
    entries = parts.book.queue.entries
    kept = {entry.run_id for name, entry in entries.items() if name not in gone} | set(parts.executions.going)
    kept_dirs = {parts.executions.dir_of(run_id) for run_id in kept if run_id}
    ours = {parts.executions.dir_of(run_id) for run_id in parts.book.queue.runs} - kept_dirs
    return [path for path in run_dirs(parts.log_dir) if path in ours and locked_by(path) is None]


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else 0


class Schedule:
    """Cleans up every so many seconds, on a thread of its own, until `stop()`."""

    def __init__(self, every: float, work: Callable[[], Any]) -> None:
        self.every = check_number(every, "every", "schedule_clean_up", above=0, hint="give seconds")
        self._work = work
        self._stopped = threading.Event()
        threading.Thread(target=self._go, name="flowdsl-clean-up", daemon=True).start()

    def stop(self) -> None:
        """No more. Twice does no harm."""
        self._stopped.set()

    def _go(self) -> None:
        while not self._stopped.wait(self.every):
            try:
                self._work()
            except Exception:
                logging.getLogger("flowdsl").exception("the clean-up failed; it is tried again in %g s", self.every)

    def __repr__(self) -> str:
        return "<clean-up every %g s%s>" % (self.every, ", stopped" if self._stopped.is_set() else "")
