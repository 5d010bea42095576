"""Which of the tasks that are ready goes next, and how many may go at once."""

from __future__ import annotations

import random
from typing import Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.engine.queue import ReadyQueue
from tests.engine.script import CLAIM, PROCESS, Script, raised, returned, task


def test_the_longest_remaining_path_goes_first() -> None:
    run = Script(task("a", rank=1), task("b", rank=3), task("c", rank=2))
    assert run.claim(3) == ["b#1", "c#1", "a#1"]


def test_priority_goes_before_any_path() -> None:
    run = Script(
        task("a", rank=9), task("b", priority=1), task("c", priority=-1, rank=99), task("d", priority=1, rank=2)
    )
    assert run.claim(4) == ["d#1", "b#1", "a#1", "c#1"]


def test_equals_go_in_the_order_in_which_they_joined() -> None:
    run = Script(task("c"), task("a"), task("b"))
    assert run.claim(3) == ["c#1", "a#1", "b#1"]


def test_a_retry_keeps_its_place() -> None:
    run = Script(task("a", rank=3), task("b", rank=2), workers=1)
    assert run.claim() == ["a#1"]
    run(raised("a"))
    assert run.claim() == ["b#1"]


def test_never_more_than_max_workers_are_launched() -> None:
    run = Script(*(task(name) for name in "abcde"), workers=2)
    assert run.claim(5) == ["a#1", "b#1"]
    run(returned("a"))
    assert run.claim(5) == ["c#1"]


def test_how_many_claims_would_be_answered_can_be_asked() -> None:
    run = Script(*(task(name) for name in "abc"), workers=2)
    assert run.machine.claimable() == 2
    run(CLAIM)
    assert run.machine.claimable() == 1
    run(CLAIM)
    assert run.machine.claimable() == 0


# ---- named limits


def test_a_limit_holds_back_only_those_that_use_it() -> None:
    run = Script(
        task("a", uses=("db",), rank=4),
        task("b", uses=("db",), rank=3),
        task("c", uses=("db",), rank=2),
        task("d", rank=1),
        limits={"db": 2},
    )
    assert run.claim(5) == ["a#1", "b#1", "d#1"]
    assert run.machine.claimable() == 0
    run(returned("d"))
    assert run.claim(5) == []
    run(returned("a"))
    assert run.claim(5) == ["c#1"]


def test_a_task_takes_all_of_its_limits_or_none() -> None:
    run = Script(
        task("a", uses=("db",), rank=4),
        task("b", uses=("db", "gpu"), rank=3),
        task("c", uses=("gpu",), rank=2),
        limits={"db": 1, "gpu": 1},
    )
    assert run.claim(5) == ["a#1", "c#1"]
    run(returned("a"))
    assert run.claim(5) == []
    run(returned("c"))
    assert run.claim(5) == ["b#1"]


def test_who_is_let_go_and_meets_another_full_limit_passes_its_share_on() -> None:
    run = Script(
        task("a", uses=("db",), rank=9),
        task("b", uses=("gpu",), rank=8),
        task("c", uses=("db", "gpu"), rank=7),
        task("d", uses=("db",), rank=6),
        limits={"db": 1, "gpu": 1},
    )
    assert run.claim(5) == ["a#1", "b#1"]
    run(returned("a"))
    assert run.claim(5) == ["d#1"]


def test_a_share_is_offered_to_every_kind_of_worker() -> None:
    run = Script(
        task("a", uses=("db",), rank=9),
        task("b", uses=("db",), rank=8),
        task("c", kind=PROCESS, uses=("db",), rank=7),
        limits={"db": 1},
    )
    assert run.claim(5) == ["a#1"]
    run(returned("a"))
    assert run(ev.Claim(("process",))) == ["launch c#1"]


def test_a_limit_is_free_while_its_task_waits_for_a_retry() -> None:

    run = Script(task("a", uses=("db",), rank=2, retry=Retry(1, delay=9)), task("b", uses=("db",)), limits={"db": 1})
    run(CLAIM)
    run(raised("a"))
    assert run.claim(2) == ["b#1"]


def test_ten_thousand_that_wait_for_one_limit_are_not_all_woken_each_time() -> None:
    queue = ReadyQueue({"db": 1})
    uses: List[Tuple[str, ...]] = [("db",)] * 10_000
    for number in range(10_000):
        queue.push("thread", (0.0, 0.0, number))
    assert queue.pop(None, uses) == 0
    assert queue.pop(None, uses) is None  # all have met the full limit
    for number in range(1, 10_000):
        queue.give_back(("db",))
        assert queue.waiting() == 1
        assert queue.pop(None, uses) == number


def best_by_looking_at_all(
    ready: Dict[int, Tuple[float, str]], free: Dict[str, int], uses: List[Tuple[str, ...]], kind: str
) -> int:
    """The task that should go, or -1."""
    can = [n for n, (_, k) in ready.items() if kind in ("", k) and all(free[name] > 0 for name in uses[n])]
    return min(can, key=lambda n: (ready[n][0], n), default=-1)


@given(some.integers(0, 2**32))
@pytest.mark.parametrize("limits", [{"x": 1, "y": 2, "z": 1}])
def test_the_queue_hands_out_what_looking_at_all_tasks_would(limits: Dict[str, int], seed: int) -> None:
    rng = random.Random(seed)
    queue, free = ReadyQueue(limits), dict(limits)
    uses = [tuple(rng.sample(sorted(limits), rng.randint(0, 3))) for _ in range(30)]
    ready: Dict[int, Tuple[float, str]] = {}
    out: List[int] = []
    coming = list(range(30))
    for _ in range(120):
        step = rng.random()
        if step < 0.3 and coming:
            number, key, kind = coming.pop(), float(rng.randint(0, 3)), rng.choice("pq")
            ready[number] = (key, kind)
            queue.push(kind, (key, 0.0, number))
        elif step < 0.75:
            kind = rng.choice(("", "", "p", "q"))
            expected = best_by_looking_at_all(ready, free, uses, kind)
            assert queue.waiting() > 0 or expected == -1
            found = queue.pop((kind,) if kind else None, uses)
            assert found == (None if expected == -1 else expected)
            if found is not None:
                del ready[found]
                out.append(found)
                for name in uses[found]:
                    free[name] -= 1
        elif out:
            number = out.pop(rng.randrange(len(out)))
            queue.give_back(uses[number])
            for name in uses[number]:
                free[name] += 1
