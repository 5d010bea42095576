"""Workers that tell their begin, that die before it, and executors that refuse an attempt or give it back."""

from __future__ import annotations

import pytest

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from tests.engine.script import ASYNC, CANCEL, CLAIM, PROCESS, REMOTE, TICK, Script, begun, lost, raised, returned, task


def test_an_attempt_is_running_once_its_worker_says_so() -> None:
    run = Script(task("a", kind=PROCESS))
    assert run(CLAIM) == ["launch a#1"]
    assert run.states() == {"a": "ready"}
    assert run(ev.Begun("a", 1, {"worker": "w1"})) == ["a#1 ready>running started"]
    assert run.events[-1].detail == {"worker": "w1"}


def test_what_is_launched_takes_a_slot_before_it_begins() -> None:
    run = Script(task("a", kind=PROCESS), task("b", kind=PROCESS), workers=1)
    assert run.claim(2) == ["a#1"]


def test_a_begin_told_twice_counts_once() -> None:
    run = Script(task("a", kind=PROCESS))
    run(CLAIM)
    run(begun("a"))
    assert run(begun("a")) == []
    run(returned("a"))
    assert run(begun("a")) == []


@pytest.mark.parametrize("attempt", [0, 2])
def test_a_begin_of_another_attempt_is_dropped(attempt: int) -> None:
    run = Script(task("a", kind=PROCESS))
    run(CLAIM)
    assert run(begun("a", attempt)) == []


def test_an_outcome_before_the_begin_implies_it() -> None:
    run = Script(task("a", kind=PROCESS, retry=Retry(1)))
    run(CLAIM)
    assert run(raised("a"))[:2] == ["a#1 ready>running started", "a#1 running>retry_wait retry (raised)"]
    assert run(begun("a")) == []
    run(CLAIM)
    assert run(returned("a", 2))[:2] == ["a#2 ready>running started", "a#2 running>succeeded returned"]


def test_a_worker_that_dies_before_the_begin_costs_no_attempt() -> None:
    run = Script(task("a", kind=PROCESS), workers=1)
    run(CLAIM)
    assert run(lost("a")) == []
    assert run.machine.busy == 0
    assert run.claim() == ["a#1"]


def test_five_lost_workers_in_a_row_are_an_error() -> None:
    run = Script(task("a", kind=PROCESS, retry=Retry(3)), task("b", "a"))
    for _ in range(4):
        run(CLAIM)
        assert run(lost("a")) == []
    run(CLAIM)
    assert run(lost("a")) == [
        "a ready>failed worker_unavailable",
        "b pending>upstream_failed upstream_failed by a",
        "run running>failed tasks_failed by a",
        "close failed",
    ]


def test_a_begin_ends_the_row_of_lost_workers() -> None:
    run = Script(task("a", kind=PROCESS, retry=Retry(1)))
    for _ in range(4):
        run(CLAIM)
        run(lost("a"))
    run(CLAIM)
    run(begun("a"))
    run(raised("a"))
    for _ in range(4):
        run(CLAIM)
        assert run(lost("a", 2)) == []


def test_a_begin_ends_the_row_of_lost_workers_even_if_its_attempt_is_left_behind() -> None:
    run = Script(task("a", kind=REMOTE, timeout=1, retry=Retry(1, retry_abandoned=True)))
    for _ in range(4):
        run(CLAIM)
        run(lost("a"))
    run(CLAIM)
    run(begun("a"))
    run(TICK, at=1.0)
    assert run(TICK, at=1.1)[0] == "a#1 running>retry_wait retry (timeout) [abandoned]"
    run(CLAIM)
    assert run(lost("a", 2)) == []


def test_a_worker_that_dies_after_it_began_costs_the_attempt() -> None:
    run = Script(task("a", kind=PROCESS, retry=Retry(1)))
    run(CLAIM)
    run(begun("a"))
    assert run(lost("a"))[0] == "a#1 running>retry_wait retry (worker_died)"
    run(CLAIM)
    run(begun("a", 2))
    assert run(lost("a", 2))[0] == "a#2 running>failed worker_died"


def test_a_loss_gives_the_named_limits_back() -> None:
    run = Script(task("a", kind=PROCESS, uses=("db",), rank=2), task("b", kind=PROCESS, uses=("db",)), limits={"db": 1})
    assert run.claim(2) == ["a#1"]
    run(lost("a"))
    assert run.claim(2) == ["a#1"]


def test_a_loss_of_another_attempt_is_dropped() -> None:
    run = Script(task("a", kind=PROCESS))
    run(CLAIM)
    assert run(lost("a", 2)) == []
    run(begun("a"))
    run(returned("a"))
    assert run(lost("a")) == []


def test_where_launched_counts_as_begun_a_loss_takes_the_begin_back() -> None:
    run = Script(task("a", kind=ASYNC, timeout=9))
    run(CLAIM)
    assert run(lost("a"), at=1.0) == ["a#1 running>ready requeued"]
    assert run.machine.next_due() is None
    assert run(CLAIM, at=2.0) == ["a#1 ready>running started", "launch a#1"]
    assert run.machine.next_due() == 11.0


