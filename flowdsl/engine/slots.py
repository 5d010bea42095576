"""The slots of a run, and the attempts that have them though they do not run: not begun yet, or abandoned."""

from __future__ import annotations

from typing import Dict, Mapping, Sequence, Set, Tuple

from flowdsl.engine.batches import Batches
from flowdsl.engine.policy import Kind
from flowdsl.engine.queue import ReadyQueue
from flowdsl.engine.table import TaskTable


class Slots:
    """At most `max_workers` are taken; with its slot an attempt gives back its shares of named limits."""

    def __init__(
        self, max_workers: int, kinds: Mapping[str, Kind], table: TaskTable, queue: ReadyQueue, batches: Batches
    ) -> None:
        self.max_workers = max_workers
        self.busy = 0  # taken by attempts that are launched or running, or were abandoned and keep theirs
        self.launched: Set[int] = set()  # handed to an executor, not begun
        self.abandoned: Dict[Tuple[int, int], bool] = {}  # (task, attempt) still going -> it keeps its slot
        self._kinds = kinds
        self._table = table
        self._queue = queue
        self._batches = batches

    def free(self, number: int) -> None:
        """The attempt in hand is over, or will not begin."""
        if not self._batches.left or self._batches.leave(number):
            self.busy -= 1
        if self._table.uses[number]:
            self._queue.give_back(self._table.uses[number])

    def free_all(self, numbers: Sequence[int]) -> None:
        """As `free`, for attempts without named limits."""
        self.busy -= self._batches.leave_all(numbers)

    def abandon(self, number: int) -> None:
        """The attempt is over for the run and still going; its named limits stay taken until it ends.

        Where its worker is replaced, those left of its batch have the slot.
        """
        kind = self._kinds[self._table.policies[number].kind]
        self.abandoned[number, self._table.attempts[number]] = not kind.replaces
        if kind.replaces and (not self._batches.left or self._batches.leave(number)):
            self.busy -= 1

    def release(self, number: int, attempt: int) -> bool:
        """The attempt has ended; False where it was not one that had been abandoned, and nothing follows."""
        keeps_slot = self.abandoned.pop((number, attempt), None)
        if keeps_slot is None:
            return False
        if keeps_slot:
            self.busy -= 1
        self._queue.give_back(self._table.uses[number])
        return True

    def kept(self) -> int:
        """How many slots abandoned attempts keep."""
        return sum(self.abandoned.values())
