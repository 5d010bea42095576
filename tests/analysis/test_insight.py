"""Where time goes, what got slower, which retries were wasted, how busy the workers were, who waits for whom."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pandas as pd
import pytest

from flowdsl.analysis.frames import attempts_frame
from flowdsl.analysis.insight import Insight
from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.errors import ConfigError
from tests.analysis.journals import (
    added,
    batches,
    eventful,
    failed,
    ready,
    retried,
    run_ended,
    run_started,
    started,
    succeeded,
)

ASKED: Dict[str, Callable[[Insight], pd.DataFrame]] = {
    "time_by_task": Insight.time_by_task,
    "slower_since": lambda insight: insight.slower_since("2023-11-15", least=1),
    "wasted_retries": Insight.wasted_retries,
    "occupancy": Insight.occupancy,
    "waits": Insight.waits,
}


def insight(*runs: Snapshot) -> Insight:
    return Insight(attempts_frame(runs))


def rows(frame: pd.DataFrame, *names: str) -> List[Any]:
    return [tuple(row) for row in frame[list(names)].astype(object).itertuples(index=False)]


def run_at(day: int, seconds: Dict[str, float], run_id: str = "") -> Snapshot:
    """A run so many days after the first, its tasks one after the other."""
    moments: List[Any] = [(0.0, run_started(run_id or f"r{day}"), *map(added, seconds))]
    now = 0.0
    for name, duration in seconds.items():
        moments += [(now, ready(name), started(name)), (now + duration, succeeded(name))]
        now += duration
    made = batches(*moments, (now, run_ended()))
    return fold([batch._replace(at=batch.at + day * 86_400) for batch in made])


# ---- where does time go


def test_what_takes_most_time_comes_first() -> None:
    frame = insight(run_at(0, {"a": 1.0, "b": 2.0}), run_at(1, {"a": 3.0, "b": 5.0})).time_by_task()
    names = ("flow", "task", "runs", "attempts", "busy_s", "share", "median_s", "max_s")
    assert rows(frame, *names) == [
        ("etl", "b", 2, 2, 7.0, round(7 / 11, 6), 3.5, 5.0),
        ("etl", "a", 2, 2, 4.0, round(4 / 11, 6), 2.0, 3.0),
    ]


def test_what_did_not_succeed_is_lost_time_and_no_part_of_the_median() -> None:
    frame = insight(fold(eventful())).time_by_task().set_index("task")
    assert frame.loc["clean", ["attempts", "busy_s", "lost_s", "median_s"]].tolist() == [2, 4.0, 1.0, 3.0]
    assert frame.loc["slow", "lost_s"] == 4.5
    assert pd.isna(frame.loc["slow", "median_s"])


def test_items_of_a_map_count_together() -> None:
    frame = insight(run_at(0, {"part[0]": 1.0, "part[1]": 3.0, "end": 2.0})).time_by_task()
    assert rows(frame, "task", "attempts", "busy_s", "median_s") == [("part", 2, 4.0, 2.0), ("end", 1, 2.0, 2.0)]


# ---- what got slower


def test_what_lost_most_seconds_comes_first_and_what_got_faster_last() -> None:
    days = [run_at(day, {"slower": 1.0 + (day >= 3), "same": 2.0, "faster": 3.0 - (day >= 3)}) for day in range(6)]
    frame = insight(*days).slower_since(pd.Timestamp("2023-11-17 12:00"))
    names = ("task", "before", "after", "before_s", "after_s", "change_s", "ratio", "probability")
    assert rows(frame, *names) == [
        ("slower", 3, 3, 1.0, 2.0, 1.0, 2.0, 1.0),
        ("same", 3, 3, 2.0, 2.0, 0.0, 1.0, 0.5),
        ("faster", 3, 3, 3.0, 2.0, -1.0, round(2 / 3, 6), 0.0),
    ]


def test_the_moment_may_be_text_a_datetime_or_have_a_zone() -> None:
    asked = insight(*(run_at(day, {"a": 1.0 + day}) for day in range(4)))
    moments = ["2023-11-16 23:00", pd.Timestamp("2023-11-16 23:00"), "2023-11-17T00:00+01:00"]
    frames = [asked.slower_since(moment, least=1) for moment in moments]
    assert rows(frames[0], "before", "after", "change_s") == [(3, 1, 2.0)]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])


@pytest.mark.parametrize("wrong", ["Tuesday-ish", None, float("nan"), object(), 20261117, True])
def test_what_is_no_moment_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="moment"):
        insight(run_at(0, {"a": 1.0})).slower_since(wrong)


def test_tasks_with_too_few_attempts_are_left_out() -> None:
    asked = insight(*(run_at(day, {"a": 1.0}) for day in range(5)))
    assert len(asked.slower_since("2023-11-17")) == 0
    assert len(asked.slower_since("2023-11-17", least=2)) == 1


# ---- which retries were wasted


def tried(task: str, *ends: Any) -> List[Any]:
    """A run in which a task is tried as often as there are ends, a second each."""
    moments: List[Any] = [(0.0, run_started(), added(task), ready(task))]
    for number, end in enumerate(ends, 1):
        moments += [(2.0 * number, started(task, number)), (2.0 * number + 1.0, end(task, number))]
        if number < len(ends):
            moments += [(2.0 * number + 1.0, ready(task, "retry_wait", "delay_over"))]
    return moments


def broken(task: str, attempt: int) -> Event:
    return failed(task, attempt, error_type="OSError", error="no")


def test_retries_of_tasks_that_failed_all_the_same_are_wasted() -> None:
    saved = fold(batches(*tried("load", retried, succeeded)), run_id="r1")
    lost = fold(batches(*tried("load", retried, retried, broken)), run_id="r2")
    never = fold(batches(*tried("other", succeeded)), run_id="r3")
    frame = insight(saved, lost, never).wasted_retries()
    names = ("task", "retried", "saved", "saved_share", "retries", "wasted", "wasted_s", "error_type")
    assert rows(frame, *names) == [("load", 2, 1, 0.5, 3, 2, 2.0, "OSError")]


def test_a_retry_that_goes_on_is_not_judged() -> None:
    going = fold(batches(*tried("load", retried, succeeded)[:-1]))
    assert len(insight(going).wasted_retries()) == 0


# ---- how busy were the workers


def test_a_run_is_as_busy_as_its_workers_together() -> None:
    frame = insight(fold(eventful())).occupancy()
    assert rows(frame, "run_id", "length_s", "workers", "attempts", "busy_s", "share", "at_once", "peak") == [
        ("r1", 7.5, 3, 4, 10.5, round(10.5 / 22.5, 6), 1.4, 2)
    ]


def test_one_that_begins_when_another_ends_is_not_beside_it() -> None:
    assert insight(run_at(0, {"a": 1.0, "b": 1.0, "c": 1.0})).occupancy()["peak"].tolist() == [1]


# ---- who waits for whom


def two_that_share_a_limit(run_id: str, first: str, second: str) -> Snapshot:
    return fold(
        batches(
            (0, run_started(run_id), added("a"), added("b"), added("c"), ready("a"), ready("b"), ready("c")),
            (0, started(first), started("c", worker="thread-2")),
            (1, succeeded("c")),
            (4, succeeded(first), started(second)),
            (6, succeeded(second), run_ended()),
        )
    )


def test_tasks_that_share_a_limit_wait_for_each_other() -> None:
    frame = insight(two_that_share_a_limit("r1", "a", "b"), two_that_share_a_limit("r2", "b", "a")).waits()
    names = ("task", "behind", "runs", "waited", "share", "wait_s", "mutual")
    assert rows(frame, *names) == [("a", "b", 2, 1, 0.5, 4.0, True), ("b", "a", 2, 1, 0.5, 4.0, True)]


def test_what_always_happens_comes_first_and_is_not_mutual_if_it_goes_one_way() -> None:
    frame = insight(two_that_share_a_limit("r1", "a", "b"), two_that_share_a_limit("r2", "a", "b")).waits()
    assert rows(frame, "task", "behind", "share", "mutual") == [("b", "a", 1.0, False)]


def test_what_it_depends_on_is_no_wait_and_items_wait_for_their_siblings() -> None:
    moments = [(0, run_started(), added("files"), added("part[0]"), added("part[1]"), ready("files"), started("files"))]
    moments += [(1, succeeded("files"), ready("part[0]"), ready("part[1]"), started("part[0]"))]
    moments += [(3, succeeded("part[0]"), started("part[1]")), (5, succeeded("part[1]"))]
    frame = insight(fold(batches(*moments))).waits()
    assert rows(frame, "task", "behind", "wait_s", "mutual") == [("part", "part", 2.0, True)]


# ---- all of them


@pytest.mark.parametrize("question", sorted(ASKED))
def test_an_answer_to_nothing_is_empty_and_has_the_same_dtypes(question: str) -> None:
    ask = ASKED[question]
    nothing = ask(insight())
    assert len(nothing) == 0
    runs = [run_at(day, {"a": 1.0}) for day in range(4)]
    lost = fold(batches(*tried("load", retried, broken)), run_id="lost")
    full = ask(insight(*runs, lost, two_that_share_a_limit("two", "a", "b")))
    assert len(full)
    assert full.dtypes.to_dict() == nothing.dtypes.to_dict()


@pytest.mark.parametrize("question", sorted(ASKED))
def test_answers_to_damaged_and_unfinished_runs_are_frames_too(question: str) -> None:
    lines = eventful()
    for kept in range(len(lines)):
        partial = fold([batch for place, batch in enumerate(lines) if place != kept][: kept + 5])
        frame = ASKED[question](insight(partial, fold(lines[:kept])))
        assert list(frame.columns)


def test_it_says_what_can_be_asked() -> None:
    text = repr(insight(fold(eventful())))
    assert "4 attempts of 1 run:" in text and "slower_since(date)" in text
