"""Rows of past runs as aligned text."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Dict

from flowdsl.engine.failures import failures
from flowdsl.views.listing import failures_text, listing
from tests.views.samples import NASTY, told


def test_columns_are_aligned_numbers_to_the_right() -> None:
    rows = [{"task": "a", "attempt": 1, "error": "no"}, {"task": "load", "attempt": 12, "error": None}]
    assert listing(("task", "attempt", "error"), rows).splitlines() == [
        "task  attempt  error",
        "a           1  no",
        "load       12",
    ]


def test_a_column_without_any_value_is_left_out() -> None:
    assert listing(("task", "error"), [{"task": "a", "error": None}]) == "task\na"


def test_no_rows_are_no_text() -> None:
    assert listing(("task", "error"), []) == ""


def test_times_are_local_and_durations_to_be_read() -> None:
    at = datetime(2026, 11, 22, 16, 10, 29, 123456, tzinfo=timezone.utc)
    row: Dict[str, Any] = {"started_at": at, "at": at, "duration_s": 125.0, "wait_s": 0.0123}
    _, line = listing(tuple(row), [row]).splitlines()
    local = at.astimezone()
    assert line.split("  ") == [
        local.strftime("%Y-%m-%d %H:%M:%S"),
        local.strftime("%H:%M:%S.%f"),
        "2 min 05 s",
        " 12 ms",
    ]


def test_wide_characters_take_two_columns() -> None:
    rows = [{"task": "\u65e5\u672c", "state": "x"}, {"task": "abc", "state": "y"}]
    assert listing(("task", "state"), rows).splitlines() == ["task  state", "\u65e5\u672c  x", "abc   y"]


def test_no_string_of_a_user_can_move_the_cursor_or_begin_a_line() -> None:
    text = listing(("task", "error"), [{"task": NASTY, "error": "one\ntwo\r\x1b[2J"}])
    assert len(text.splitlines()) == 2
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", text)


def test_failures_come_with_their_tracebacks() -> None:
    text = failures_text("r1", failures(told()))
    assert text.splitlines()[0] == "r1  clean (2 attempts): KeyError: 'dep_tme'"
    assert "    KeyError: 'dep_tme'" in text.splitlines()
