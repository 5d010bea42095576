"""The tasks that are ready: a heap for each kind of executor, and the named limits that hold some of them back."""

from __future__ import annotations

import heapq
from typing import Dict, Iterable, List, Mapping, Optional, Tuple

Key = Tuple[float, float, int]  # (-priority, -rank, number): the smallest goes first


class ReadyQueue:
    """Ready tasks by number, best first, none of which is handed out beyond its named limits."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._heaps: Dict[str, List[Key]] = {}
        self._free: Dict[str, int] = dict(limits)
        self._held: Dict[str, List[Tuple[str, Key]]] = {name: [] for name in limits}

    def push(self, kind: str, key: Key) -> None:
        heap = self._heaps.get(kind)
        if heap is None:
            heap = self._heaps[kind] = []
        heapq.heappush(heap, key)

    def pop(self, kinds: Optional[Iterable[str]], uses: List[Tuple[str, ...]]) -> Optional[int]:
        """The number of the best task of these kinds whose limits have room; it takes its share of them.

        `uses[number]` names the limits of a task.
        """
        while True:
            kind = self._best(kinds)
            if kind is None:
                return None
            key = heapq.heappop(self._heaps[kind])
            names = uses[key[2]]
            if not names:
                return key[2]
            full = next((name for name in names if self._free[name] <= 0), None)
            if full is None:
                for name in names:
                    self._free[name] -= 1
                return key[2]
            self._held[full].append((kind, key))

    def give_back(self, names: Iterable[str]) -> None:
        """Free one share of each of these limits; whoever waited for them is in the heap again."""
        for name in names:
            self._free[name] += 1
            held, self._held[name] = self._held[name], []
            for kind, key in held:
                self.push(kind, key)

    def clear(self) -> None:
        self._heaps.clear()
        self._held = {name: [] for name in self._held}

    def waiting(self, kinds: Optional[Iterable[str]] = None) -> int:
        """How many tasks of these kinds are ready and not held back by a limit already found full."""
        if kinds is None:
            return sum(map(len, self._heaps.values()))
        return sum(len(self._heaps.get(kind, ())) for kind in kinds)

    def _best(self, kinds: Optional[Iterable[str]]) -> Optional[str]:
        best = None
        for kind in self._heaps if kinds is None else kinds:
            heap = self._heaps.get(kind)
            if heap and (best is None or heap[0] < self._heaps[best][0]):
                best = kind
        return best
