"""Graphs as text."""

from __future__ import annotations

import re

from flowdsl.views.text import tree
from tests.views.samples import NASTY, chain, fan, graph_of, small


def test_a_small_graph_reads_from_left_to_right() -> None:
    assert tree(small()) == (
        "flow etl: 4 tasks; inputs: path, season *\n"
        "flights\n"
        "\u251c\u2500 clean \u2192 report\n"
        "\u2514\u2500 audit ..> report"
    )


def test_states_are_icons_and_what_is_not_well_has_its_word() -> None:
    states = {"flights": "succeeded", "clean": "failed", "audit": "running", "report": "upstream_failed"}
    lines = tree(small(), states).splitlines()
    assert lines[0].startswith("flow etl: 4 tasks: \u2717 1 failed, \u25ba 1 running")
    assert lines[1:3] == ["\u2713 flights", "\u251c\u2500 \u2717 clean (failed) \u2192 \u2298 report (upstream failed)"]


def test_what_follows_a_shared_task_is_written_once() -> None:
    graph = graph_of({"a": [], "b": [], "shared": ["a", "b"], "after": ["shared"]})
    assert tree(graph).splitlines()[1:] == ["a \u2192 shared \u2192 after", "b \u2192 shared (above)"]


def test_a_given_task_is_marked() -> None:
    assert "\u25c6 a (given) \u2192 b" in tree(graph_of({"a": [], "b": ["a"]}, given=["a"]))


def test_a_chain_of_ten_thousand_is_cut_with_a_count() -> None:
    lines = tree(chain(10_000)).splitlines()
    assert len(lines) <= 62
    assert max(map(len, lines)) <= 100
    assert lines[-1].startswith("\u2026 and 9,")


def test_a_wide_graph_is_cut_with_a_count() -> None:
    lines = tree(fan(1000)).splitlines()
    assert len(lines) <= 62
    assert lines[-1].endswith("more tasks")


def test_every_task_of_a_graph_that_fits_is_written() -> None:
    needs = {f"t{n}": [f"t{m}" for m in (n - 1, n - 3) if m >= 0] for n in range(12)}
    text = tree(graph_of(needs))
    assert all(name in text for name in needs)


def test_a_graph_without_tasks_is_one_line() -> None:
    assert tree(graph_of({})) == "flow etl: 0 tasks"


def test_control_characters_do_not_reach_a_terminal() -> None:
    text = tree(graph_of({NASTY: []}, flow=NASTY), {NASTY: NASTY})
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e\ud800]", text)
    assert len(text.splitlines()) == 2
