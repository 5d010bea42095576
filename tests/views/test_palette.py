"""How states look."""

from __future__ import annotations

from typing import Tuple

import pytest

from flowdsl.engine import states as st
from flowdsl.views.palette import GREY, INK, by_weight, counts_text, look, worst


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("state", st.TASK_STATES)
def test_every_state_has_a_look_with_dark_text_that_can_be_read(state: str) -> None:
    how = look(state)
    assert how.icon != "?"
    assert contrast(how.fill, INK) >= 7


def test_no_two_states_share_an_icon_or_a_word() -> None:
    looks = [look(state) for state in st.TASK_STATES]
    assert len({how.icon for how in looks}) == len({how.word for how in looks}) == len(looks)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_what_stands_on_the_page_itself_can_be_read_on_white_and_on_black(page: str) -> None:
    assert contrast(GREY, page) >= 3.5


def test_a_state_of_a_newer_version_is_shown_by_its_name() -> None:
    assert look("put_aside").text == "? put aside"


def test_a_given_task_is_not_shown_as_one_that_ran() -> None:
    assert look("succeeded", "given").word == "given"


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"succeeded": 9, "failed": 1}, "failed"),
        ({"succeeded": 9, "running": 1}, "running"),
        ({"pending": 3, "succeeded": 1}, "pending"),
        ({}, "pending"),
    ],
)
def test_a_stack_shows_what_needs_a_look_first(counts: dict, shown: str) -> None:
    assert worst(counts) == shown


def test_counts_say_what_weighs_most_first_and_leave_out_what_is_zero() -> None:
    counts = {"succeeded": 1200, "failed": 1, "running": 0}
    assert counts_text(counts) == "\u2717 1 failed, \u2713 1,200 succeeded"


def test_short_counts_keep_the_worst_and_the_largest_and_add_up_the_rest() -> None:
    counts = {"failed": 1, "running": 2, "ready": 3, "pending": 40, "succeeded": 50}
    assert counts_text(counts, words=False, most=3) == "\u2717 1  \u25cb 40  \u2713 50  + 5"


def test_no_state_is_lost_when_they_are_weighed() -> None:
    counts = dict.fromkeys((*st.TASK_STATES, "put_aside"), 1)
    weighed: Tuple[Tuple[str, int], ...] = by_weight(counts)
    assert sorted(state for state, _ in weighed) == sorted(counts)