def test_five_losses_in_a_row_are_an_error_there_too() -> None:
    run = Script(task("a", kind=ASYNC))
    for _ in range(4):
        run(CLAIM)
        run(lost("a"))
    run(CLAIM)
    assert run(lost("a"))[:2] == ["a#1 running>ready requeued", "a ready>failed worker_unavailable"]


def test_an_outcome_ends_the_row_of_losses_there_too() -> None:
    run = Script(task("a", kind=ASYNC, retry=Retry(1)))
    for attempt in (1, 2):
        for _ in range(4):
            run(CLAIM)
            assert run(lost("a", attempt)) == [f"a#{attempt} running>ready requeued"]
        run(CLAIM)
        run(raised("a", attempt))
    assert run.states() == {"a": "failed"}


def test_the_worker_of_an_attempt_that_was_left_behind_may_die_while_the_next_one_runs() -> None:
    run = Script(task("a", timeout=1, retry=Retry(1, retry_abandoned=True)))
    run(CLAIM)
    run(TICK, at=1.0)
    run(TICK, at=1.1)
    run(CLAIM)
    assert run(lost("a", 1)) == ["a#1 attempt_released running"]


def test_a_worker_that_dies_while_it_is_told_to_stop_has_stopped() -> None:
    run = Script(task("a", kind=ASYNC, timeout=1, retry=Retry(1)))
    run(CLAIM)
    run(TICK, at=1.0)
    assert run(lost("a"))[0] == "a#1 running>retry_wait retry (timeout) [killed]"


def test_what_cannot_be_sent_fails_without_an_attempt() -> None:
    run = Script(task("a", kind=PROCESS, retry=Retry(3)))
    run(CLAIM)
    assert run(raised("a", cause="unpicklable"))[0] == "a ready>failed unpicklable"
    assert run.machine.busy == 0


def test_an_executor_that_can_start_no_worker_fails_the_task_without_an_attempt() -> None:
    run = Script(task("a", kind=PROCESS, retry=Retry(3)))
    run(CLAIM)
    assert run(raised("a", cause="worker_unavailable"))[0] == "a ready>failed worker_unavailable"


def test_after_a_cancel_what_had_not_begun_is_given_back() -> None:
    run = Script(task("a", kind=PROCESS))
    run(CLAIM)
    assert run(CANCEL) == ["stop a#1 cancel_requested"]
    assert run(ev.Ended("a", 1, "cancelled", "cancel_requested", False, "withdrawn")) == [
        "a ready>cancelled cancel_requested [withdrawn]",
        "run running>cancelled cancel_requested",
        "close cancelled",
    ]


def test_after_a_cancel_what_begins_all_the_same_is_ended() -> None:
    run = Script(task("a", kind=PROCESS))
    run(CLAIM)
    run(CANCEL)
    assert run(begun("a")) == ["a#1 ready>running started"]
    assert run(returned("a"))[0] == "a#1 running>cancelled cancel_requested [cooperative]"


def test_after_a_cancel_an_outcome_still_implies_the_begin() -> None:
    run = Script(task("a", kind=PROCESS))
    run(CLAIM)
    run(CANCEL)
    assert run(returned("a"))[:2] == [
        "a#1 ready>running started",
        "a#1 running>cancelled cancel_requested [cooperative]",
    ]


def test_what_begins_after_a_cancel_has_its_grace_from_there() -> None:
    run = Script(task("a", kind=REMOTE))
    run(CLAIM)
    run(CANCEL)
    assert run.machine.next_due() is None
    run(begun("a"), at=5.0)
    assert run.machine.next_due() == 5.1
    assert run(TICK, at=5.1)[0] == "a#1 running>cancelled cancel_requested [abandoned]"


def test_only_what_was_told_to_stop_can_be_given_back() -> None:
    run = Script(task("a", kind=PROCESS))
    run(CLAIM)
    withdrawn = ev.Ended("a", 1, "cancelled", "cancel_requested", False, "withdrawn")
    assert run(withdrawn)[:2] == ["a#1 ready>running started", "a#1 running>failed raised [withdrawn]"]


def test_a_worker_that_dies_after_a_cancel_is_not_replaced() -> None:
    run = Script(task("a", kind=PROCESS))
    run(CLAIM)
    run(CANCEL)
    assert run(lost("a"))[0] == "a ready>cancelled cancel_requested"


def test_a_claim_may_ask_for_some_kinds_only() -> None:
    run = Script(task("a", rank=9), task("b", kind=PROCESS), task("c", kind=ASYNC))
    assert run(ev.Claim(("process",))) == ["launch b#1"]
    assert run(ev.Claim(("process",))) == []
    assert run(ev.Claim(("process", "async"))) == ["c#1 ready>running started", "launch c#1"]
    assert run.machine.claimable(("thread",)) == 1
    assert run.machine.claimable(("process", "async")) == 0


def test_an_end_and_a_claim_in_one_call_are_what_they_are_in_two() -> None:
    one, two = (Script(task("a"), task("b", "a"), task("c", "a"), workers=1) for _ in range(2))
    assert one(CLAIM) == two(CLAIM)
    for name in "abc":
        events, effects = one.machine.handle(returned(name), 1.0, CLAIM)
        first, then = two.machine.handle(returned(name), 1.0), two.machine.handle(CLAIM, 1.0)
        assert (events, effects) == (first[0] + then[0], first[1] + then[1])
    assert one.machine.state == two.machine.state == "succeeded"
