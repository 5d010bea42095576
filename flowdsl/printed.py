"""The output of a task as its user asks a run for it: the task's name made sure of, its attempt found."""

from __future__ import annotations

from typing import Callable, List, Optional

from flowdsl.definition.counted import counted
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine.rows import TaskRow
from flowdsl.engine.snapshot import Snapshot
from flowdsl.storage.outputs import lost_mark

__all__ = ["output_of"]

Read = Callable[[str, int], str]  # the output of a task's attempt


def output_of(snapshot: Snapshot, read: Read, name: str, attempt: Optional[int]) -> str:
    """What that attempt of the task printed, by default its latest; of a mapped task, what its items printed.

    Raises KeyError for a task that the run does not have, ValueError for an attempt that the task has not had.
    """
    row = snapshot.tasks.get(name)
    if row is None:
        raise KeyError("run %r has no task %r%s" % (snapshot.run_id, name, did_you_mean(name, snapshot.tasks)))
    if attempt is None:
        items = _items(snapshot, name)
        return _of_items(snapshot, items, read) if items else _of_attempt(snapshot, name, row.attempts, read)
    if type(attempt) is not int or not 1 <= attempt <= row.attempts:
        had = counted(row.attempts, "attempt")
        raise ValueError("task %r has had %s, and attempt=%r is none of them" % (name, had, attempt))
    return _of_attempt(snapshot, name, attempt, read)


def _of_attempt(snapshot: Snapshot, name: str, number: int, read: Read) -> str:
    """What is kept; and where some of it could not be written, that."""
    text = read(name, number) if number else ""
    found = (one for one in reversed(snapshot.attempts) if one.task == name and one.attempt == number)
    attempt = next(found, None) if number else None
    return text if attempt is None or not attempt.output_error else text + lost_mark(attempt.output_error)


def _of_items(snapshot: Snapshot, items: List[TaskRow], read: Read) -> str:
    """What each printed, below its name; nothing of those that printed nothing."""
    found = ((row.name, _of_attempt(snapshot, row.name, row.attempts, read)) for row in items)
    return "".join("--- %s ---\n%s\n" % (name, text.rstrip("\n")) for name, text in found if text)


def _items(snapshot: Snapshot, name: str) -> List[TaskRow]:
    return [row for row in list(snapshot.tasks.values()) if getattr(row, "map_of", "") == name]
