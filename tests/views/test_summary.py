"""What a terminal says of a run that is over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flowdsl.engine.snapshot import fold
from flowdsl.views.summary import result_text, summary
from tests.views.samples import (
    NASTY,
    batches,
    begun,
    cancelled,
    chain,
    ended,
    failed,
    fan,
    graph_of,
    started,
    succeeded,
    told,
)


def test_a_run_that_failed_is_told_with_what_when_and_where() -> None:
    assert summary(told(), "logs/r1", {"flights": "jan.csv"}).splitlines() == [
        "✗ failed in 3.2 s: ✗ 1 failed, ⊘ 1 upstream failed, ✓ 2 succeeded of 4 tasks; 4 attempts",
        "  failed   clean (2 attempts): KeyError: 'dep_tme'",
        '             line 4 in clean: return flights["dep_tme"]',
        "  not run  report",
        "  retried  clean (2 attempts)",
        "  slowest  flights 1.0 s, audit 1.0 s, clean 500 ms",
        "  flights  jan.csv",
        "  log      logs/r1",
    ]


def test_where_a_view_has_said_how_it_ended_the_rest_follows() -> None:
    whole = summary(told(), "logs/r1").splitlines()
    assert summary(told(), "logs/r1", headline=False).splitlines() == whole[1:]


def test_a_cancelled_run_says_why() -> None:
    run = fold(batches(*begun(chain(1)), ended(1.0, "cancelled", "keyboard_interrupt")))
    assert summary(run, "x").splitlines()[0].startswith("■ cancelled in 1.0 s (the stop button or Ctrl-C): ")


def test_what_had_begun_when_the_run_was_cancelled_is_told_from_what_had_not() -> None:
    steps = [*started("t0", 1.0), cancelled("t0", 2.0, 1), cancelled("t1", 2.0)]
    run = fold(batches(*begun(chain(2)), *steps, ended(2.0, "cancelled", "cancel_requested")))
    assert summary(run, "x").splitlines()[1:3] == ["  cancelled  t0", "  not run    t1"]


def test_what_took_no_time_is_not_called_slow() -> None:
    run = fold(batches(*begun(chain(1)), *started("t0", 1.0), succeeded("t0", 1.009), ended(2.0, "succeeded")))
    assert "slowest" not in summary(run, "x")


def test_a_run_of_nothing_has_only_its_log() -> None:
    run = fold(batches(*begun(graph_of({})), ended(0.0, "succeeded", "all_done")))
    assert summary(run, "x") == "✓ succeeded in 0 s: nothing of 0 tasks; 0 attempts\n  log  x"


def test_of_many_failures_the_first_are_told_and_the_rest_counted() -> None:
    names = [name for name in fan(15).tasks if name != "report"]
    steps = [step for name in names for step in (*started(name, 1.0), failed(name, 2.0, traceback=""))]
    lines = summary(fold(batches(*begun(fan(15)), *steps, ended(3.0))), "x").splitlines()
    assert sum("KeyError" in line for line in lines) == 10
    assert "and 5 more" in "\n".join(lines)


def test_no_string_of_a_user_can_move_the_cursor() -> None:
    graph = graph_of({NASTY: []}, flow=NASTY)
    steps = [*started(NASTY, 1.0), failed(NASTY, 2.0, error=NASTY, traceback=NASTY)]
    text = summary(fold(batches(*begun(graph), *steps, ended(3.0))), "x", {NASTY: NASTY, "two\nlines": "a\nb"})
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", text)
    assert "  a b" in text


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ("out/report.html", "out/report.html"),
        (Path("out") / "report.html", str(Path("out") / "report.html")),
        ({"a": [1, 2]}, "{'a': [1, 2]}"),
        (pd.DataFrame({"a": [1, 2]}), "DataFrame 2 × 1"),
        (list(range(10_000)), "list"),
        ("x" * 10_000, "str"),
        ("", "str"),
        (None, "None"),
        (Silent(), "Silent"),
    ],
)
def test_a_result_is_shown_in_one_short_line(value: Any, text: str) -> None:
    assert result_text(value) == text
