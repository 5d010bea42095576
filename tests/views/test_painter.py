"""When a view may paint."""

from __future__ import annotations

import threading
from typing import List

import pytest

from flowdsl.views.painter import Painter


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_paints_at_most_five_times_a_second() -> None:
    clock, painted = Clock(), []
    painter = Painter(0.0, clock, cost=lambda: 0.0)
    for tick in range(1000):
        clock.now = 100 + tick / 100
        painter.paint(lambda: painted.append(clock.now))
    assert len(painted) <= 50
    assert min(b - a for a, b in zip(painted, painted[1:])) >= 0.2


def test_a_costly_paint_is_followed_by_twenty_five_times_as_much_rest() -> None:
    clock, cost = Clock(), Clock()
    painter = Painter(0.2, clock, cost)

    def act() -> None:
        cost.now += 0.05

    painter.paint(act)
    assert painter.interval == pytest.approx(1.25)
    clock.now += 1.2
    painter.paint(act)
    assert cost.now == pytest.approx(100.05)
    clock.now += 0.1
    painter.paint(act)
    assert cost.now == pytest.approx(100.1)


def test_a_fault_stays_inside_and_the_third_is_the_last() -> None:
    clock, tries = Clock(), []

    def act() -> None:
        tries.append(1)
        raise RuntimeError("no")

    painter = Painter(0.2, clock)
    for _ in range(10):
        clock.now += 1000
        painter.paint(act)
    assert len(tries) == 3
    assert str(painter.fault) == "no"


def test_a_broken_view_is_closed_all_the_same_and_only_once() -> None:
    clock, closed = Clock(), []
    painter = Painter(0.2, clock)
    for _ in range(5):
        clock.now += 1000
        painter.paint(lambda: 1 / 0)
    painter.close(lambda: closed.append(1))
    painter.close(lambda: closed.append(2))
    painter.paint(lambda: closed.append(3))
    assert closed == [1]


def test_a_keyboard_interrupt_comes_through_and_leaves_the_view_usable() -> None:
    painter, done = Painter(0.2, Clock()), []

    def act() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        painter.paint(act)
    painter.close(lambda: done.append(1))
    assert done == [1]


def test_while_one_thread_paints_another_does_not_wait() -> None:
    inside, leave = threading.Event(), threading.Event()
    painted: List[str] = []
    painter = Painter(0.2, Clock())

    def slow() -> None:
        inside.set()
        leave.wait(10)
        painted.append("first")

    thread = threading.Thread(target=painter.paint, args=(slow,))
    thread.start()
    inside.wait(10)
    painter.paint(lambda: painted.append("second"))
    leave.set()
    thread.join()
    assert painted == ["first"]
