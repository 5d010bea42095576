"""Spans in lanes."""

from __future__ import annotations

from typing import Any, List

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl.views.lanes import Span, nice_ticks, packed, spans_of, worth_drawing


def span(start: float, end: float, worker: str = "w", state: str = "succeeded", task: str = "t") -> Span:
    return Span(task, 1, state, worker, start, start, end)


spans = st.lists(
    st.builds(
        lambda start, length, worker: span(start, start + length, worker),
        st.floats(0, 100), st.floats(0, 50), st.sampled_from("abc"),
    ),
    max_size=40,
)  # fmt: skip


@given(spans)
def test_no_two_spans_of_a_lane_overlap_and_none_is_lost(found: List[Span]) -> None:
    lanes, hidden = packed(found, 1000)
    rows = [row for rows in lanes.values() for row in rows]
    assert hidden == 0
    assert sum(map(len, rows)) == len(found)
    assert all(a.end <= b.start + 1e-6 for row in rows for a, b in zip(row, row[1:]))


@given(spans, st.integers(1, 5))
def test_there_are_never_more_lanes_than_asked_for_and_what_finds_no_place_is_counted(
    found: List[Span], most: int
) -> None:
    lanes, hidden = packed(found, most)
    rows = [row for rows in lanes.values() for row in rows]
    assert len(rows) <= most
    assert sum(map(len, rows)) + hidden == len(found)


def test_workers_are_in_natural_order() -> None:
    lanes, _ = packed([span(0, 1, name) for name in ("thread-10", "thread-2", "loop", "thread-1")], 10)
    assert list(lanes) == ["loop", "thread-1", "thread-2", "thread-10"]


def test_failures_are_drawn_before_long_successes() -> None:
    found = [span(0, 9), span(1, 1.1, state="failed"), span(2, 8), span(3, 4)]
    kept, left = worth_drawing(found, 2)
    assert ([one.start for one in kept], left) == ([0, 1], 2)


@pytest.mark.parametrize(
    ("end", "last", "step"),
    [(10, 10, 1), (3.7, 3.5, 0.5), (0.004, 0.004, 0.0005), (7250, 7000, 1000), (1e-9, 1e-9, 1e-10), (100.0, 100, 10)],
)
def test_ticks_are_round_and_end_before_the_end(end: float, last: float, step: float) -> None:
    ticks = nice_ticks(end)
    assert ticks[0] == 0
    assert ticks[-1] == pytest.approx(last)
    assert ticks[1] == pytest.approx(step)


@given(st.floats(min_value=1e-12, max_value=1e12))
def test_there_are_never_many_ticks(end: float) -> None:
    assert 3 <= len(nice_ticks(end)) <= 11


@pytest.mark.parametrize("end", [0, -1, float("nan"), float("inf")])
def test_an_axis_without_length_has_one_tick(end: float) -> None:
    assert nice_ticks(end) == [0.0]


def test_rows_may_be_a_frame_mappings_or_objects() -> None:
    row = {"task": "a", "attempt": 2, "state": "failed", "worker": "w", "queued_s": 0.5, "start_s": 1.0, "end_s": 2.0}
    expected = [Span("a", 2, "failed", "w", 0.5, 1.0, 2.0)]
    frame = pd.DataFrame([row]).astype({"attempt": "Int64", "state": "category", "worker": "string"})
    assert spans_of([row]) == spans_of(frame) == spans_of(expected_objects(row)) == expected


def expected_objects(row: Any) -> List[Any]:
    return [type("Row", (), row)]


def test_what_is_missing_in_a_frame_is_no_number() -> None:
    row = {"task": pd.NA, "attempt": pd.NA, "state": None, "worker": pd.NA, "queued_s": float("nan"), "start_s": 1.0}
    assert spans_of([row]) == [Span("", 1, "", "-", 1.0, 1.0, 1.0)]
    assert spans_of([{**row, "start_s": pd.NA}]) == []
