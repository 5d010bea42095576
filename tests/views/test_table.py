"""The table of tasks."""

from __future__ import annotations

import re
from typing import List

from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import fold
from flowdsl.views.table import table_html
from tests.views.samples import batches, begun, chain, failed, graph_of, started, succeeded, told


def rows(html: str) -> List[List[str]]:
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)]
    return [[re.sub(r"<[^>]*>", "|", cell).strip("|") for cell in row] for row in found]


def test_every_task_has_a_row_with_what_happened_to_it() -> None:
    assert rows(table_html(told())) == [
        ["task", "state", "attempts", "waited", "took", "worker", "error"],
        ["flights", "\u2713 succeeded", "1", "0 s", "1.0 s", "thread-1", ""],
        ["clean", "\u2717 failed", "2", "0 s", "500 ms", "thread-1",
         "KeyError: &#x27;dep_tme&#x27;||line 4 in clean: return flights[&quot;dep_tme&quot;]"],
        ["audit", "\u2713 succeeded", "1", "0 s", "1.0 s", "thread-2", ""],
        ["report", "\u2298 upstream failed", "", "", "", "", "because of clean"],
    ]  # fmt: skip


def test_without_errors_there_is_no_column_for_them() -> None:
    run = fold(batches(*begun(chain(1)), *started("t0", 1), succeeded("t0", 2)))
    assert rows(table_html(run))[0][-1] == "worker"


def test_it_needs_no_style_sheet_and_no_variables_of_the_page() -> None:
    html = table_html(told())
    assert not re.search(r"<style|class=|var\(|<svg|<script", html)


def test_a_long_table_shows_what_failed_and_what_was_slow_and_counts_the_rest() -> None:
    graph = chain(100)
    steps = [step for n in range(100) for step in (*started(f"t{n}", n), succeeded(f"t{n}", n + 0.1 + n / 1000))]
    steps[3 * 70 + 2] = failed("t70", 70.5)
    found = rows(table_html(fold(batches(*begun(graph), *steps)), 10))
    assert len(found) == 11
    assert [row[0] for row in found[1:4]] == ["t70", "t99", "t98"]
    assert "and 90 more: \u2713 90 succeeded" in table_html(fold(batches(*begun(graph), *steps)), 10)


def test_a_skipped_task_says_why() -> None:
    why = {"message": "nothing new"}
    skip = (2.0, Event("attempt_skipped", "t0", 1, "running", "skipped", "skip_raised", detail=why))
    run = fold(batches(*begun(chain(1)), *started("t0", 1), skip))
    assert rows(table_html(run))[1][-1] == "nothing new"


def test_an_abandoned_thread_is_reported() -> None:
    end = (2.0, Event("attempt_timed_out", "t0", 1, "running", "timed_out", "timeout", mechanism="abandoned"))
    run = fold(batches(*begun(chain(1)), *started("t0", 1), end))
    assert (
        rows(table_html(run))[1][-1] == "the attempt outlived its `timeout`; its thread was left behind and still runs"
    )


def test_a_given_task_says_so() -> None:
    given = (0.0, Event("task_given", "a", 0, "pending", "succeeded", "given"))
    assert rows(table_html(fold(batches(*begun(graph_of({"a": []})), given))))[1][1] == "\u25c6 given"


def test_an_error_of_one_endless_word_does_not_make_the_table_as_wide() -> None:
    run = fold(batches(*begun(chain(1)), *started("t0", 1), failed("t0", 2, error="e" * 5000)))
    cells = re.findall(r'<td style="([^"]*)">', table_html(run))
    assert ["overflow-wrap:anywhere" in style for style in cells] == [False] * (len(cells) - 1) + [True]
