"""Small items of a map that go to one worker together: one slot, and still an attempt each."""

from __future__ import annotations

from typing import Any, List

import pytest

from flowdsl.engine import events as ev
from flowdsl.engine.batches import MOST, TARGET, Batches
from flowdsl.engine.policy import Kind
from tests.engine.script import CANCEL, CLAIM, KINDS, THREAD, Script, begun, lost, raised, returned, stopped, task

POOL = Kind("pool", begins_at_launch=False, batches=True)
KINDS["pool"] = POOL


def warmed(size: int, *, workers: int = 1, **options: object) -> Script:
    """A map of which one item has run, in 10 ms, so that the rest may go out together."""
    run = Script(task("each", over="", kind=POOL, **options), workers=workers)  # type: ignore[arg-type]
    run(ev.Sized("each", size))
    run(CLAIM)
    run(begun("each[0]"), at=1.0)
    run(returned("each[0]"), at=1.01)
    return run


def batch(run: Script) -> List[str]:
    return run(CLAIM)


def test_items_go_out_one_by_one_until_it_is_known_what_they_take() -> None:
    run = Script(task("each", over="", kind=POOL), workers=2)
    run(ev.Sized("each", 100))
    assert run(CLAIM) == ["launch each[0]#1"]
    assert run(CLAIM) == ["launch each[1]#1"]


def test_a_batch_takes_one_slot_and_half_of_what_waits() -> None:
    run = warmed(9)
    assert batch(run) == ["launchbatch each[1]#1 each[2]#1 each[3]#1 each[4]#1"]
    assert run(CLAIM) == []
    assert run.machine.busy == 1


def test_tasks_go_out_together_too_once_it_is_known_that_they_are_short() -> None:
    run = Script(*(task("t%d" % number, kind=POOL) for number in range(9)), workers=1)
    assert run(CLAIM) == ["launch t0#1"]
    run(begun("t0"), at=1.0)
    run(returned("t0"), at=1.01)
    assert run(CLAIM) == ["launchbatch t1#1 t2#1 t3#1 t4#1"]


def test_one_task_that_took_long_sends_the_next_ones_out_alone() -> None:
    run = Script(*(task("t%d" % number, kind=POOL) for number in range(9)), workers=2)
    run(CLAIM)
    run(CLAIM)
    run(begun("t0"), at=1.0)
    run(begun("t1"), at=1.0)
    run(returned("t0"), at=1.01)
    run(returned("t1"), at=3.0)
    assert run(CLAIM) == ["launch t2#1"]


def test_a_task_that_holds_a_named_limit_goes_out_alone_and_is_no_ones_companion() -> None:
    run = Script(
        task("t0", kind=POOL),
        task("t1", kind=POOL),
        task("t2", kind=POOL, uses=("db",)),
        *(task("t%d" % number, kind=POOL) for number in range(3, 9)),
        workers=2,
        limits={"db": 1},
    )
    run(CLAIM)
    run(begun("t0"), at=1.0)
    run(returned("t0"), at=1.01)
    assert run(CLAIM) == ["launch t1#1"]
    assert run(CLAIM) == ["launch t2#1"]


def test_begin_and_end_may_be_told_at_once() -> None:
    run = warmed(6)
    assert batch(run) == ["launchbatch each[1]#1 each[2]#1 each[3]#1"]
    ran = ev.Ran([("each[1]", 1), ("each[2]", 1)], 1.02, [1.03, 1.04])
    assert run(ran, at=1.04) == [
        "each[1]#1 ready>running started",
        "each[1]#1 running>succeeded returned",
        "each[2]#1 ready>running started",
        "each[2]#1 running>succeeded returned",
    ]
    assert run(ran) == [], "once"
    assert run.machine.busy == 1


def test_what_is_given_back_while_another_member_runs_may_go_out_elsewhere() -> None:
    run = Script(task("each", over="", kind=POOL), workers=2)
    run(ev.Sized("each", 20))
    run(CLAIM)
    run(begun("each[0]"), at=1.0)
    run(returned("each[0]"), at=1.01)
    assert batch(run) == ["launchbatch each[1]#1 each[2]#1 each[3]#1 each[4]#1 each[5]#1"]
    run(begun("each[1]"), at=1.02)
    for number in (2, 3, 4, 5):
        assert run(ev.Returned("each[%d]" % number, 1), at=1.2) == []
    assert run.machine.busy == 1
    assert run(CLAIM) == ["launchbatch each[2]#1 each[3]#1 each[4]#1 each[5]#1 each[6]#1"]
    run(returned("each[1]"), at=5.0)
    assert run.machine.busy == 1


def test_its_slot_is_free_when_its_last_member_has_ended() -> None:
    run = warmed(5)
    assert batch(run) == ["launchbatch each[1]#1 each[2]#1"]
    run(begun("each[1]"))
    run(returned("each[1]"))
    assert (run.machine.busy, run(CLAIM)) == (1, [])
    run(begun("each[2]"))
    run(returned("each[2]"))
    assert run(CLAIM) == ["launch each[3]#1"]


