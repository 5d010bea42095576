"""What is due when: deadlines, delays before a retry, and the end of a stopped attempt's grace, in one heap."""

from __future__ import annotations

import heapq
from typing import Dict, List, Optional, Tuple

DEADLINE = "deadline"
DELAY = "delay"
GRACE = "grace"


class Timers:
    """At most one timer a task; a new one for the same task replaces the old, and dead ones leave the heap."""

    def __init__(self) -> None:
        self._heap: List[Tuple[float, int, int]] = []
        self._live: Dict[int, Tuple[int, str]] = {}  # task number -> (number of its timer, what for)
        self._count = 0

    def set(self, number: int, due: float, what: str) -> None:
        """From now on this is what the task waits for, in the place of what it waited for before."""
        self._count += 1
        self._live[number] = (self._count, what)
        heapq.heappush(self._heap, (due, self._count, number))

    def drop(self, number: int) -> None:
        """Forget the timer of this task; the heap is rebuilt once most of it is dead."""
        if self._live.pop(number, None) is not None and len(self._heap) > 2 * len(self._live) + 64:
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapq.heapify(self._heap)

    def next_due(self) -> Optional[float]:
        """When the earliest of them is due; None where there is none."""
        heap = self._heap
        while heap and not self._is_live(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, now: float) -> Optional[Tuple[int, str]]:
        """(task number, what for) of the earliest timer that is due, which is then gone."""
        due = self.next_due()
        if due is None or due > now:
            return None
        number = heapq.heappop(self._heap)[2]
        return number, self._live.pop(number)[1]

    def __len__(self) -> int:
        return len(self._live)

    def size(self) -> int:
        """How many entries the heap holds, dead ones included."""
        return len(self._heap)

    def _is_live(self, entry: Tuple[float, int, int]) -> bool:
        live = self._live.get(entry[2])
        return live is not None and live[0] == entry[1]
