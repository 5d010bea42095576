"""Large runs: no recursion, no growth where there should be none."""

from __future__ import annotations

import random
from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.engine import events as ev
from flowdsl.engine.check import check_batches
from flowdsl.engine.events import Batch
from flowdsl.engine.policy import Node
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.timers import DEADLINE, DELAY, Timers
from tests.engine.script import KINDS, raised, returned, task

LONG = 10_000


def chain(length: int) -> Tuple[Node, ...]:
    return tuple(task(f"t{n}", f"t{n - 1}" if n else "", timeout=60) for n in range(length))


def start(nodes: Tuple[Node, ...], workers: int = 5) -> Tuple[Scheduler, List[Batch]]:
    """A machine with these tasks, and what it has said."""
    machine, batches = Scheduler(KINDS, max_workers=workers), []
    for message in (ev.Start(), ev.Add(nodes), ev.Seal()):
        feed(machine, batches, message)
    return machine, batches


def feed(machine: Scheduler, batches: List[Batch], message: object, now: float = 0.0) -> List[str]:
    """Give the machine an input; the tasks that it launches."""
    events, effects = machine.handle(message, now)
    seq = batches[-1].seq + len(batches[-1].events) if batches else 0
    if events:
        batches.append(Batch(seq, now, tuple(events)))
    return [effect.task for effect in effects if type(effect) is ev.Launch]


def test_a_chain_of_ten_thousand_runs_to_its_end() -> None:
    machine, batches = start(chain(LONG))
    for number in range(LONG):
        assert feed(machine, batches, ev.Claim()) == [f"t{number}"]
        feed(machine, batches, returned(f"t{number}"))
    assert machine.state == "succeeded"
    check_batches(batches, max_workers=1)


def test_the_failure_of_the_head_of_a_chain_of_ten_thousand_reaches_its_end() -> None:
    machine, batches = start(chain(LONG))
    feed(machine, batches, ev.Claim())
    feed(machine, batches, raised("t0"))
    last = batches[-1].events[-2]
    assert (last.task, last.state, last.cause_task) == (f"t{LONG - 1}", "upstream_failed", "t0")
    assert machine.state == "failed"


def test_ten_thousand_dependencies_of_one_task_are_counted_one_by_one() -> None:
    names = [f"t{n}" for n in range(LONG)]
    machine, batches = start((*map(task, names), task("end", " ".join(names))), workers=LONG)
    for name in names:
        assert machine.task_state("end") == "pending"
        feed(machine, batches, ev.Claim())
        feed(machine, batches, returned(name))
    assert machine.task_state("end") == "ready"


def test_a_cancel_of_ten_thousand_ends_them_all_at_once() -> None:
    machine, batches = start(chain(LONG))
    feed(machine, batches, ev.Cancel())
    assert machine.state == "cancelled"
    assert len(batches[-1].events) == LONG + 1


# ---- timers


def test_a_hundred_thousand_dead_deadlines_leave_the_heap() -> None:
    timers = Timers()
    for number in range(100_000):
        timers.set(number, 1000.0 + number, DEADLINE)
        timers.drop(number)
        assert timers.size() <= 64 + 1
    assert (len(timers), timers.next_due()) == (0, None)


def test_dead_deadlines_leave_the_heap_of_the_machine_too() -> None:
    machine, batches = start(chain(1000))
    for number in range(1000):
        feed(machine, batches, ev.Claim(), float(number))
        feed(machine, batches, returned(f"t{number}"), float(number))
    assert machine._timers.size() <= 64 + 1


def test_the_living_stay_when_the_dead_leave() -> None:
    timers = Timers()
    for number in range(1000):
        timers.set(number, float(number), DEADLINE)
    for number in range(1000):
        if number % 10:
            timers.drop(number)
    assert timers.size() <= 2 * 100 + 64 + 1
    due = [timers.pop_due(1000.0) for _ in range(101)]
    assert due == [(number, DEADLINE) for number in range(0, 1000, 10)] + [None]


@given(some.integers(0, 2**32))
def test_timers_are_due_in_the_order_of_their_times_whatever_was_dropped(seed: int) -> None:
    rng = random.Random(seed)
    timers, known = Timers(), {}
    for _ in range(600):
        number = rng.randrange(300)
        if rng.random() < 0.6:
            known[number] = rng.random()
            timers.set(number, known[number], DELAY)
        else:
            known.pop(number, None)
            timers.drop(number)
        assert timers.next_due() == min(known.values(), default=None)
    due = [timers.pop_due(1.0) for _ in range(len(known) + 1)]
    assert due == [(number, DELAY) for number in sorted(known, key=known.__getitem__)] + [None]


def test_a_new_timer_of_a_task_replaces_the_old_one() -> None:
    timers = Timers()
    timers.set(1, 5.0, DEADLINE)
    timers.set(1, 9.0, DELAY)
    assert timers.next_due() == 9.0
    assert timers.pop_due(8.0) is None
    assert timers.pop_due(9.0) == (1, DELAY)
    assert timers.pop_due(99.0) is None


@pytest.mark.parametrize("known", [True, False])
def test_what_is_not_set_may_be_dropped(known: bool) -> None:
    timers = Timers()
    if known:
        timers.set(1, 5.0, DEADLINE)
        timers.drop(1)
    timers.drop(1)
    assert timers.next_due() is None
