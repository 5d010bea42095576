"""The critical path of runs that were worked out by hand, and of random ones against every path there is."""

from __future__ import annotations

import random
from typing import Any, Dict, List, Tuple

import pandas as pd
import pytest

from flowdsl.analysis.critical import critical_path
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.snapshot import Snapshot, fold
from tests.analysis.journals import added, batches, eventful, ready, run_started, started, succeeded


def run_of(spans: Dict[str, Tuple[float, float]], upstream: Dict[str, List[str]]) -> List[Batch]:
    """A run whose tasks began and ended at these seconds."""
    moments: List[Tuple[float, Any]] = [(0.0, run_started())]
    moments += [(0.0, added(task, *upstream.get(task, ()))) for task in spans]
    moments += [(begin, event) for task, (begin, _) in spans.items() for event in (ready(task), started(task))]
    moments += [(end, succeeded(task)) for task, (_, end) in spans.items()]
    return batches(*sorted(moments, key=lambda moment: moment[0]))


def rows(frame: pd.DataFrame, *names: str) -> List[Any]:
    return list(zip(*(frame[name].tolist() for name in names)))


def test_the_path_comes_first_and_the_others_by_their_slack() -> None:
    #  a(2) -> b(3) -> d(1)   and   a(2) -> c(1) -> d(1)   and   e(3)
    spans = {"e": (0.0, 3.0), "a": (0.0, 2.0), "c": (2.0, 3.0), "b": (2.0, 5.0), "d": (5.0, 6.0)}
    frame = critical_path(fold(run_of(spans, {"b": ["a"], "c": ["a"], "d": ["b", "c"]})))
    assert rows(frame, "task", "on_path", "elapsed_s", "earliest_s", "latest_s", "slack_s") == [
        ("a", True, 2.0, 0.0, 0.0, 0.0),
        ("b", True, 3.0, 2.0, 2.0, 0.0),
        ("d", True, 1.0, 5.0, 5.0, 0.0),
        ("c", False, 1.0, 2.0, 4.0, 2.0),
        ("e", False, 3.0, 0.0, 3.0, 3.0),
    ]


def test_waiting_for_a_worker_does_not_lengthen_the_path() -> None:
    spans = {"a": (0.0, 1.0), "b": (7.0, 8.0)}
    frame = critical_path(fold(run_of(spans, {"b": ["a"]})))
    assert rows(frame, "task", "earliest_s", "wait_s") == [("a", 0.0, 0.0), ("b", 1.0, 0.0)]


def test_retries_and_their_waits_belong_to_the_elapsed_time() -> None:
    frame = critical_path(fold(eventful())).set_index("task")
    assert frame.loc["clean", "elapsed_s"] == 5.25  # from 2.75, when the first attempt began, to 8.0
    assert frame.index[frame["on_path"]].tolist() == ["flights", "clean"]
    assert frame.loc["report", "elapsed_s"] == 0.0
    assert pd.isna(frame.loc["report", "wait_s"])


def test_a_running_task_counts_up_to_the_last_event() -> None:
    frame = critical_path(fold(eventful()[:4])).set_index("task")
    assert frame.loc["slow", "elapsed_s"] == 2.5 - 0.75


def test_a_run_without_tasks_has_an_empty_path_of_the_same_dtypes() -> None:
    empty = critical_path(Snapshot("r1", "etl"))
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == critical_path(fold(eventful())).dtypes.to_dict()


def test_a_dependency_whose_line_was_lost_is_left_out() -> None:
    run = batches((0, run_started(), added("b", "a"), ready("b"), started("b")), (1, succeeded("b")))
    assert rows(critical_path(fold(run)), "task", "on_path") == [("b", True)]


@pytest.mark.parametrize("seed", range(20))
def test_no_path_is_longer_and_slack_is_what_a_task_could_be_slower(seed: int) -> None:
    draw = random.Random(seed)
    names = [f"t{number}" for number in range(8)]
    upstream = {name: draw.sample(names[:place], min(place, draw.randint(0, 2))) for place, name in enumerate(names)}
    spans = {name: (0.0, float(draw.randint(1, 9))) for name in names}
    frame = critical_path(fold(run_of(spans, upstream))).set_index("task")
    assert frame.loc[frame["on_path"], "elapsed_s"].sum() == longest(spans, upstream)
    name = draw.choice(names)
    slack = frame.loc[name, "slack_s"]
    for slower, longer in ((slack, 0.0), (slack + 1.0, 1.0)):
        changed = {**spans, name: (0.0, spans[name][1] + slower)}
        assert longest(changed, upstream) == longest(spans, upstream) + longer


def longest(spans: Dict[str, Tuple[float, float]], upstream: Dict[str, List[str]]) -> float:
    """By trying every path: slow, and plainly right."""

    def ending_in(name: str) -> float:
        return spans[name][1] + max((ending_in(source) for source in upstream[name]), default=0.0)

    return max(ending_in(name) for name in spans)


def test_a_mapped_task_takes_no_time_of_its_own_and_the_path_goes_through_its_slowest_item() -> None:
    expanded = Event("task_expanded", "part", 0, "ready", "running", "expanded", detail={"size": 2})
    items_done = Event("task_succeeded", "part", 0, "running", "succeeded", "items_done")
    run = fold(
        batches(
            (0, run_started(), added("files"), added("part", "files"), added("report", "part"), ready("files")),
            (0, started("files")),
            (1, succeeded("files"), ready("part"), expanded, added("part[0]"), added("part[1]")),
            (1, ready("part[0]"), ready("part[1]"), started("part[0]"), started("part[1]")),
            (3, succeeded("part[1]")),
            (5, succeeded("part[0]"), items_done, ready("report")),
            (5, started("report")),
            (6, succeeded("report")),
        )
    )
    frame = critical_path(run)
    assert rows(frame, "task", "on_path", "elapsed_s", "slack_s", "share") == [
        ("files", True, 1.0, 0.0, round(1 / 6, 6)),
        ("part[0]", True, 4.0, 0.0, round(4 / 6, 6)),
        ("part", True, 0.0, 0.0, 0.0),
        ("report", True, 1.0, 0.0, round(1 / 6, 6)),
        ("part[1]", False, 2.0, 2.0, round(2 / 6, 6)),
    ]


def test_a_circle_in_a_journal_from_elsewhere_is_cut() -> None:
    run = batches((0, run_started(), added("a", "b"), added("b", "a"), ready("b"), started("b")), (1, succeeded("b")))
    assert rows(critical_path(fold(run)), "task", "on_path") == [("a", True), ("b", True)]
