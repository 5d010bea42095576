"""Attempts one after the other: success, failure, retries, delays, giving up, and reports that come too late."""

from __future__ import annotations

from typing import List, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.policy import Kind
from flowdsl.engine.scheduler import Scheduler
from tests.engine.script import CLAIM, TICK, Script, raised, returned, skipped, task


def delays(script: Script) -> List[Optional[float]]:
    """The delay that each failed attempt announced."""
    return [dict(event.detail or {}).get("delay") for event in script.events if event.cause == "retry"]


def test_a_task_is_ready_started_and_succeeds() -> None:
    run = Script(task("a"))
    assert run.joined == ["a pending>ready dependencies_met"]
    assert run(CLAIM) == ["a#1 ready>running started", "launch a#1"]
    assert run(returned("a")) == ["a#1 running>succeeded returned", "run running>succeeded all_done", "close succeeded"]


def test_what_the_worker_says_of_an_attempt_is_passed_on() -> None:
    run = Script(task("a"))
    run(ev.Claim(detail={"worker": "thread-1"}))
    run(ev.Ended("a", 1, "succeeded", "returned", detail={"cpu_s": 0.5}))
    started, succeeded = (event.detail for event in run.events if event.attempt)
    assert (started, succeeded) == ({"worker": "thread-1"}, {"cpu_s": 0.5})


def test_what_a_task_says_of_its_progress_is_told_while_its_attempt_runs() -> None:
    run = Script(task("a", retry=Retry(1, delay=1)))
    note = ev.Note("a", 1, {"progress": 0.5, "message": "half"})
    assert run(note) == []
    run(CLAIM)
    assert run(note) == ["a#1 attempt_progressed running"]
    assert run.events[-1].detail == {"progress": 0.5, "message": "half"}
    run(raised("a"))
    assert run(note) == []
    run(TICK, at=1.0)
    run(CLAIM)
    assert run(note) == []
    run(returned("a", 2))
    assert run(note._replace(attempt=2)) == []


def test_without_retries_a_failure_is_final() -> None:
    run = Script(task("a"))
    run(CLAIM)
    assert run(raised("a")) == ["a#1 running>failed raised", "run running>failed tasks_failed by a", "close failed"]


def test_two_retries_are_three_attempts_and_then_it_has_failed() -> None:
    run = Script(task("a", retry=Retry(2)))
    lines = []
    for attempt in (1, 2, 3):
        lines += run(CLAIM) + run(raised("a", attempt))
    assert lines == [
        "a#1 ready>running started",
        "launch a#1",
        "a#1 running>retry_wait retry (raised)",
        "a retry_wait>ready delay_over",
        "a#2 ready>running started",
        "launch a#2",
        "a#2 running>retry_wait retry (raised)",
        "a retry_wait>ready delay_over",
        "a#3 ready>running started",
        "launch a#3",
        "a#3 running>failed raised",
        "run running>failed tasks_failed by a",
        "close failed",
    ]


def test_fail_fail_succeed_is_a_success_at_the_third_attempt_and_dependants_start_once() -> None:
    run = Script(task("a", retry=Retry(3)), task("b", "a"))
    for attempt in (1, 2):
        run(CLAIM)
        run(raised("a", attempt))
    run(CLAIM)
    assert run(returned("a", 3)) == ["a#3 running>succeeded returned", "b pending>ready dependencies_met"]
    assert run.claim(2) == ["b#1"]


@pytest.mark.parametrize("cause", ["raised", "verify_failed", "unpicklable", "worker_died"])
def test_every_cause_of_a_failure_may_be_retried(cause: str) -> None:
    run = Script(task("a", retry=Retry(1)))
    run(CLAIM)
    assert run(raised("a", cause=cause))[0] == f"a#1 running>retry_wait retry ({cause})"
    run(CLAIM)
    assert run(raised("a", 2, cause=cause))[0] == f"a#2 running>failed {cause}"


def test_what_the_worker_calls_not_retryable_is_final() -> None:
    run = Script(task("a", retry=Retry(5)))
    run(CLAIM)
    assert run(raised("a", retryable=False))[0] == "a#1 running>failed raised"


def test_a_skip_is_never_retried_and_fails_nothing() -> None:
    run = Script(task("a", retry=Retry(5)))
    run(CLAIM)
    assert run(skipped("a")) == ["a#1 running>skipped skip_raised", "run running>succeeded all_done", "close succeeded"]


def test_the_wait_grows_by_the_formula_up_to_its_maximum() -> None:
    run = Script(task("a", retry=Retry(5, delay=1, backoff=3, max_delay=10)))
    for attempt in range(1, 7):
        run(CLAIM)
        run(raised("a", attempt))
        run(TICK, at=run.now + 10)
    assert delays(run) == [1, 3, 9, 10, 10]


@pytest.mark.parametrize(("draw", "delay"), [(0.0, 1.5), (0.25, 1.75), (0.5, 2.0), (1.0, 2.5)])
def test_jitter_varies_the_wait_to_both_sides(draw: float, delay: float) -> None:
    run = Script(task("a", retry=Retry(1, delay=2, jitter=0.25)), draws=[draw])
    run(CLAIM)
    run(raised("a"))
    assert delays(run) == [delay]


def test_without_a_draw_there_is_no_jitter() -> None:
    kinds = {"thread": Kind("thread")}
    machine = Scheduler(kinds, max_workers=1)
    for message in (ev.Start(), ev.Add((task("a", retry=Retry(1, delay=2, jitter=1)),)), CLAIM, raised("a")):
        machine.handle(message, 0.0)
    assert machine.next_due() == 2.0


