"""Durations as people read them."""

from __future__ import annotations

from typing import Optional

import pytest

from flowdsl.views.times import clock_time, duration, steady


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""), (float("nan"), ""),
        (-1, "0 s"), (0, "0 s"), (0.0123, "12 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"),
        (99.94, "99.9 s"), (99.96, "1 min 40 s"), (125, "2 min 05 s"), (3599.6, "1 h 00 min"), (90061, "25 h 01 min"),
    ],
)  # fmt: skip
def test_a_duration_reads_well_at_every_size(seconds: Optional[float], text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""), (3.9, "3 s"), (59.9, "59 s"), (65, "1 min 00 s"), (69.9, "1 min 00 s"), (70, "1 min 10 s"),
        (3700, "1 h 01 min"),
    ],
)  # fmt: skip
def test_what_goes_on_for_long_is_told_in_longer_steps(seconds: Optional[float], text: str) -> None:
    assert steady(seconds) == text


def test_a_time_that_no_calendar_has_is_left_out() -> None:
    assert (clock_time(None), clock_time(1e300)) == ("", "")
