"""The tasks that are ready: a heap for each kind of executor, and the named limits that hold some of them back."""

from __future__ import annotations

import heapq
from typing import Container, Dict, List, Mapping, Optional, Tuple

NO_MAP = -1  # the owner of a task that is no item
Key = Tuple[float, float, int]  # (-priority, -rank, number): the smallest goes first
Uses = Tuple[str, ...]  # the named limits of a task
Kinds = Optional[Tuple[str, ...]]  # of executors; None: any


class ReadyQueue:
    """Ready tasks by number, best first, none of which is handed out beyond its named limits.

    A task that meets a full limit is held there, so that nobody looks at it again before that limit has room. A share
    given back sets the best held task of each kind free, one a share: more could not use it. Because a task set free
    may then meet another full limit, `_hold` passes on what it cannot use: nobody waits at a limit that has room.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._heaps: Dict[str, List[Key]] = {}
        self._free: Dict[str, int] = dict(limits)
        self._held: Dict[str, Dict[str, List[Key]]] = {name: {} for name in limits}  # limit -> kind -> heap

    def push(self, kind: str, key: Key) -> None:
        """A task of this kind is ready; its key ends with its number."""
        heap = self._heaps.get(kind)
        if heap is None:
            heap = self._heaps[kind] = []
        heapq.heappush(heap, key)

    def pop(self, kinds: Kinds, uses: List[Uses]) -> Optional[int]:
        """The number of the best task of these kinds whose limits have room; it takes its share of them.

        `uses[number]` names the limits of a task.
        """
        while True:
            kind = self._best(kinds) if kinds is None or len(kinds) != 1 else kinds[0]
            if kind is None or not self._heaps.get(kind):
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
            self._hold(full, kind, key, names)

    def pop_alike(
        self,
        kind: str,
        owners: Mapping[int, int],
        owner: int,
        uses: List[Uses],
        others: Container[int],
        most: int,
    ) -> List[int]:
        """The next best tasks of this kind, at most so many, as long as they are items of this mapped task.

        With `NO_MAP` for an owner: as long as they are items of none. None of them has named limits or is one of
        the `others`.
        """
        heap = self._heaps.get(kind)
        found: List[int] = []
        while heap and len(found) < most:
            key = heapq.heappop(heap)
            number = key[2]
            if uses[number] or number in others or (owners and owners.get(number, NO_MAP) != owner):
                heapq.heappush(heap, key)
                break
            found.append(number)
        return found

    def length(self, kind: str) -> int:
        """How many tasks of this kind wait, those held back by a limit apart."""
        return len(self._heaps.get(kind, ()))

    def give_back(self, names: Uses) -> None:
        """Free one share of each of these limits."""
        for name in names:
            self._free[name] += 1
            for kind in self._held[name]:
                self._set_free(name, kind)

    def clear(self) -> None:
        """Forget all tasks; shares that are taken stay taken."""
        self._heaps.clear()
        self._held = {name: {} for name in self._held}

    def waiting(self, kinds: Kinds = None) -> int:
        """How many tasks of these kinds are ready and not held back by a limit already found full."""
        heaps = self._heaps
        if kinds is None:
            return sum(map(len, heaps.values()))
        if len(kinds) == 1:  # asked after every attempt of a run of threads: half a microsecond
            return len(heaps.get(kinds[0], ()))
        return sum(len(heaps.get(kind, ())) for kind in kinds)

    def _best(self, kinds: Kinds) -> Optional[str]:
        best = None
        for kind in self._heaps if kinds is None else kinds:
            heap = self._heaps.get(kind)
            if heap and (best is None or heap[0] < self._heaps[best][0]):
                best = kind
        return best

    def _hold(self, full: str, kind: str, key: Key, names: Uses) -> None:
        heapq.heappush(self._held[full].setdefault(kind, []), key)
        for name in names:
            if self._free[name] > 0:
                self._set_free(name, kind)

    def _set_free(self, name: str, kind: str) -> None:
        held = self._held[name].get(kind)
        if held:
            self.push(kind, heapq.heappop(held))
