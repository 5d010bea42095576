"""A run that is held starts nothing; one task of a run can be cancelled alone."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Iterator, List

import pytest

from flowdsl import Flow, current
from flowdsl.executors.processes import close_shared
from flowdsl.run import Run
from flowdsl.start import watchers


@pytest.fixture
def no_workers_left() -> Iterator[None]:
    """Idle worker processes go from run to run; here they end with the test."""
    yield
    close_shared()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run begins held."""
    monkeypatch.setattr("flowdsl.start.watchers", [*watchers, Run.hold])


@pytest.mark.usefixtures("no_leaks", "no_workers_left", "held")
@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_run_that_is_held_starts_nothing_until_it_is_released(log_dir: Path, isolation: str) -> None:
    flow = Flow("held", log_dir=log_dir, isolation=isolation)
    flow.task("a")(int)
    flow.task("b", depends_on="a")(lambda: 1)
    run = flow.start(display="none")
    assert not run.wait(0.2)
    assert {row.attempts for row in run.snapshot().tasks.values()} == {0}
    run.release()
    assert run.wait(20)
    assert (run["a"], run["b"]) == (0, 1)


@pytest.mark.usefixtures("held", "no_leaks")
def test_a_run_that_is_cancelled_before_it_begins_starts_nothing(log_dir: Path) -> None:
    flow = Flow("held", log_dir=log_dir)
    flow.task("a")(int)
    run = flow.start(display="none")
    run.cancel()
    run.release()
    assert run.wait(20)
    assert (run.state, run.snapshot().tasks["a"].attempts) == ("cancelled", 0)


@pytest.mark.usefixtures("no_leaks")
def test_what_runs_goes_on_while_the_run_is_held(log_dir: Path) -> None:
    flow = Flow("held", log_dir=log_dir)
    begun, go_on = threading.Event(), threading.Event()

    @flow.task
    def a() -> bool:
        begun.set()
        return go_on.wait(20)

    flow.task("b", depends_on="a")(lambda: 1)
    run = flow.start(display="none")
    assert begun.wait(20)
    run.hold()
    go_on.set()
    while run.snapshot().tasks["a"].state != "succeeded":
        time.sleep(0.005)
    assert not run.wait(0.1)
    assert run.snapshot().tasks["b"].attempts == 0
    run.release()
    assert run.wait(20)


@pytest.mark.usefixtures("no_leaks", "no_workers_left")
@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_one_task_is_cancelled_and_the_rest_of_the_run_goes_on(log_dir: Path, isolation: str) -> None:
    flow = Flow("cancelled", log_dir=log_dir)

    @flow.task(isolation=isolation, retries=3)
    def endless() -> None:
        current().sleep(1000)

    flow.task("after", depends_on="endless")(lambda: 1)
    flow.task("beside")(int)
    run = flow.start(display="none")
    while run.snapshot().tasks.get("endless") is None or run.snapshot().tasks["endless"].state != "running":
        time.sleep(0.005)
    run.cancel("endless")
    assert run.wait(20)
    rows = run.snapshot().tasks
    assert (rows["endless"].state, rows["endless"].cause) == ("cancelled", "task_cancelled")
    assert (rows["after"].state, rows["after"].cause) == ("cancelled", "upstream_cancelled")
    assert (run["beside"], run.state) == (0, "succeeded")
    with pytest.raises(KeyError, match="did you mean 'endless'"):
        run.cancel("endles")


def test_a_follower_hears_of_everything_that_the_journal_has(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: List[Any] = []
    follow = [lambda run: run.follow(lambda at, events: heard.extend((at, event) for event in events))]
    monkeypatch.setattr("flowdsl.start.watchers", follow)
    flow = Flow("followed", log_dir=log_dir)
    flow.task("a")(int)
    run = flow.run(display="none")
    assert [event.event for _, event in heard] == run.events["event"].tolist()


def test_the_timeline_of_a_run_that_goes_on_reaches_to_now(log_dir: Path) -> None:
    go_on = threading.Event()
    flow = Flow("going", log_dir=log_dir)
    flow.task("waits")(lambda: go_on.wait(20))
    run = flow.start(display="none")
    while not run.snapshot().attempts:
        time.sleep(0.005)
    time.sleep(0.05)  # in which nothing is told
    (bar,) = run.timeline().frame.itertuples()
    go_on.set()
    assert run.wait(20)
    assert (bar.state, bar.end_s - bar.start_s >= 0.05) == ("running", True)
