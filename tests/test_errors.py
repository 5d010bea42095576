"""The errors of runs, as they come out of another process."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from flowdsl import CycleError, Flow, LogLocked, LogWriteError, RunFailed, TaskResultError


def failing() -> Flow:
    flow = Flow("failing")
    flow.task(name="bad")(lambda: 1 // 0)
    return flow


def run_it() -> Any:
    return failing().run(display=None)


def ask_it() -> Any:
    return failing().run(display=None, raise_on_failure=False)["bad"]


def test_a_missing_result_is_the_same_error_elsewhere() -> None:
    with pytest.raises(TaskResultError) as caught:
        ask_it()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (TaskResultError, str(caught.value))
    assert (copy.task, copy.state, copy.cause) == ("bad", "failed", "raised")


def test_a_failed_run_leaves_its_run_behind_and_takes_its_failures_along() -> None:
    with pytest.raises(RunFailed) as caught:
        run_it()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.run) == (str(caught.value), None)
    assert [(one.task, one.cause, one.error) for one in copy.failures] == [
        ("bad", "raised", "integer division or modulo by zero")
    ]


@pytest.mark.parametrize(
    "error",
    [
        LogWriteError("cannot", path="p", errno=28),
        LogLocked("held", path="p", pid=3),
        CycleError("cycle: a -> a", ["a", "a"]),
        TaskResultError("none", task="a", state="failed", cause="raised"),
    ],
)
def test_what_they_say_of_themselves_travels(error: Any) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert getattr(copy, "errno", None) == getattr(error, "errno", None)
