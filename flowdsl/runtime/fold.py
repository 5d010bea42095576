"""The snapshot of a run that goes on, and the events that it does not know yet."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Iterator, List, Sequence, Tuple

from flowdsl.engine.events import Batch, Event
from flowdsl.engine.snapshot import Snapshot

WIDTH = len(Event._fields)


class Fold:
    """Takes every batch, and folds them only when somebody looks.

    Until then all events lie in one flat list, field behind field: a list of tuples would be walked by every full
    collection of the garbage collector, which cost a run of no-ops 4 us a task. `lock` is the one under which batches
    come.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._flat: List[Any] = []
        self._snapshot = Snapshot()
        self._reading = threading.Lock()

    def add(self, seq: int, batches: Sequence[Tuple[float, Sequence[Event]]], *, numbered: bool = True) -> None:
        """Take batches, each with its moment; under the lock. `seq` is that of the first event.

        What could not be written is not `numbered`: it goes by the seq of the next.
        """
        flat = self._flat
        for at, events in batches:
            count = len(events)
            flat += (seq, at, count)
            for event in events:
                flat += event
            if numbered:
                seq += count

    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """The snapshot of now, which stands still until the block ends; not under the lock."""
        with self._reading:
            with self._lock:
                flat, self._flat = self._flat, []
            start = 0
            while start < len(flat):
                seq, at, count = flat[start : start + 3]
                end = start + 3 + count * WIDTH
                events = tuple(Event._make(flat[field : field + WIDTH]) for field in range(start + 3, end, WIDTH))
                self._snapshot.apply(Batch(seq, at, events))
                start = end
            yield self._snapshot
