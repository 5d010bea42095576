"""How a run ends: by itself, by a failure that stops it, or by a cancel."""

from __future__ import annotations

import pytest

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from tests.engine.script import (
    CANCEL,
    CLAIM,
    PROCESS,
    TICK,
    Script,
    begun,
    raised,
    returned,
    skipped,
    stopped,
    task,
)


def test_an_empty_graph_is_a_success_with_no_tasks() -> None:
    run = Script()
    assert run.sealed == ["run running>succeeded all_done", "close succeeded"]
    assert run.states() == {}


def test_the_run_ends_with_its_last_task() -> None:
    run = Script(task("a"), task("b"))
    run.claim(2)
    assert run(returned("a")) == ["a#1 running>succeeded returned"]
    assert run(returned("b")) == [
        "b#1 running>succeeded returned",
        "run running>succeeded all_done",
        "close succeeded",
    ]


def test_the_first_failure_is_named_at_the_end() -> None:
    run = Script(task("a"), task("b"), task("c"))
    run.claim(3)
    run(raised("c"))
    run(raised("a"))
    run(returned("b"))
    assert run.ended == "failed tasks_failed c"


def test_the_run_begins_once_and_says_what_it_was_told() -> None:
    run = Script()
    assert [event.event for event in run.events] == ["run_started", "run_ended"]
    machine = Script().machine
    with pytest.raises(KeyError):
        machine.handle(ev.Start(), 0.0)


# ---- on_failure="stop"


def test_after_a_final_failure_nothing_new_starts_and_what_runs_may_finish() -> None:
    run = Script(task("a"), task("b"), task("c"), task("d", "b"), workers=2, on_failure="stop")
    run.claim(2)
    assert run(raised("a")) == [
        "a#1 running>failed raised",
        "c ready>cancelled stopped by a",
        "d pending>cancelled stopped by a",
    ]
    assert run.claim(2) == []
    assert run(returned("b")) == [
        "b#1 running>succeeded returned",
        "run running>failed tasks_failed by a",
        "close failed",
    ]


def test_a_failure_that_will_be_retried_stops_nothing() -> None:
    run = Script(task("a", retry=Retry(1)), task("b"), workers=1, on_failure="stop")
    run.claim()
    run(raised("a"))
    assert run.states() == {"a": "ready", "b": "ready"}


def test_what_waits_for_a_retry_is_cancelled_with_the_rest() -> None:
    run = Script(task("a", retry=Retry(1, delay=9)), task("b"), on_failure="stop")
    run.claim(2)
    run(raised("a"))
    assert run(raised("b"))[1] == "a retry_wait>cancelled stopped by b"
    assert run.machine.next_due() is None


def test_what_fails_while_the_run_stops_is_not_retried() -> None:
    run = Script(task("a"), task("b", retry=Retry(1)), on_failure="stop")
    run.claim(2)
    run(raised("a"))
    assert run(raised("b"))[0] == "b#1 running>failed raised"
    assert run.ended == "failed tasks_failed a"


def test_what_was_launched_and_has_not_begun_is_called_back() -> None:
    run = Script(task("a"), task("b", kind=PROCESS), on_failure="stop")
    run.claim(2)
    assert run(raised("a")) == ["a#1 running>failed raised", "stop b#1 stopped"]
    assert run(stopped("b", mechanism="withdrawn"))[0] == "b ready>cancelled stopped by a [withdrawn]"
    assert run.ended == "failed tasks_failed a"


def test_descendants_of_the_failed_task_are_upstream_failed_and_not_cancelled() -> None:
    run = Script(task("a"), task("b", "a"), task("c", "a", run_when="any_failed"), on_failure="stop")
    run(CLAIM)
    run(raised("a"))
    assert run.states() == {"a": "failed", "b": "upstream_failed", "c": "cancelled"}


def test_a_timeout_stops_the_run_like_any_failure() -> None:
    run = Script(task("a", timeout=1), task("b"), workers=1, on_failure="stop")
    run(CLAIM)
    run(TICK, at=1.0)
    run(TICK, at=1.1)
    assert run.states() == {"a": "timed_out", "b": "cancelled"}


def test_a_skip_stops_nothing() -> None:
    run = Script(task("a"), task("b"), workers=1, on_failure="stop")
    run(CLAIM)
    run(skipped("a"))
    assert run.claim() == ["b#1"]


