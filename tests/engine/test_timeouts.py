"""Timeouts: when they count, what each kind of executor makes of them, and attempts that are left behind."""

from __future__ import annotations

import pytest

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.engine.policy import Kind
from flowdsl.errors import TaskTimeout
from tests.engine.script import (
    ASYNC,
    CLAIM,
    INLINE,
    KINDS,
    PROCESS,
    THREAD,
    TICK,
    Script,
    begun,
    lost,
    raised,
    returned,
    stopped,
    task,
)


def test_a_timeout_counts_from_the_begin_and_not_in_the_queue() -> None:
    run = Script(task("a", kind=PROCESS, timeout=10))
    run(CLAIM, at=5.0)
    assert run.machine.next_due() is None
    run(begun("a"), at=8.0)
    assert run.machine.next_due() == 18.0


def test_for_kinds_that_begin_at_launch_it_counts_from_there() -> None:
    run = Script(task("a", timeout=10))
    run(CLAIM, at=5.0)
    assert run.machine.next_due() == 15.0


def test_an_end_in_time_takes_the_deadline_away() -> None:
    run = Script(task("a", timeout=10))
    run(CLAIM)
    run(returned("a"), at=9.0)
    assert run.machine.next_due() is None
    assert run.states() == {"a": "succeeded"}


def test_a_tick_before_the_deadline_does_nothing() -> None:
    run = Script(task("a", timeout=10))
    run(CLAIM)
    assert run(TICK, at=9.9) == []
    assert run.machine.next_due() == 10.0


def test_a_process_is_stopped_and_its_end_is_a_timeout() -> None:
    run = Script(task("a", kind=PROCESS, timeout=10))
    run(CLAIM)
    run(begun("a"))
    assert run(TICK, at=10.0) == ["stop a#1 timeout"]
    assert run.machine.next_due() is None  # it always ends
    assert run(stopped("a", mechanism="killed"), at=10.2)[0] == "a#1 running>timed_out timeout [killed]"


def test_a_result_that_comes_after_the_stop_is_too_late() -> None:
    run = Script(task("a", kind=PROCESS, timeout=10))
    run(CLAIM)
    run(begun("a"))
    run(TICK, at=10.0)
    assert run(returned("a"), at=10.1)[0] == "a#1 running>timed_out timeout [cooperative]"


def test_a_coroutine_is_cancelled() -> None:
    run = Script(task("a", kind=ASYNC, timeout=1))
    run(CLAIM)
    assert run(TICK, at=1.0) == ["stop a#1 timeout"]
    assert run(stopped("a", mechanism="cancelled"))[0] == "a#1 running>timed_out timeout [cancelled]"


def test_a_thread_that_notices_in_time_ends_by_itself() -> None:
    run = Script(task("a", timeout=1))
    run(CLAIM)
    assert run(TICK, at=1.0) == ["stop a#1 timeout"]
    assert run.machine.next_due() == 1.1
    assert run(stopped("a"), at=1.05)[0] == "a#1 running>timed_out timeout [cooperative]"
    assert run.machine.abandoned() == []


def test_a_thread_that_does_not_is_left_behind_and_its_slot_is_free_again() -> None:
    run = Script(task("a", timeout=1), task("b"), workers=1)
    run(CLAIM)
    run(TICK, at=1.0)
    assert run(TICK, at=1.1) == ["a#1 running>timed_out timeout [abandoned]"]
    assert run.machine.abandoned() == [("a", 1)]
    assert run.claim() == ["b#1"]


def test_the_late_result_of_a_thread_that_was_left_behind_is_dropped_and_its_end_is_told() -> None:
    run = Script(task("a", timeout=1), task("b"))
    run.claim(2)
    run(TICK, at=1.0)
    run(TICK, at=1.1)
    assert run(returned("a"), at=30.0) == ["a#1 attempt_released timed_out"]
    assert run.machine.abandoned() == []
    assert run.states()["a"] == "timed_out"


def test_after_the_run_the_end_of_a_thread_that_was_left_behind_is_not_told() -> None:
    run = Script(task("a", timeout=1))
    run(CLAIM)
    run(TICK, at=1.0)
    assert run(TICK, at=1.1)[1:] == ["run running>failed tasks_failed by a", "close failed"]
    assert run.events[-1].detail == {"abandoned": ["a"]}
    assert run(returned("a"), at=2.0) == []
    assert run.machine.abandoned() == []


