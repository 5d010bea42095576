"""Moments: the text of a time is that time, to the microsecond."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.storage.times import millisecond_text, moment_text, parse_moment

moments = some.integers(0, 4_000_000_000_000_000).map(lambda microseconds: microseconds / 1_000_000)


@given(moments)
def test_a_moment_is_read_back_as_it_was_written(at: float) -> None:
    assert parse_moment(moment_text(at)) == at


@given(moments)
def test_the_text_is_the_one_that_the_library_would_write(at: float) -> None:
    written = datetime.strptime(moment_text(at), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert abs(written.timestamp() - at) < 1e-6
    assert abs(datetime.strptime(millisecond_text(at), "%Y-%m-%dT%H:%M:%S.%fZ").timestamp() - written.replace(
        tzinfo=None
    ).timestamp()) < 0.000_51  # fmt: skip


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1.9999999, "1970-01-01T00:00:02.000000Z"),  # rounded up into the next second
        (1_795_363_829.123456, "2026-11-22T16:10:29.123456Z"),
    ],
)
def test_a_moment_is_rounded_to_the_microsecond(at: float, text: str) -> None:
    assert moment_text(at) == text


def test_a_record_has_milliseconds() -> None:
    assert millisecond_text(1_710_417_600.0) == "2024-03-14T12:00:00.000Z"
    assert millisecond_text(1_710_417_600.9996) == "2024-03-14T12:00:01.000Z"


@pytest.mark.parametrize("text", ["", "2026-11-22", "2026-11-22T16:10:29Z", "2026-11-22T16:10:29.123Z", "x" * 27])
def test_another_form_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a moment"):
        parse_moment(text)
