"""The fold: what a snapshot says after which events."""

from __future__ import annotations

from typing import Any, List, Optional

import pytest

from flowdsl.engine.events import Batch, Event
from flowdsl.engine.snapshot import Snapshot, fold

START = 1_000.0


def run_started(**detail: Any) -> Event:
    return Event("run_started", "", 0, "", "running", "started", detail={"run_id": "r1", "flow": "etl", **detail})


def run_ended(state: str = "succeeded", cause: str = "all_done", cause_task: str = "") -> Event:
    return Event("run_ended", "", 0, "running", state, cause, cause_task)


def added(task: str, **detail: Any) -> Event:
    return Event("task_added", task, 0, "", "pending", "added", detail=detail or None)


def ready(task: str, before: str = "pending", cause: str = "dependencies_met") -> Event:
    return Event("task_ready", task, 0, before, "ready", cause)


def started(task: str, attempt: int = 1, **detail: Any) -> Event:
    return Event("attempt_started", task, attempt, "ready", "running", "started", detail=detail or None)


def succeeded(task: str, attempt: int = 1, **detail: Any) -> Event:
    return Event("attempt_succeeded", task, attempt, "running", "succeeded", "returned", detail=detail or None)


def retried(task: str, attempt: int = 1, attempt_cause: str = "raised", **detail: Any) -> Event:
    kind = "attempt_timed_out" if attempt_cause == "timeout" else "attempt_failed"
    return Event(kind, task, attempt, "running", "retry_wait", "retry", "", attempt_cause, detail=detail or None)


def timed_out(task: str, attempt: int = 1, mechanism: str = "abandoned") -> Event:
    return Event("attempt_timed_out", task, attempt, "running", "timed_out", "timeout", mechanism=mechanism)


def released(task: str, attempt: int, state: str) -> Event:
    return Event("attempt_released", task, attempt, state, state, "timeout")


def snap(*events: Event, step: float = 1.0, upto: Optional[int] = None) -> Snapshot:
    """The snapshot after these events, one a batch, `step` seconds apart; the first is at START."""
    return fold(as_batches(*events, step=step)[:upto])


def as_batches(*events: Event, step: float = 1.0) -> List[Batch]:
    return [Batch(seq, START + seq * step, (event,)) for seq, event in enumerate(events)]


def test_a_snapshot_of_nothing_is_a_running_run_without_tasks() -> None:
    snapshot = Snapshot("r1", "etl")
    assert (snapshot.state, snapshot.seq, snapshot.tasks, snapshot.attempts) == ("running", -1, {}, [])
    assert set(snapshot.counts.values()) == {0}


def test_the_run_takes_its_names_times_and_state_from_its_own_events() -> None:
    snapshot = snap(run_started(max_workers=5), run_ended("failed", "tasks_failed", "clean"))
    assert (snapshot.run_id, snapshot.flow, snapshot.info["max_workers"]) == ("r1", "etl", 5)
    assert (snapshot.state, snapshot.cause, snapshot.cause_task) == ("failed", "tasks_failed", "clean")
    assert (snapshot.started_at, snapshot.ended_at) == (START, START + 1)


def test_a_name_given_by_the_reader_goes_before_that_in_the_journal() -> None:
    assert fold(as_batches(run_started()), run_id="folder").run_id == "folder"


def test_a_task_keeps_what_it_was_added_with_and_the_order_of_joining() -> None:
    snapshot = snap(added("b", upstream=["a"], tags=["io"], type="load", action="read"), added("a"))
    assert list(snapshot.tasks) == ["b", "a"]
    row = snapshot.tasks["b"]
    assert (row.upstream, row.tags, row.type, row.action) == (("a",), ("io",), "load", "read")
    assert (snapshot.tasks["a"].upstream, snapshot.tasks["a"].type) == ((), "task")


def test_a_task_that_succeeds_has_the_times_of_its_only_attempt() -> None:
    snapshot = snap(added("a"), ready("a"), started("a", worker="thread-1", pid=7), succeeded("a", cpu_s=0.5))
    row, (attempt,) = snapshot.tasks["a"], snapshot.attempts
    assert (row.state, row.cause, row.attempts, row.worker) == ("succeeded", "returned", 1, "thread-1")
    assert (row.queued_at, row.started_at, row.ended_at, row.duration_s) == (1001, 1002, 1003, 1)
    assert (attempt.state, attempt.cause, attempt.queued_at, attempt.duration_s) == ("succeeded", "returned", 1001, 1)
    assert (attempt.pid, attempt.cpu_s, attempt.worker) == (7, 0.5, "thread-1")


def test_counts_follow_the_states_of_the_tasks() -> None:
    events = [added("a"), added("b"), ready("a"), started("a"), succeeded("a")]
    seen = [{s: n for s, n in snap(*events, upto=k).counts.items() if n} for k in range(1, 6)]
    assert seen == [
        {"pending": 1},
        {"pending": 2},
        {"pending": 1, "ready": 1},
        {"pending": 1, "running": 1},
        {"pending": 1, "succeeded": 1},
    ]


