"""Whoever watches runs is told of each before it begins, and may ask it for the call of a task."""

from __future__ import annotations

import logging
from typing import Iterator, List

import pytest

from flowdsl import Flow, Missing, ResultReleased, Run
from flowdsl.start import watchers


@pytest.fixture
def seen() -> Iterator[List[Run]]:
    runs: List[Run] = []
    watchers.append(runs.append)
    yield runs
    watchers.remove(runs.append)


@pytest.fixture
def flow() -> Flow:
    flow = Flow("watched")
    flow.task(name="one")(lambda n=1: n)
    flow.task(name="two")(lambda one, more=2: one + more)
    return flow


def test_a_watcher_is_told_of_every_run_and_of_its_end(flow: Flow, seen: List[Run]) -> None:
    run = flow.run(display=None)
    assert seen == [run]
    ended: List[str] = []
    run.when_done(lambda: ended.append(run.state))
    assert ended == ["succeeded"]


def test_a_watcher_that_raises_disturbs_no_run(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    def fail(run: Run) -> None:
        raise ValueError("not now")

    watchers.append(fail)
    try:
        with caplog.at_level(logging.ERROR, "flowdsl"):
            assert flow.run(display=None)["two"] == 3
    finally:
        watchers.remove(fail)
    assert "not now" in caplog.text


def test_the_call_of_a_task_has_the_arguments_of_its_attempts(flow: Flow) -> None:
    run = flow.run(display=None, n=5)
    call = run.call("two")
    assert dict(call.kwargs) == {"one": 5} and call.function(**call.kwargs) == 7
    with pytest.raises(KeyError, match="did you mean 'two'"):
        run.call("tow")


def test_the_call_of_a_task_lacks_what_failed_or_was_let_go(flow: Flow) -> None:
    released = flow.run(display=None, keep="targets")
    with pytest.raises(ResultReleased):
        released.call("two")
    failed = flow.run(display=None, n="x", raise_on_failure=False)
    assert dict(failed.call("one").kwargs) == {"n": "x"}
    flow.task(name="one")(lambda: 1 / 0)
    missing = flow.run(display=None, raise_on_failure=False).call("two").kwargs["one"]
    assert isinstance(missing, Missing) and missing.state == "failed"


def test_a_call_does_not_miss_the_result_of_what_only_has_to_be_done_before() -> None:
    flow = Flow("ordered")
    flow.task(name="before")(lambda: "let go")
    flow.task(name="after", depends_on="before")(lambda: 7)
    run = flow.run(display=None, keep="targets", targets="after")
    assert not run.has_result("before")
    assert run.call("after").function() == 7


def test_a_run_that_has_not_begun_has_its_name_in_its_snapshot_and_its_picture(flow: Flow) -> None:
    told: List[str] = []

    def look(run: Run) -> None:
        told.extend([run.snapshot().run_id, run.snapshot().flow, run._repr_mimebundle_()["text/plain"]])

    watchers.append(look)
    try:
        run = flow.run(display=None)
    finally:
        watchers.remove(look)
    assert told[:2] == [run.id, "watched"]
    assert told[2].startswith("run %s: " % run.id)
