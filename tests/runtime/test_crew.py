"""Who is awake and who is parked, step by step without threads: work that is there must always find a worker."""

from __future__ import annotations

import random
import threading
from types import SimpleNamespace
from typing import Any, Callable, List

import pytest

from flowdsl.engine.events import Claim
from flowdsl.executors.current import Current
from flowdsl.executors.outcome import Outcome
from flowdsl.executors.threads import KIND
from flowdsl.runtime.crew import LONGEST_WATCH, WATCH, Crew, Slot
from flowdsl.runtime.stint import Single
from flowdsl.runtime.workers import LEAVE, REST, Workers

SEEDS = 400
STEPS = 150


class World:
    """Workers, a watch and whoever makes work, whose steps come in any order; `ready` attempts wait for a worker.

    A wake is a step of its own, for it is given when the lock is free: it may come before its worker sleeps.
    """

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.size = self.draw.randint(1, 4)
        self.short = self.draw.choice([0.0, 0.3, 1.0])  # the share of attempts that take no time
        self.ready = self.draw.randint(1, 30)
        self.crew = Crew(self.size, self._started)
        self.wakes: List[Slot] = []  # decided and not given
        self.turning: List[Slot] = []  # awake, on the way to the lock
        self.parking: List[Slot] = []  # asleep, or on the way there
        self.busy: List[Slot] = []  # with an attempt that may never end
        self.left: List[Slot] = []  # busy and abandoned
        self.crew.set_going(self.crew.add())

    def _started(self, slot: Slot) -> None:
        slot.thread = threading.current_thread()
        self.turning.append(slot)

    def pick(self, slots: List[Slot]) -> Slot:
        return slots.pop(self.draw.randrange(len(slots)))

    # ---- the steps

    def turn(self, slot: Slot) -> None:
        """What a worker does under the lock: hand its attempt in, and take the next one or rest."""
        self.crew.came_back(slot)
        slot.stint = None
        if slot.abandoned:
            self.crew.leave(slot)
        elif self.crew.should_rest() or not self.ready:
            self.crew.rest(slot)
            self.parking.append(slot)
        else:
            self.ready -= 1
            self.begin(slot)
        self.wake_for_ready()

    def begin(self, slot: Slot) -> None:
        quick = self.draw.random() < self.short
        slot.stint = Single(Current("t", 1))
        slot.in_user_code = self.draw.random() < 0.5
        seconds = 0.0 if quick else self.draw.choice([0.0, 1.0])
        slot.stint.outcome = Outcome("succeeded", "returned", seconds=seconds)
        (self.turning if quick else self.busy).append(slot)

    def wake_for_ready(self) -> None:
        self.wakes += self.crew.wake_for(self.ready)

    def park(self) -> None:
        """One worker on its way to sleep, or asleep, goes on if it has been woken."""
        slot = self.pick(self.parking)
        awake = slot._gate.acquire(blocking=False)
        (self.turning if awake else self.parking).append(slot)

    def give_wake(self) -> None:
        self.crew.set_going(self.pick(self.wakes))

    def look(self) -> None:
        self.wakes += self.crew.look(self.ready)

    def more(self) -> None:
        """A delay is over; it may be that nobody is awake."""
        self.ready += self.draw.randint(1, 5)
        self.wake_for_ready()

    def abandon(self) -> None:
        slot = self.pick(self.busy)
        self.crew.abandon(slot)
        self.left.append(slot)
        self.wake_for_ready()

    # ---- any order, and to the end

    def possible(self) -> List[Callable[[], None]]:
        steps: List[Callable[[], None]] = [self.look]
        steps += [lambda: self.turn(self.pick(self.turning))] * 4 if self.turning else []
        steps += [self.park] * 2 if self.parking else []
        steps += [self.give_wake] * 2 if self.wakes else []
        steps += [lambda: self.turn(self.pick(self.busy)), self.abandon] if self.busy else []
        steps += [lambda: self.turn(self.pick(self.left))] if self.left else []
        return steps + ([self.more] if not self.ready else [])

    def settle(self) -> None:
        """Everything goes on but the busy ones; the watch looks while there is work."""
        for _ in range(60):
            while self.turning or self.wakes:
                if self.turning:
                    self.turn(self.pick(self.turning))
                if self.wakes:
                    self.give_wake()
                for _ in self.parking[:]:
                    self.park()
            for _ in self.parking[:]:
                self.park()
            self.look()


@pytest.mark.parametrize("part", range(4))
def test_work_that_is_there_finds_a_worker_in_whatever_order_things_happen(part: int) -> None:
    for seed in range(part, SEEDS, 4):
        world = World(seed)
        for _ in range(STEPS):
            world.draw.choice(world.possible())()
        world.settle()
        everybody_is_busy = len(world.busy) == world.size
        assert not world.ready or everybody_is_busy, "seed %d: %d attempts wait for ever" % (seed, world.ready)
        assert world.crew.awake == sum(not slot.slow for slot in world.busy), "seed %d miscounts" % seed


def test_one_who_is_woken_before_he_sleeps_uses_up_that_wake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next sleep would end at once, or the next wake would be the second one."""
    steps: List[str] = [LEAVE, REST]

    def turn(self: Workers, slot: Slot) -> str:
        if len(steps) == 2:
            slot.wake()  # by another worker, after the lock was free and before this one sleeps
        return steps.pop()

    monkeypatch.setattr(Workers, "_turn", turn)
    slot = Slot("thread-1")
    slot.claims = (Claim(), Claim())
    slot.parked = False  # the other worker has said so already
    _workers().work(slot)
    assert not steps
    assert slot._gate.locked()


def _workers() -> Workers:
    def never(*_: Any) -> None:
        raise AssertionError

    nothing: Any = SimpleNamespace(together=1)
    return Workers(
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        kind=KIND,
        pushed=False,
        carry_out=never,
        give_up=never,
    )


def test_the_watch_comes_less_often_while_all_come_back_and_at_once_when_one_does_not() -> None:
    crew = Crew(2, lambda slot: None)
    slot = crew.add()
    slot.stint = Single(Current("a", 1))
    watches = []
    for _ in range(4):
        crew.came_back(slot)
        crew.look(0)
        watches.append(crew.watch)
    assert watches == [2 * WATCH, LONGEST_WATCH, LONGEST_WATCH, LONGEST_WATCH]
    crew.look(0)
    assert slot.slow
    assert crew.watch == WATCH