@given(some.integers(1, 6), some.floats(0, 5), some.floats(0.5, 3), some.floats(0, 1), some.floats(0, 1))
def test_no_retry_starts_before_its_delay(
    retries: int, delay: float, backoff: float, jitter: float, draw: float
) -> None:
    retry = Retry(retries, delay=delay, backoff=backoff, max_delay=7, jitter=jitter)
    run = Script(task("a", retry=retry), draws=[draw] * retries)
    for attempt in range(1, retries + 1):
        assert run.claim(2) == [f"a#{attempt}"]
        run(raised("a", attempt))
        due = run.machine.next_due()
        if due is not None:
            assert due == run.now + min(delay * backoff ** (attempt - 1), 7) * (1 + jitter * (2 * draw - 1))
            assert run(TICK, at=(run.now + due) / 2) == [] or run.now >= due
            run(TICK, at=due)
    assert run.claim(2) == [f"a#{retries + 1}"]


def test_the_next_attempt_starts_after_five_seconds_and_others_run_meanwhile() -> None:
    run = Script(task("a", retry=Retry(1, delay=5), rank=9), task("b"), task("c"), workers=1)
    assert run.claim() == ["a#1"]
    assert run(raised("a"), at=2.0) == ["a#1 running>retry_wait retry (raised)"]
    assert run.machine.next_due() == 7.0
    assert run.claim() == ["b#1"]
    run(returned("b"), at=4.0)
    assert run.claim() == ["c#1"]
    run(returned("c"), at=6.0)
    assert run(TICK, at=6.999) == []
    assert run.claim() == []
    assert run(TICK, at=7.0) == ["a retry_wait>ready delay_over"]
    assert run.claim() == ["a#2"]


def test_when_the_next_attempt_is_due_is_told_beside_what_the_worker_says() -> None:
    run = Script(task("a", retry=Retry(1, delay=5)))
    run(CLAIM)
    run(ev.Ended("a", 1, "failed", "raised", detail={"error": "boom"}), at=2.0)
    assert run.events[-1].detail == {"error": "boom", "delay": 5.0, "retry_at": 7.0}


def test_waiting_for_a_retry_takes_no_slot() -> None:
    run = Script(task("a", retry=Retry(1, delay=5)), workers=1)
    run(CLAIM)
    assert run.machine.busy == 1
    run(raised("a"))
    assert run.machine.busy == 0


@pytest.mark.parametrize(("failed_at", "state"), [(6.0, "retry_wait"), (6.1, "failed")])
def test_no_retry_starts_later_than_max_elapsed_after_the_first_begin(failed_at: float, state: str) -> None:
    run = Script(task("a", retry=Retry(9, delay=2, max_elapsed=8)))
    run(CLAIM)
    run(raised("a"), at=3.0)
    run(TICK, at=5.0)
    run(CLAIM)
    run(raised("a", 2), at=failed_at)
    assert run.states() == {"a": state}


def test_max_elapsed_does_not_count_the_time_before_the_first_attempt() -> None:
    run = Script(task("a", retry=Retry(1, delay=2, max_elapsed=3)))
    run(CLAIM, at=100.0)
    assert run(raised("a"), at=101.0) == ["a#1 running>retry_wait retry (raised)"]


# ---- reports that come too late, or twice


def test_the_same_end_told_twice_counts_once() -> None:
    run = Script(task("a"), task("b", "a"))
    run(CLAIM)
    run(returned("a"))
    assert run(returned("a")) == []
    assert run(raised("a")) == []


def test_an_end_of_an_earlier_attempt_is_dropped() -> None:
    run = Script(task("a", retry=Retry(1)))
    run(CLAIM)
    run(raised("a"))
    run(CLAIM)
    assert run(returned("a", 1)) == []
    assert run.states() == {"a": "running"}


@pytest.mark.parametrize("attempt", [0, 2, 99])
def test_an_end_of_an_attempt_that_never_was_is_dropped(attempt: int) -> None:
    run = Script(task("a"))
    run(CLAIM)
    assert run(returned("a", attempt)) == []


def test_an_end_while_the_task_waits_for_its_retry_is_dropped() -> None:
    run = Script(task("a", retry=Retry(1, delay=1)))
    run(CLAIM)
    run(raised("a"))
    assert run(returned("a")) == []
    assert run.states() == {"a": "retry_wait"}


def test_nothing_is_said_after_the_end_of_the_run() -> None:
    run = Script(task("a"))
    run(CLAIM)
    run(returned("a"))
    assert [run(message) for message in (returned("a"), TICK, CLAIM, ev.Cancel(), ev.Seal())] == [[]] * 5


def test_cancelled_from_a_worker_that_nobody_told_to_stop_is_a_failure() -> None:
    run = Script(task("a", retry=Retry(1)))
    run(CLAIM)
    assert run(ev.Ended("a", 1, "cancelled", "raised"))[0] == "a#1 running>retry_wait retry (raised)"
    run(CLAIM)
    assert run(ev.Ended("a", 2, "cancelled", "cancel_requested"))[0] == "a#2 running>failed raised"


def test_there_is_exactly_one_final_record_whatever_comes_after_it() -> None:
    run = Script(task("a", timeout=1.0, retry=Retry(1, retry_abandoned=True)))
    for _ in range(2):
        run(CLAIM)
        run(TICK, at=run.now + 1.0)
        run(TICK, at=run.now + 0.1)
    for message in (returned("a", 1), returned("a", 2), raised("a", 2), TICK, ev.Cancel()):
        run(message, at=run.now + 1.0)
    assert [event.state for event in run.events if event.task and event.state in st.TERMINAL] == ["timed_out"]
