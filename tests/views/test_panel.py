"""The panel of a task."""

from __future__ import annotations

from typing import Any

import pytest

from flowdsl.engine.snapshot import fold
from flowdsl.views.panel import Facts, brief, panel_html
from tests.views.samples import NASTY, PAYLOAD, batches, begun, graph_of, small, started, told

FACTS = Facts(
    (("flights", "flights: DataFrame 3 × 4"),), "40 rows\n  read\n", "def clean(flights): ...", "In [3], line 1"
)


def test_it_has_arguments_attempts_error_output_and_source() -> None:
    html = panel_html(told(), "clean", FACTS)
    assert "flights = flights: DataFrame 3 \u00d7 4" in html
    assert html.count("\u2717 failed") == 3  # the task and two attempts
    assert "line 4, in clean" in html
    assert "40 rows\n  read" in html
    assert "source, In [3], line 1" in html and "def clean(flights): ..." in html


def test_of_a_task_that_runs_it_says_for_how_long() -> None:
    run = fold(batches(*begun(small()), *started("flights", 1.0)))
    html = panel_html(run, "flights", Facts(output="x"), 1_700_000_008.0)
    assert ">7 s</td>" in html and "output so far" in html


def test_long_texts_are_cut_the_output_at_its_beginning_and_the_source_at_its_end() -> None:
    html = panel_html(told(), "clean", Facts(output="a\n" * 9000 + "end of it", source="start of it\n" + "b\n" * 9000))
    assert "end of it" in html and "start of it" in html
    assert len(html) < 20_000


def test_a_name_that_is_no_task_is_told() -> None:
    assert "no task" in panel_html(told(), "nope", Facts())


def test_every_users_string_is_escaped() -> None:
    graph = graph_of({NASTY: []})
    run = fold(batches(*begun(graph), *started(NASTY, 1.0)))
    html = panel_html(run, NASTY, Facts(((NASTY, NASTY),), NASTY, NASTY, NASTY))
    assert PAYLOAD not in html and "<script" not in html and "\x00" not in html


class Hostile:
    def __repr__(self) -> str:
        raise AssertionError("nobody asks for it")

    def __len__(self) -> int:
        raise TypeError


class Table:
    shape = (3, 4)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (None, "None"),
        ("jan.csv", "'jan.csv'"),
        ([1, 2, 3], "list of 3"),
        ({}, "dict of 0"),
        (range(10**9), "range of 1,000,000,000"),
        (Hostile(), "Hostile"),
        (Table(), "Table 3 \u00d7 4"),
        (object(), "object"),
    ],
)
def test_a_value_is_told_in_a_few_words(value: Any, text: str) -> None:
    assert brief(value) == text


def test_what_is_long_is_not_told_whole() -> None:
    assert len(brief("x" * 10**7)) < 100
    assert brief(10**5000) == "int of 16,610 bits"