def test_that_its_worker_died_is_the_end_of_an_attempt_that_was_left_behind() -> None:
    run = Script(task("a", timeout=1), task("b"))
    run.claim(2)
    run(TICK, at=1.0)
    run(TICK, at=1.1)
    assert run(lost("a"), at=2.0) == ["a#1 attempt_released timed_out"]


def test_an_executor_may_say_itself_that_it_left_the_attempt_behind() -> None:
    run = Script(task("a", timeout=1), task("b"))
    run.claim(2)
    run(TICK, at=1.0)
    assert run(stopped("a", mechanism="abandoned"))[0] == "a#1 running>timed_out timeout [abandoned]"
    assert run(stopped("a", mechanism="abandoned")) == []
    assert run.machine.abandoned() == [("a", 1)]
    assert run(returned("a")) == ["a#1 attempt_released timed_out"]


def test_a_late_tick_stops_and_leaves_behind_in_turn() -> None:
    run = Script(task("a", timeout=1))
    run(CLAIM)
    assert run(TICK, at=50.0) == ["stop a#1 timeout"]
    assert run(TICK, at=50.1)[0] == "a#1 running>timed_out timeout [abandoned]"


def test_without_grace_it_is_left_behind_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "thread", THREAD._replace(grace=0.0))
    run = Script(task("a", timeout=1))
    run(CLAIM)
    assert run(TICK, at=1.0) == [
        "a#1 running>timed_out timeout [abandoned]",
        "run running>failed tasks_failed by a",
        "stop a#1 timeout",
        "close failed",
    ]


# ---- retries of timeouts


@pytest.mark.parametrize("kind", [PROCESS, ASYNC], ids=["process", "async"])
def test_what_can_be_ended_is_retried_after_a_timeout(kind: Kind) -> None:
    run = Script(task("a", kind=kind, timeout=1, retry=Retry(1)))
    run(CLAIM)
    run(begun("a"))
    run(TICK, at=1.0)
    lines = run(stopped("a"), at=1.1)
    assert lines == ["a#1 running>retry_wait retry (timeout) [cooperative]", "a retry_wait>ready delay_over"]


@pytest.mark.parametrize("obeys", [True, False])
def test_a_thread_is_not_retried_after_a_timeout(obeys: bool) -> None:
    run = Script(task("a", timeout=1, retry=Retry(1)))
    run(CLAIM)
    run(TICK, at=1.0)
    lines = run(stopped("a"), at=1.05) if obeys else run(TICK, at=1.1)
    assert lines[0].startswith("a#1 running>timed_out timeout")


def test_a_thread_is_retried_beside_itself_when_it_may() -> None:
    run = Script(task("a", timeout=1, retry=Retry(1, retry_abandoned=True)))
    run(CLAIM)
    run(TICK, at=1.0)
    assert run(TICK, at=1.1)[0] == "a#1 running>retry_wait retry (timeout) [abandoned]"
    assert run.claim() == ["a#2"]
    assert run(returned("a", 1)) == ["a#1 attempt_released running"]
    assert run(returned("a", 2))[0] == "a#2 running>succeeded returned"


def test_whatever_its_kind_an_attempt_left_behind_is_not_retried_beside_itself() -> None:
    run = Script(task("a", kind=PROCESS, timeout=1, retry=Retry(1)))
    run(CLAIM)
    run(begun("a"))
    run(TICK, at=1.0)
    assert run(stopped("a", mechanism="abandoned"))[0] == "a#1 running>timed_out timeout [abandoned]"


@pytest.mark.parametrize("retry", [Retry(1, retry_on=OSError), Retry(1, give_up_on=TaskTimeout)], ids=["on", "give_up"])
def test_retry_on_and_give_up_on_count_for_timeouts_too(retry: Retry) -> None:
    run = Script(task("a", kind=PROCESS, timeout=1, retry=retry))
    run(CLAIM)
    run(begun("a"))
    run(TICK, at=1.0)
    assert run(stopped("a", mechanism="killed"))[0] == "a#1 running>timed_out timeout [killed]"


def test_a_timeout_of_the_last_attempt_is_one_final_record() -> None:
    run = Script(task("a", kind=PROCESS, timeout=1, retry=Retry(1)))
    for attempt in (1, 2):
        run(CLAIM)
        run(begun("a", attempt))
        run(TICK, at=run.now + 1.0)
        run(stopped("a", attempt, "killed"))
    final = [event.state for event in run.events if event.task == "a" and event.state in ("failed", "timed_out")]
    assert final == ["timed_out"]
    assert run.ended == "failed tasks_failed a"


