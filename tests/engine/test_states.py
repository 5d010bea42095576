"""The one table of transitions: it hangs together, and the page about the machine shows it as it is."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from flowdsl.engine import events as ev
from flowdsl.engine import states as st

Table = Dict[Tuple[str, str], str]


def test_every_state_can_be_reached_and_only_open_ones_are_left() -> None:
    assert set(st.TRANSITIONS.values()) == set(st.TASK_STATES)
    assert {before for before, _ in st.TRANSITIONS} == st.OPEN | {""}


def test_every_open_state_can_be_cancelled_and_interrupted() -> None:
    for state in st.OPEN:
        assert {st.TRANSITIONS[state, cause] for cause in st.CANCEL_CAUSES} == {st.CANCELLED}
        assert st.TRANSITIONS[state, "process_died"] == st.INTERRUPTED


def test_every_cause_is_explained_and_used() -> None:
    used = {cause for table in (st.TRANSITIONS, st.RUN_TRANSITIONS) for _, cause in table}
    assert used == set(st.CAUSES)


def test_a_run_leaves_only_the_running_state_and_ends_in_any_of_its_states() -> None:
    assert {before for before, _ in st.RUN_TRANSITIONS} == {"", st.RUNNING}
    assert set(st.RUN_TRANSITIONS.values()) == set(st.RUN_STATES)


def test_an_attempt_ends_in_a_state_of_attempts() -> None:
    assert set(ev.ATTEMPT_STATE.values()) <= set(st.ATTEMPT_STATES)


def table_of(page: str) -> Table:
    """The transitions in the table of the page; a cell may hold several, and *open* stands for all open states."""
    found: Table = {}
    for before, cause, after in re.findall(r"^\| (.*?) ?\| (`.*?) \| `(\w+)` \|$", page, re.MULTILINE):
        befores: List[str] = sorted(st.OPEN) if before == "*open*" else re.findall(r"\w+", before) or [""]
        found.update(dict.fromkeys(product(befores, re.findall(r"\w+", cause)), after))
    return found


def test_the_page_about_the_machine_shows_the_table_as_it_is(repository: Path) -> None:
    page = repository / "docs" / "engine.md"
    if not page.exists():
        pytest.skip("the pages are not beside the tests")
    assert table_of(page.read_text(encoding="utf-8")) == st.TRANSITIONS