def test_tasks_that_join_while_the_run_stops_are_cancelled() -> None:
    run = Script(task("a"), task("b"), on_failure="stop")
    run.claim(2)
    run(raised("a"))
    assert run.add(task("c", "b")) == ["c pending>cancelled stopped by a"]


# ---- cancel


@pytest.mark.parametrize("cause", ["cancel_requested", "keyboard_interrupt", "log_write_failed"])
def test_a_cancel_ends_what_runs_what_is_queued_and_what_waits(cause: str) -> None:
    run = Script(
        task("running"),
        task("retrying", retry=Retry(1, delay=9)),
        task("ready", rank=0),
        task("pending", "ready"),
        workers=2,
    )
    assert run.claim(2) == ["running#1", "retrying#1"]
    run(raised("retrying"))
    assert run(ev.Cancel(cause)) == [
        f"retrying retry_wait>cancelled {cause}",
        f"ready ready>cancelled {cause}",
        f"pending pending>cancelled {cause}",
        f"stop running#1 {cause}",
    ]
    assert run.claim(2) == []
    assert run(stopped("running")) == [
        f"running#1 running>cancelled {cause} [cooperative]",
        f"run running>cancelled {cause}",
        "close cancelled",
    ]


def test_our_own_fault_fails_the_run() -> None:
    run = Script(task("a"))
    assert run(ev.Cancel("internal_error")) == [
        "a ready>cancelled internal_error",
        "run running>failed internal_error",
        "close failed",
    ]


def test_a_thread_that_does_not_obey_a_cancel_is_left_behind() -> None:
    run = Script(task("a"))
    run(CLAIM)
    run(CANCEL, at=5.0)
    assert run.machine.next_due() == 5.1
    assert run(TICK, at=5.1) == [
        "a#1 running>cancelled cancel_requested [abandoned]",
        "run running>cancelled cancel_requested",
        "close cancelled",
    ]
    assert run.machine.abandoned() == [("a", 1)]


def test_a_result_that_comes_after_the_cancel_is_dropped() -> None:
    run = Script(task("a"), task("b", "a"))
    run(CLAIM)
    run(CANCEL)
    assert run(returned("a"))[0] == "a#1 running>cancelled cancel_requested [cooperative]"
    assert run.states() == {"a": "cancelled", "b": "cancelled"}


def test_an_attempt_that_is_being_stopped_for_its_timeout_ends_as_timed_out() -> None:
    run = Script(task("a", kind=PROCESS, timeout=1, retry=Retry(3)))
    run(CLAIM)
    run(begun("a"))
    run(TICK, at=1.0)
    assert run(CANCEL) == []
    assert run(stopped("a", mechanism="killed")) == [
        "a#1 running>timed_out timeout [killed]",
        "run running>cancelled cancel_requested",
        "close cancelled",
    ]


def test_a_second_cancel_changes_nothing() -> None:
    run = Script(task("a"))
    run(CLAIM)
    run(CANCEL)
    assert run(ev.Cancel("keyboard_interrupt")) == []
    assert run(stopped("a"))[1] == "run running>cancelled cancel_requested"


def test_a_run_that_stops_may_be_cancelled_and_then_what_still_runs_is_ended() -> None:
    run = Script(task("a"), task("b"), on_failure="stop")
    run.claim(2)
    run(raised("a"))
    assert run(CANCEL) == ["stop b#1 cancel_requested"]
    assert run(stopped("b"))[:2] == [
        "b#1 running>cancelled cancel_requested [cooperative]",
        "run running>cancelled cancel_requested",
    ]


def test_a_cancel_ends_a_run_that_still_waits_for_tasks() -> None:
    run = Script(sealed=False)
    assert run(CANCEL) == ["run running>cancelled cancel_requested", "close cancelled"]


def test_a_cancel_before_the_start_or_after_the_end_changes_nothing() -> None:
    run = Script(task("a"))
    run(CLAIM)
    run(returned("a"))
    assert run(CANCEL) == []
    assert run.machine.state == st.SUCCEEDED


def test_no_failure_after_a_cancel_changes_how_the_run_ended() -> None:
    run = Script(task("a", kind=PROCESS, timeout=1))
    run(CLAIM)
    run(begun("a"))
    run(TICK, at=1.0)
    run(CANCEL)
    run(stopped("a"))
    assert run.ended == "cancelled cancel_requested"
