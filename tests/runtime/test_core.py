"""What the machine is told at once of several attempts: each keeps its own moment and its own result."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, List

import pytest

from flowdsl import Flow
from flowdsl.engine import events as ev
from flowdsl.engine.policy import Node
from flowdsl.executors.outcome import Outcome
from flowdsl.runtime.core import Core
from flowdsl.runtime.results import Results
from flowdsl.storage.journal import Journal, read_journal
from tests.engine.script import KINDS, task

NAMES = ["a", "b", "c", "d"]
TASKS = [task(name) for name in NAMES]
ATTEMPTS = [(name, 1) for name in NAMES]


@pytest.fixture
def core(log_dir: Path) -> Iterator[Core]:
    graph = Flow("three").graph()
    with Journal.create(log_dir, "run") as journal:
        core = Core(graph, KINDS, journal, Results(graph, {}, "all"), max_workers=1, on_failure="continue")
        core.feed(ev.Start(), 0.0)
        yield core


def send_out(core: Core, *nodes: Node, size: int = 0) -> None:
    """These attempts go out together, and none is known to have begun; the items of the first where it has a size."""
    core.feed(ev.Add(nodes), 0.0)
    core.feed(ev.Seal(), 0.0)
    if size:
        core.results.open(nodes[0].name, size)
        core.feed(ev.Sized(nodes[0].name, size), 0.0)
    core.feed(ev.Claim(most=size or len(nodes)), 0.0)
    assert type(core.launches.pop()) is ev.LaunchBatch
    core.commit(0.0)


def outcomes(*values: int) -> List[Outcome]:
    return [Outcome("succeeded", "returned", value, seconds=value / 10) for value in values]


def moments(core: Core, log_dir: Path) -> List[str]:
    """When each attempt began and ended, in seconds after the run's begin."""
    batches = read_journal(log_dir / "run").batches
    first = batches[0].at
    told = [(batch.at - first, event) for batch in batches for event in batch.events]
    return ["%s %s %.1f" % (event.task, event.state, at) for at, event in told if event.attempt]


def test_each_begins_when_the_one_before_it_ended(core: Core, log_dir: Path) -> None:
    send_out(core, *TASKS)
    core.feed_run(ev.Ran(ATTEMPTS[:3], 1.0, [2.0, 3.0, 4.0]), outcomes(10, 20, 30), 5.0)
    core.commit(5.0)
    told = ["a running 1.0", "a succeeded 2.0", "b running 2.0", "b succeeded 3.0", "c running 3.0", "c succeeded 4.0"]
    assert moments(core, log_dir) == told
    assert core.results.values == {"a": 10, "b": 20, "c": 30}
    assert core.clock == {"a": 1.0, "b": 2.0, "c": 3.0}


def test_nothing_is_dated_before_what_is_dated_or_later_than_now(core: Core, log_dir: Path) -> None:
    send_out(core, *TASKS)
    core.latest = 2.5
    core.feed_run(ev.Ran(ATTEMPTS[:3], 1.0, [2.0, 3.0, 9.0]), outcomes(10, 20, 30), 5.0)
    core.commit(5.0)
    told = ["a running 2.5", "a succeeded 2.5", "b running 2.5", "b succeeded 3.0", "c running 3.0", "c succeeded 5.0"]
    assert moments(core, log_dir) == told


def test_one_that_was_given_back_meanwhile_takes_no_others_moment_or_result(core: Core, log_dir: Path) -> None:
    send_out(core, *TASKS)
    core.feed(ev.Returned("b", 1), 0.5)
    core.feed_run(ev.Ran(ATTEMPTS, 1.0, [2.0, 3.0, 4.0, 5.0]), outcomes(10, 20, 30, 40), 6.0)
    core.commit(6.0)
    assert moments(core, log_dir)[-3:] == ["c succeeded 4.0", "d running 4.0", "d succeeded 5.0"]
    assert core.results.values == {"a": 10, "c": 30, "d": 40}
    assert core.scheduler.task_state("b") == "ready"


def test_a_map_that_fails_with_its_last_item_is_the_end_of_no_attempt(core: Core, log_dir: Path) -> None:
    send_out(core, task("each", over=""), size=4)
    core.feed(ev.Begun("each[0]", 1), 0.5)
    core.feed(ev.Ended("each[0]", 1, "failed", "raised"), 1.0, Outcome("failed", "raised"))
    ran = ev.Ran([("each[%d]" % index, 1) for index in (1, 2, 3)], 1.0, [2.0, 3.0, 4.0], None, [{"cpu_s": 0.5}] * 3)
    core.feed_run(ran, outcomes(10, 20, 30), 5.0)
    core.commit(5.0)
    last = read_journal(log_dir / "run").batches[-1]
    assert [(event.event, event.task) for event in last.events] == [
        (ev.ATTEMPT_SUCCEEDED, "each[3]"),
        (ev.TASK_FAILED, "each"),
        (ev.RUN_ENDED, ""),
    ]
    assert last.events[0].detail == {"cpu_s": 0.5}
    assert core.results.lists["each"][1:] == [10, 20, 30]