def test_the_next_attempt_has_a_deadline_of_its_own() -> None:
    run = Script(task("a", timeout=10, retry=Retry(1)))
    run(CLAIM)
    run(raised("a"), at=9.0)
    assert run.machine.next_due() is None
    run(CLAIM, at=9.5)
    assert run.machine.next_due() == 19.5


# ---- too many left behind


def abandon(run: Script, *names: str) -> None:
    """Let these tasks be launched, time out, and be left behind."""
    for name in names:
        assert run.claim() == [f"{name}#1"]
        run(TICK, at=run.now + 1.0)
        run(TICK, at=run.now + 0.1)


def test_as_many_as_workers_may_be_left_behind_and_one_more_ends_the_run() -> None:
    run = Script(*(task(name, timeout=1) for name in "abcd"), task("e"), workers=3)
    abandon(run, "a", "b", "c")
    assert run.machine.abandoned() == [("a", 1), ("b", 1), ("c", 1)]
    assert run.states()["e"] == "ready"
    abandon(run, "d")
    assert run.ended == "failed too_many_abandoned d"
    assert run.states()["e"] == "cancelled"
    assert run.events[-1].detail == {"abandoned": ["a", "b", "c", "d"]}


def test_those_that_have_come_to_their_end_do_not_count() -> None:
    run = Script(*(task(name, timeout=1) for name in "abcd"), task("e"), workers=3)
    abandon(run, "a", "b", "c")
    run(returned("a"))
    abandon(run, "d")
    assert run.states()["e"] == "ready"


def test_when_nobody_replaces_the_worker_the_last_slot_must_not_be_left_behind() -> None:
    run = Script(task("a", kind=INLINE, timeout=1), task("b", kind=INLINE), workers=1)
    run(CLAIM)
    run(TICK, at=1.0)
    assert run(TICK, at=1.1) == [
        "a#1 running>timed_out timeout [abandoned]",
        "b ready>cancelled too_many_abandoned by a",
        "run running>failed too_many_abandoned by a",
        "close failed",
    ]


def test_a_slot_that_is_kept_comes_back_with_its_attempt() -> None:
    run = Script(task("a", kind=INLINE, timeout=1), task("b", kind=INLINE), task("c", kind=INLINE), workers=2)
    abandon(run, "a")
    assert run.claim(2) == ["b#1"]
    run(returned("a"))
    assert run.claim() == ["c#1"]


def test_tasks_that_join_when_no_slot_is_left_end_the_run() -> None:
    run = Script(task("a", kind=INLINE, timeout=1), workers=1, sealed=False)
    abandon(run, "a")
    assert run.machine.state == "running"
    assert run.add(task("b", kind=INLINE)) == [
        "b pending>ready dependencies_met",
        "b ready>cancelled too_many_abandoned by a",
        "run running>failed too_many_abandoned by a",
        "close failed",
    ]


def test_a_limit_that_only_an_attempt_left_behind_holds_ends_the_run_when_nothing_else_goes_on() -> None:
    run = Script(task("a", timeout=1, uses=("db",), rank=9), task("b", uses=("db",)), task("c"), limits={"db": 1})
    abandon(run, "a")
    assert run.claim(2) == ["c#1"]
    assert run.states()["b"] == "ready"
    assert run(returned("c")) == [
        "c#1 running>succeeded returned",
        "b ready>cancelled too_many_abandoned by a",
        "run running>failed too_many_abandoned by a",
        "close failed",
    ]


def test_a_limit_comes_back_with_the_attempt_that_was_left_behind() -> None:
    run = Script(task("a", timeout=1, uses=("db",), rank=9), task("b", uses=("db",)), task("c"), limits={"db": 1})
    abandon(run, "a")
    assert run.claim(2) == ["c#1"]
    run(returned("a"))
    assert run.claim() == ["b#1"]


def test_an_executor_that_leaves_attempts_behind_without_being_told_is_counted_too() -> None:
    run = Script(task("a"), task("b"), task("c"), workers=1)
    for name in "ab":
        run(CLAIM)
        run(ev.Ended(name, 1, "failed", "worker_died", True, "abandoned"))
    assert run.ended == "failed too_many_abandoned b"