def test_a_death_charges_the_member_that_had_begun_and_gives_the_others_back() -> None:
    run = warmed(7)
    assert batch(run) == ["launchbatch each[1]#1 each[2]#1 each[3]#1"]
    run(begun("each[1]"))
    assert run(raised("each[1]", cause="worker_died")) == ["each[1]#1 running>failed worker_died"]
    assert run(ev.Returned("each[2]", 1)) == []
    assert run.machine.busy == 1
    assert run(ev.Returned("each[3]", 1)) == []
    assert run.machine.busy == 0
    assert "each[2]#1" in run(CLAIM)[0]


def test_however_often_an_attempt_is_given_back_it_is_not_to_blame() -> None:
    run = warmed(40)
    for _ in range(8):
        first = run(CLAIM)[0].split()[1]
        name = first[: -len("#1")]
        run(begun(name))
        run(raised(name, cause="worker_died"))
        for number in range(40):
            run(ev.Returned(f"each[{number}]", 1))
    assert "worker_unavailable" not in {event.cause for event in run.events}


def test_a_worker_that_dies_before_any_member_began_is_lost_to_the_first() -> None:
    run = warmed(5)
    batch(run)
    assert run(lost("each[1]")) == []
    assert run(ev.Returned("each[2]", 1)) == []
    assert run(CLAIM) == ["launchbatch each[1]#1 each[2]#1"]


def test_the_deadline_of_a_member_counts_from_its_own_begin() -> None:
    run = warmed(5, timeout=1.0)
    batch(run)
    run(begun("each[1]"), at=2.0)
    run(returned("each[1]"), at=2.9)
    assert run.machine.next_due() is None
    run(begun("each[2]"), at=2.9)
    assert run.machine.next_due() == 3.9


def test_a_cancel_calls_every_member_back() -> None:
    run = warmed(5)
    batch(run)
    run(begun("each[1]"))
    told = run(CANCEL)
    assert {line for line in told if line.startswith("stop")} == {
        "stop each[1]#1 cancel_requested",
        "stop each[2]#1 cancel_requested",
    }
    run(stopped("each[1]", mechanism="killed"))
    assert run(ev.Returned("each[2]", 1))[0] == "each[2] ready>cancelled cancel_requested"
    assert run.ended == "cancelled cancel_requested"


def test_items_that_hold_a_limit_do_not_wait_for_each_other_behind_it() -> None:
    run = Script(task("each", over="", kind=POOL, uses=("db",)), workers=1, limits={"db": 1})
    run(ev.Sized("each", 9))
    run(CLAIM)
    run(begun("each[0]"), at=1.0)
    run(returned("each[0]"), at=1.001)
    assert run(CLAIM) == ["launch each[1]#1"]


def test_a_batch_is_never_longer_than_the_target() -> None:
    batches = Batches(2)
    batches.began.update({1: 0.0, 2: 0.0})
    batches.end(1, {1: 7}, TARGET / 3)
    assert batches.most(7, 10_000) == 3
    batches.began[3] = 0.0
    batches.end(3, {3: 9}, 1e-6)
    assert batches.most(9, 1_000_000) == MOST
    batches.end(2, {2: 8}, 10 * TARGET)
    assert batches.most(8, 10_000) == 1


# ---- asked for by the worker

SEVERAL = ev.Claim(most=4)


def threads(*changes: Any, count: int = 8) -> Script:
    nodes = [task("t%d" % number, kind=THREAD) for number in range(count)]
    for number, change in enumerate(changes):
        nodes[number] = task("t%d" % number, kind=THREAD, **change)
    return Script(*nodes, workers=2)


def test_a_worker_may_ask_for_several_and_none_of_them_has_begun() -> None:
    run = threads()
    assert run(SEVERAL) == ["launchbatch t0#1 t1#1 t2#1 t3#1"]
    assert run.machine.busy == 1
    assert run(ev.Ran((("t0", 1), ("t1", 1)), 0.5, (0.8, 1.0), {"worker": "thread-1"}), at=1.0) == [
        "t0#1 ready>running started",
        "t0#1 running>succeeded returned",
        "t1#1 ready>running started",
        "t1#1 running>succeeded returned",
    ]
    assert run(ev.Ran((("t1", 1),), 0.8, (1.0,))) == [], "once"
    assert run.machine.busy == 1
    run(ev.Returned("t3", 1))
    run(ev.Ran((("t2", 1),), 1.0, (1.0,)))
    assert run.machine.busy == 0
    assert run(CLAIM) == ["t3#1 ready>running started", "launch t3#1"]


@pytest.mark.parametrize("change", [{"timeout": 5.0}, {"priority": 1.0}])
def test_what_has_to_be_watched_or_comes_first_goes_out_alone(change: Any) -> None:
    run = threads(change)
    assert run(SEVERAL)[-1] == "launch t0#1"


def test_few_go_out_one_by_one() -> None:
    run = threads(count=3)
    assert run(SEVERAL)[-1] == "launch t0#1"


def test_a_time_limit_ends_the_series_before_it() -> None:
    run = threads({}, {}, {"timeout": 5.0})
    assert run(SEVERAL) == ["launchbatch t0#1 t1#1"]
    assert run(SEVERAL)[-1] == "launch t2#1"
