"""How long a run will still take: bounds worked out by hand, and what is not known."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from flowdsl.analysis.time_left import time_left
from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import Snapshot, fold
from tests.analysis.journals import START, batches, ready, retried, run_ended, run_started, started, succeeded


def added(task: str, *upstream: str, **detail: Any) -> Event:
    return Event("task_added", task, 0, "", "pending", "added", detail={"upstream": upstream, **detail})


def expanded(task: str, size: int) -> Event:
    return Event("task_expanded", task, 0, "ready", "running", "expanded", detail={"size": size})


def left(snapshot: Snapshot, durations: Dict[str, float], workers: int = 2, after: float = 0.0, **more: Any) -> Any:
    return time_left(snapshot, durations, START + after, workers, **more)


def test_a_chain_takes_the_sum_and_what_is_independent_is_shared() -> None:
    chain = fold(batches((0, run_started(), added("a"), added("b", "a"), added("c", "b"))))
    assert left(chain, {"a": 1.0, "b": 2.0, "c": 3.0}) == 6.0
    wide = fold(batches((0, run_started(), added("a"), added("b"), added("c"))))
    assert left(wide, {"a": 4.0, "b": 4.0, "c": 4.0}) == 6.0


def test_what_has_ended_counts_nothing_and_what_runs_only_its_rest() -> None:
    run = fold(
        batches(
            (0, run_started(), added("a"), added("b"), added("c", "a", "b"), ready("a"), ready("b")),
            (0, started("a"), started("b")),
            (1, succeeded("a")),
        )
    )
    assert left(run, {"a": 1.0, "b": 5.0, "c": 10.0}, after=2.0) == 13.0


def test_what_outlives_its_expectation_counts_a_tenth_of_what_it_took() -> None:
    run = fold(batches((0, run_started(), added("a"), ready("a"), started("a"))))
    assert left(run, {"a": 5.0}, after=20.0) == pytest.approx(2.0)


def test_siblings_of_the_same_run_stand_in_for_what_is_not_known() -> None:
    run = fold(
        batches(
            (0, run_started(), *(added(f"part {n}", action="part") for n in range(4)), ready("part 0")),
            (0, started("part 0")),
            (3, succeeded("part 0")),
        )
    )
    assert left(run, {}, workers=3, after=3.0) == 3.0
    assert left(run, {}, workers=1, after=3.0) == 9.0


def test_where_nothing_is_known_of_most_tasks_nobody_can_tell() -> None:
    run = fold(batches((0, run_started(), added("a"), added("b"), added("c"), added("d"))))
    assert left(run, {}) is None
    assert left(run, {"a": 4.0}) is None
    assert left(run, {"a": 4.0, "b": 2.0}, workers=1) == 12.0  # the others count their average


def test_items_of_a_map_count_one_by_one_and_what_waits_for_them_comes_after() -> None:
    moments = [
        (0, run_started(), added("files"), added("part", "files"), added("report", "part"), ready("files")),
        (0, started("files")),
        (1, succeeded("files"), ready("part"), expanded("part", 4), *(added(f"part[{n}]") for n in range(4))),
        (1, *(event for n in range(4) for event in (ready(f"part[{n}]"), started(f"part[{n}]")))),
        (3, succeeded("part[0]")),
    ]
    durations = {"files": 1.0, "part": 6.0, "report": 1.0}
    before = fold(batches(*moments[:1]))
    assert left(before, durations) == 8.0
    assert left(before, durations, sizes={"part": 4}) == 13.0
    assert left(fold(batches(*moments[:4])), durations, workers=4, after=1.0) == 7.0
    assert left(fold(batches(*moments[:4])), durations, workers=1, after=1.0) == 25.0
    assert left(fold(batches(*moments)), {"report": 1.0}, workers=4, after=2.0) == pytest.approx(2.0)


def test_the_wait_for_a_retry_is_on_the_way_and_takes_no_worker() -> None:
    run = fold(
        batches(
            (0, run_started(), added("a"), added("b", "a"), ready("a"), started("a")),
            (1, retried("a", retry_at=11.0)),
        )
    )
    assert left(run, {"a": 2.0, "b": 3.0}, workers=1, after=1.0) == 15.0


def test_a_run_that_has_ended_takes_no_more_time() -> None:
    run = fold(batches((0, run_started(), added("a")), (1, run_ended())))
    assert left(run, {}) == 0.0
    assert left(fold(batches((0, run_started()))), {}) == 0.0
