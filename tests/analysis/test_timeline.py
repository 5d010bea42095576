"""The timeline as rows, as text and as something that draws itself."""

from __future__ import annotations

from typing import List

import pandas as pd
import pytest

from flowdsl.analysis.timeline import Bar, Timeline, timeline_bars, timeline_frame
from flowdsl.engine.snapshot import Snapshot, fold
from tests.analysis.journals import START, added, batches, eventful, ready, run_started, started, succeeded


def test_bars_count_seconds_from_the_start_of_the_run() -> None:
    assert timeline_bars(fold(eventful())) == [
        Bar("flights", 1, "succeeded", "thread-1", 0.0, 0.5, 2.5),
        Bar("slow", 1, "timed_out", "thread-2", 0.0, 0.75, 5.25),
        Bar("clean", 1, "failed", "thread-1", 2.5, 2.75, 3.75),
        Bar("clean", 2, "succeeded", "thread-3", 4.75, 5.0, 8.0),
    ]


@pytest.mark.parametrize(("now", "end"), [(None, 0.75), (START + 9, 9.0), (START - 100, 0.75)])
def test_what_runs_ends_now_or_with_the_last_event(now: float, end: float) -> None:
    snapshot = fold(eventful()[:3])
    assert [bar.end_s for bar in timeline_bars(snapshot, now)] == [end, end]


def test_an_interrupted_attempt_ends_with_the_last_event() -> None:
    snapshot = fold(eventful()[:4])
    snapshot.interrupted()
    assert [(bar.state, bar.end_s) for bar in timeline_bars(snapshot)] == [("succeeded", 2.5), ("interrupted", 2.5)]


def test_attempts_whose_beginning_was_lost_have_no_bar_and_the_first_one_is_the_start() -> None:
    run = batches((1, added("a"), ready("a"), started("a")), (2, succeeded("a"), succeeded("b")))
    assert timeline_bars(fold(run)) == [Bar("a", 1, "succeeded", "thread-1", 0.0, 0.0, 1.0)]


def test_the_frame_has_the_bars_and_the_same_dtypes_without_any() -> None:
    frame, empty = timeline_frame(fold(eventful())), timeline_frame(Snapshot("r1", "etl"))
    assert frame["task"].tolist() == ["flights", "slow", "clean", "clean"]
    assert frame["run_id"].tolist() == ["r1"] * 4
    assert len(empty) == 0
    pd.testing.assert_series_equal(frame.dtypes, empty.dtypes)


def test_a_timeline_draws_its_bars_with_what_it_was_given() -> None:
    drawn: List[Bar] = []

    def draw(bars: List[Bar]) -> str:
        drawn.extend(bars)
        return "<svg/>"

    bundle = Timeline(fold(eventful()), draw)._repr_mimebundle_()
    assert bundle["image/svg+xml"] == "<svg/>"
    assert "flights" in bundle["text/plain"]
    assert drawn == timeline_bars(fold(eventful()))


def test_a_timeline_that_cannot_be_drawn_is_text_that_says_why() -> None:
    def draw(bars: List[Bar]) -> str:
        raise RuntimeError("no ink")

    bundle = Timeline(fold(eventful()), draw)._repr_mimebundle_()
    assert list(bundle) == ["text/plain"]
    assert "no picture: RuntimeError: no ink" in bundle["text/plain"]


def test_a_timeline_prints_itself() -> None:
    assert repr(Timeline(fold(eventful()))).splitlines() == [
        "run r1: failed, 4 attempts",
        "flights                  |  ##########                            | succeeded 2 s",
        "slow                     |   ######################               | timed_out 4.5 s",
        "clean                    |             #####                      | failed 1 s",
        "clean #2                 |                         ###############| succeeded 3 s",
    ]


def test_a_long_timeline_prints_its_beginning_and_how_much_more_there_is() -> None:
    names = [f"task-{number:03}-with-a-name-that-is-rather-long" for number in range(50)]
    run = batches((0, run_started(), *(event for name in names for event in (added(name), ready(name), started(name)))))
    lines = repr(Timeline(fold(run))).splitlines()
    assert len(lines) == 42
    assert lines[1].startswith("task-000-with-a-name-... |")
    assert lines[-1] == "... and 10 more"


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    name = "a\x1b[31m"
    text = repr(Timeline(fold(batches((0, run_started(), added(name), ready(name), started(name))))))
    assert "\x1b" not in text
