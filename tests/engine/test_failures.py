"""What a run says of the tasks that failed."""

from __future__ import annotations

from flowdsl.engine.failures import Failure, failures
from flowdsl.engine.snapshot import Snapshot, fold
from tests.analysis.journals import added, batches, eventful, failed, ready, retried, run_started, started


def test_failures_are_the_tasks_that_failed_themselves_and_not_those_that_waited_for_them() -> None:
    assert failures(fold(eventful())) == (Failure("slow", "timed_out", "timeout", 1, None, None, None),)


def test_failures_come_in_the_order_in_which_they_happened() -> None:
    begin = (0, run_started(), *(event for name in "ab" for event in (added(name), ready(name), started(name))))
    assert [one.task for one in failures(fold(batches(begin, (1, failed("b")), (2, failed("a")))))] == ["b", "a"]


def test_a_failure_has_the_error_of_the_last_attempt() -> None:
    again = ready("a", "retry_wait", "delay_over")
    last = failed("a", 2, error_type="KeyError", error="'x'", traceback="Traceback ...")
    second = (retried("a", error="boom"), again, started("a", 2), last)
    run = batches((0, added("a"), ready("a"), started("a")), (1, *second))
    (failure,) = failures(fold(run))
    assert failure == Failure("a", "failed", "raised", 2, "KeyError", "'x'", "Traceback ...")
    assert str(failure) == "task 'a' failed after 2 attempts (raised): KeyError: 'x'"


def test_a_run_without_failures_has_none() -> None:
    assert failures(Snapshot()) == ()
