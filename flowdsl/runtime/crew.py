"""The worker threads of one run: who is awake, who is parked, and when it pays to wake one.

Two threads on tiny tasks fight for the interpreter at every write and lock: waking lazily halved the cost of a
wide graph of no-ops. While attempts take less than about 100 us one worker stays awake, and the others are parked;
a watch every 5 ms wakes them when that one does not come back; as long as all do, it comes less and less often, down to
every 20 ms, for a look costs as much as five tiny attempts. All of it is called under the driver's lock, but for
`Slot.park` and `Slot.wake`.
"""

from __future__ import annotations

import threading
from typing import Callable, Iterator, List, Optional, Sequence

from flowdsl.engine.events import Claim
from flowdsl.errors import InternalError
from flowdsl.runtime.stint import Series, Stint

SHORT = 100e-6  # seconds: below this mean an attempt is not worth a second thread
WATCH = 0.005  # seconds between two looks at workers that may not come back
LONGEST_WATCH = 0.02  # where all came back in time, again and again
WEIGHT = 0.2  # of the latest attempt in the mean


class Slot:
    """One worker: its thread, and what it has in hand."""

    __slots__ = (
        "_gate",
        "abandoned",
        "claims",
        "in_user_code",
        "name",
        "parked",
        "seen",
        "slow",
        "stint",
        "stopped",
        "thread",
        "timed",
        "turns",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.thread: Optional[threading.Thread] = None
        self.stint: Optional[Stint] = None  # what it has in hand
        self.claims: Sequence[Claim] = ()  # what it asks the machine for: one attempt, or several where they are tiny
        self.timed = True  # whether the CPU clock is read for what it has in hand
        self.in_user_code = False
        self.stopped = False  # a stop has been sent into the thread and not been withdrawn
        self.abandoned = False
        self.parked = False
        self.slow = False  # it has not come back between two looks
        self.turns = 0
        self.seen = -1
        self._gate = threading.Lock()
        self._gate.acquire()

    def park(self) -> None:
        """Sleep until woken; not under the driver's lock."""
        self._gate.acquire()

    def wake(self) -> None:
        self._gate.release()


class Crew:
    """At most `size` workers that are not abandoned; `start` sets a new one going in a thread."""

    def __init__(self, size: int, start: Callable[[Slot], None], prefix: str = "thread") -> None:
        self._size = size
        self._start = start
        self._prefix = prefix
        self._made = 0
        self._slots: List[Slot] = []
        self._parked: List[Slot] = []
        self._mean = SHORT  # seconds of an attempt; nothing is known yet: wake freely
        self.is_quick = False  # the mean is below SHORT: one worker does all of them alone
        self.watch = WATCH  # seconds until the next look
        self.awake = 0  # workers that will come back soon: neither parked nor slow nor abandoned

    def add(self) -> Slot:
        """A new worker, not started."""
        self._made += 1
        slot = Slot("%s-%d" % (self._prefix, self._made))
        self._slots.append(slot)
        self.awake += 1
        return slot

    def came_back(self, slot: Slot) -> None:
        """The worker has taken the lock for its next turn."""
        slot.turns += 1
        if slot.slow:
            slot.slow = False
            self.awake += 1
        stint = slot.stint
        if stint is not None:
            mean = self._mean
            if isinstance(stint, Series):
                for outcome in stint.untold():
                    mean += WEIGHT * (outcome.seconds - mean)
            elif stint.outcome is not None:
                mean += WEIGHT * (stint.outcome.seconds - mean)
            self._mean, self.is_quick = mean, mean < SHORT

    def should_rest(self) -> bool:
        """Attempts are so short that the other worker which is awake does them alone faster."""
        return self.awake > 1 and self.is_quick

    def rest(self, slot: Slot) -> None:
        """The worker will park: somebody wakes it when there is work for it."""
        if slot.parked:
            raise InternalError("worker %s rests twice" % slot.name)
        slot.parked = True
        self.awake -= 1
        self._parked.append(slot)

    def wake_for(self, claimable: int) -> List[Slot]:
        """Workers to wake, now that so many attempts could begin; `set_going` does it, once the lock is free."""
        if claimable <= 0 or (self.awake > 0 and self.is_quick):
            return []
        wanted = 1 if self.is_quick else claimable
        woken: List[Slot] = []
        while len(woken) < wanted and (self._parked or len(self._slots) < self._size):
            woken.append(self._unpark() if self._parked else self.add())
        return woken

    def wants_watch(self, claimable: int) -> bool:
        """Work is there and somebody could be woken for it who was not; or tiny attempts go on.

        Then the watch goes on too, whatever is there at the moment: to set it going costs as much as some attempts.
        """
        if (self.is_quick and self.awake > 0) or any(self.series()):
            return True
        return claimable > 0 and (bool(self._parked) or len(self._slots) < self._size)

    def look(self, claimable: int) -> List[Slot]:
        """The watch: whoever has not come back since the last look is slow, and no longer counted on.

        One who is not in user code was only kept from running, by a busy machine: one other worker goes on, and
        attempts are not taken to be long, which would wake everybody.
        """
        self.watch = min(2 * self.watch, LONGEST_WATCH)
        for slot in self._slots:
            if slot.stint is not None and not slot.parked and not slot.slow and slot.seen == slot.turns:
                slot.slow = True
                self.watch = WATCH
                self.awake -= 1
                if slot.in_user_code:
                    self._mean, self.is_quick = max(self._mean, WATCH), False
            slot.seen = slot.turns
        return self.wake_for(claimable)

    def abandon(self, slot: Slot) -> None:
        """The worker is lost to the run; another may take its place."""
        slot.abandoned = True
        self._slots.remove(slot)
        if slot.slow:
            slot.slow = False  # nor does it count when it comes back after all: nobody would be woken for that one
        else:
            self.awake -= 1

    def leave(self, slot: Slot) -> None:
        """The worker goes home."""
        if slot in self._slots:
            self._slots.remove(slot)
            if not slot.slow:
                self.awake -= 1

    def dismiss(self) -> List[Slot]:
        """Everybody who is parked, to be woken and to go home."""
        return [self._unpark() for _ in range(len(self._parked))]

    def holding(self, task: str, attempt: int) -> Optional[Slot]:
        """The worker that has this attempt, in hand or waiting behind that."""
        return next((slot for slot in self._slots if slot.stint is not None and slot.stint.find(task, attempt)), None)

    def series(self) -> Iterator[Series]:
        """Those in which attempts wait behind the one in hand, or of which nobody knows what is in hand."""
        return (slot.stint for slot in self._slots if isinstance(slot.stint, Series) and slot.stint.waits)

    def _unpark(self) -> Slot:
        slot = self._parked.pop()
        slot.parked = False
        self.awake += 1
        return slot

    def set_going(self, slot: Slot) -> None:
        """Wake a worker that `wake_for`, `look` or `dismiss` returned; not under the driver's lock."""
        if slot.thread is None:
            self._start(slot)
        else:
            slot.wake()
