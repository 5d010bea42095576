"""Batches: short attempts that one worker is given together, in one slot; how many, and till when.

Each is still an attempt of its own. They are items of one mapped task, or tasks that are items of none. What one takes
is known from those that have ended; until then they go out one by one.
"""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence

from flowdsl.engine.queue import NO_MAP

__all__ = ["MOST", "NO_MAP", "Batches"]

MOST = 4_000  # members of a batch: with each of them out, or given back, somebody has to deal
TARGET = 0.3  # seconds that a batch should take: long beside the cost of sending it, short beside a look at the run
WEIGHT = 0.3  # of the latest item in the mean


class Batches:
    """The batches that are out; tasks by number."""

    def __init__(self, max_workers: int) -> None:
        self._max_workers = max_workers
        self.left: Dict[int, List[int]] = {}  # member -> [how many of its batch have not ended], shared
        self.began: Dict[int, float] = {}  # those that run, and since when
        self._mean: Dict[int, float] = {}  # mapped task, or NO_MAP -> seconds that one takes

    def most(self, owner: int, waiting: int) -> int:
        """How many items of this mapped task, or tasks, should go out together, while so many wait.

        Never more than half of an even share of what waits, so that the workers come to their end together.
        """
        mean = self._mean.get(owner)
        if mean is None:
            return 1
        share = -(-waiting // (2 * self._max_workers))
        return max(1, min(share, MOST, int(TARGET / max(mean, 1e-6))))

    def join(self, members: Sequence[int]) -> None:
        """These have gone out together."""
        left = [len(members)]
        self.left.update(dict.fromkeys(members, left))

    def leave(self, number: int) -> bool:
        """The attempt is over, or will not begin; True where its slot is free again."""
        left = self.left.pop(number, None)
        if left is None:
            return True
        left[0] -= 1
        return not left[0]

    def leave_all(self, numbers: Sequence[int]) -> int:
        """These attempts are over; how many slots are free again."""
        free, pop = 0, self.left.pop
        for number in numbers:
            left = pop(number, None)
            if left is None:
                free += 1
            else:
                left[0] -= 1
                free += not left[0]
        return free

    def end(self, number: int, owners: Mapping[int, int], now: float) -> None:
        """The attempt is over: so long do they take.

        Tasks that are no items differ more than items do: one that took longer counts as a whole.
        """
        began = self.began.pop(number, None)
        if began is not None:
            self.ran((number,), owners, began, (now,))

    def ran(self, numbers: Sequence[int], owners: Mapping[int, int], began: float, ends: Sequence[float]) -> None:
        """The same of attempts that began one when the other ended, of which nobody knew that they had begun."""
        means = self._mean
        for number, end in zip(numbers, ends):
            owner, took = owners.get(number, NO_MAP), end - began
            mean = means.get(owner, took)
            means[owner] = took if owner == NO_MAP and took > mean else mean + WEIGHT * (took - mean)
            began = end