def test_a_retried_task_has_an_attempt_for_each_try_and_waits_in_between() -> None:
    events = [
        run_started(),
        added("a"),
        ready("a"),
        started("a"),
        retried("a", error="boom", error_type="ValueError", retry_at=7.5),
        ready("a", "retry_wait", "delay_over"),
        started("a", 2),
        succeeded("a", 2),
    ]
    waiting = snap(*events, upto=5).tasks["a"]
    assert (waiting.state, waiting.cause, waiting.retry_at, waiting.ended_at) == ("retry_wait", "retry", 1007.5, None)
    assert waiting.error == "boom"
    snapshot = snap(*events)
    first, second = snapshot.attempts
    assert (first.state, first.cause, first.error_type, first.queued_at) == ("failed", "raised", "ValueError", 1002)
    assert (second.state, second.attempt, second.queued_at, second.started_at) == ("succeeded", 2, 1005, 1006)
    row = snapshot.tasks["a"]
    assert (row.attempts, row.queued_at, row.started_at, row.ended_at) == (2, 1002, 1003, 1007)
    assert (row.error, row.retry_at, row.duration_s) == (None, None, 1)


def test_a_retried_timeout_leaves_a_timed_out_attempt() -> None:
    snapshot = snap(added("a"), ready("a"), started("a"), retried("a", attempt_cause="timeout"))
    assert (snapshot.attempts[0].state, snapshot.attempts[0].cause) == ("timed_out", "timeout")
    assert snapshot.tasks["a"].state == "retry_wait"


def test_an_abandoned_thread_is_flagged_until_it_is_released() -> None:
    events = [added("a"), ready("a"), started("a"), timed_out("a"), released("a", 1, "timed_out")]
    row = snap(*events, upto=4).tasks["a"]
    assert (row.state, row.abandoned) == ("timed_out", True)
    snapshot = snap(*events)
    row = snapshot.tasks["a"]
    assert (row.state, row.cause, row.abandoned, row.ended_at) == ("timed_out", "timeout", False, 1003)
    assert snapshot.attempts[0].mechanism == "abandoned"


def test_a_task_is_abandoned_as_long_as_one_of_its_threads_goes_on() -> None:
    between = Event("attempt_timed_out", "a", 1, "running", "retry_wait", "retry", "", "timeout", "abandoned")
    events = [
        added("a"), ready("a"), started("a"), between, ready("a", "retry_wait", "delay_over"), started("a", 2),
        timed_out("a", 2), released("a", 2, "timed_out"), released("a", 1, "timed_out"),
    ]  # fmt: skip
    assert snap(*events, upto=8).tasks["a"].abandoned
    assert not snap(*events).tasks["a"].abandoned


def test_a_requeued_attempt_is_taken_back() -> None:
    requeued = Event("attempt_requeued", "a", 1, "running", "ready", "requeued")
    events = [added("a"), ready("a"), started("a", worker="process-1"), requeued, started("a", worker="process-2")]
    row = snap(*events, upto=4).tasks["a"]
    assert (row.state, row.attempts, row.latest, row.started_at, row.worker) == ("ready", 0, None, None, None)
    snapshot = snap(*events)
    (attempt,) = snapshot.attempts
    assert (attempt.attempt, attempt.queued_at, attempt.worker) == (1, 1001, "process-2")
    assert (snapshot.tasks["a"].queued_at, snapshot.tasks["a"].started_at) == (1001, 1004)


def test_a_requeued_second_attempt_leaves_the_first() -> None:
    again = ready("a", "retry_wait", "delay_over")
    requeued = Event("attempt_requeued", "a", 2, "running", "ready", "requeued")
    snapshot = snap(added("a"), ready("a"), started("a"), retried("a", error="boom"), again, started("a", 2), requeued)
    row = snapshot.tasks["a"]
    assert (row.attempts, row.latest, row.error, row.started_at) == (1, snapshot.attempts[0], "boom", 1002)


def test_a_task_that_never_ran_ends_with_its_cause_and_the_guilty_task() -> None:
    event = Event("task_upstream_failed", "b", 0, "pending", "upstream_failed", "upstream_failed", "a")
    row = snap(added("b"), event).tasks["b"]
    assert (row.state, row.cause, row.cause_task, row.ended_at) == ("upstream_failed", "upstream_failed", "a", 1001)
    assert (row.attempts, row.started_at, row.duration_s) == (0, None, None)


def test_a_given_task_has_succeeded_without_attempts() -> None:
    row = snap(added("a"), Event("task_given", "a", 0, "pending", "succeeded", "given")).tasks["a"]
    assert (row.state, row.cause, row.attempts, row.ended_at) == ("succeeded", "given", 0, 1001)


def progressed(task: str, attempt: int = 1, **detail: Any) -> Event:
    return Event("attempt_progressed", task, attempt, "running", "running", "", detail=detail)


def test_a_task_keeps_what_it_last_said_of_its_progress_until_its_next_attempt() -> None:
    events = (
        added("a"),
        ready("a"),
        started("a"),
        progressed("a", progress=0.25, message="one of four"),
        progressed("a", progress=1, message=""),
        retried("a"),
        ready("a", "retry_wait", "delay_over"),
        started("a", 2),
    )
    rows = [snap(*events, upto=count).tasks["a"] for count in (4, 5, 6, 8)]
    assert [(row.progress, row.message) for row in rows] == [(0.25, "one of four"), (1.0, ""), (1.0, ""), (None, "")]
    assert [row.state for row in rows] == ["running", "running", "retry_wait", "running"]


@pytest.mark.parametrize("progress", [None, "half", 2, -0.1, float("nan"), True, [0.5]])
def test_progress_that_is_no_fraction_is_passed_over(progress: Any) -> None:
    row = snap(added("a"), ready("a"), started("a"), progressed("a", progress=progress, message=7)).tasks["a"]
    assert (row.progress, row.message) == (None, "")


def test_the_message_of_a_skip_is_kept() -> None:
    skip = Event("attempt_skipped", "a", 1, "running", "skipped", "skip_raised", detail={"message": "no new data"})
    row = snap(added("a"), ready("a"), started("a"), skip).tasks["a"]
    assert (row.state, row.message) == ("skipped", "no new data")


def test_what_a_dead_process_left_open_becomes_interrupted() -> None:
    snapshot = snap(
        run_started(), added("a"), added("b"), added("c"), ready("a"), started("a"), succeeded("a"), ready("b"),
        started("b"),
    )  # fmt: skip
    snapshot.interrupted(2_000.0)
    assert [row.state for row in snapshot.tasks.values()] == ["succeeded", "interrupted", "interrupted"]
    assert [attempt.state for attempt in snapshot.attempts] == ["succeeded", "interrupted"]
    assert (snapshot.state, snapshot.cause, snapshot.ended_at) == ("interrupted", "process_died", 2_000.0)
    assert {row.cause for row in snapshot.tasks.values()} == {"returned", "process_died"}
    assert {s: n for s, n in snapshot.counts.items() if n} == {"succeeded": 1, "interrupted": 2}
    assert snapshot.tasks["b"].ended_at == snapshot.attempts[1].ended_at == 2_000.0


def test_an_attempt_that_had_ended_keeps_its_end_when_the_process_dies_before_the_retry() -> None:
    snapshot = snap(run_started(), added("a"), ready("a"), started("a"), retried("a", retry_at=60.0))
    snapshot.interrupted(2_000.0)
    (attempt,), row = snapshot.attempts, snapshot.tasks["a"]
    assert (attempt.state, attempt.cause, attempt.ended_at) == ("failed", "raised", 1004)
    assert (row.state, row.retry_at) == ("interrupted", None)


def test_an_interrupted_run_has_no_end_where_nobody_saw_it() -> None:
    snapshot = snap(run_started(), added("a"), ready("a"), started("a"))
    snapshot.interrupted()
    assert (snapshot.ended_at, snapshot.attempts[0].duration_s) == (None, None)


def test_a_run_that_has_ended_is_not_interrupted() -> None:
    snapshot = snap(run_started(), run_ended())
    snapshot.interrupted(2_000.0)
    assert (snapshot.state, snapshot.ended_at) == ("succeeded", START + 1)


def test_lines_that_are_missing_cost_only_what_they_said() -> None:
    snapshot = snap(succeeded("a", 2, worker="thread-1"))
    row, (attempt,) = snapshot.tasks["a"], snapshot.attempts
    assert (row.state, row.attempts, row.worker) == ("succeeded", 2, "thread-1")
    assert (attempt.attempt, attempt.started_at, attempt.duration_s) == (2, None, None)
    assert snapshot.counts["succeeded"] == 1 and snapshot.counts["pending"] == 0


def test_events_of_a_newer_flowdsl_do_not_stop_the_fold() -> None:
    snapshot = snap(added("a", upstream=5), Event("task_frozen", "a", 0, "pending", "frozen", "winter"))
    assert (snapshot.tasks["a"].state, snapshot.counts["frozen"], snapshot.tasks["a"].upstream) == ("frozen", 1, ())


def test_folding_in_one_go_or_batch_by_batch_is_the_same() -> None:
    events = (run_started(), added("a"), ready("a"), started("a"), succeeded("a"), run_ended())
    whole = fold([Batch(0, START, events)])
    steps = fold(Batch(seq, START, (event,)) for seq, event in enumerate(events))
    assert whole.seq == steps.seq == 5
    assert whole.counts == steps.counts
    assert repr(whole.attempts) == repr(steps.attempts)


def test_seq_is_that_of_the_last_event_and_grows_with_every_batch() -> None:
    snapshot = fold([Batch(0, START, (run_started(), added("a"))), Batch(5, START, (ready("a"),))])
    assert snapshot.seq == 5
    snapshot.apply(Batch(0, START, (started("a"),)))  # what the journal could not take has no number
    assert snapshot.seq == 6


@pytest.mark.parametrize("shown", ["<Snapshot of run 'r1': running, 1 task>"])
def test_a_snapshot_says_what_it_is(shown: str) -> None:
    assert repr(snap(run_started(), added("a"))) == shown
