"""How states look."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any, List, Tuple

import pytest

from flowdsl.engine import states as st
from flowdsl.views.palette import GREY, INK, by_weight, counts_text, look, worst


def linear(colour: str) -> List[float]:
    """Red, green and blue as light, 0 to 1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(colour)))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


# How much of each linear primary eyes without green or without red see: G. M. Machado, M. M. Oliveira and L. A. F.
# Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15 (2009), severity 1.
EYES = {
    "all colours": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}
TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def times(matrix: Any, vector: Any) -> List[float]:
    return [sum(a * b for a, b in zip(row, vector)) for row in matrix]


def lab(colour: str, eyes: str) -> Tuple[float, float, float]:
    """The colour in CIELAB as these eyes see it."""
    seen = [min(1.0, max(0.0, part)) for part in times(EYES[eyes], linear(colour))]
    x, y, z = times(TO_XYZ, seen)
    whites = (x / 0.9505, y, z / 1.089)
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in whites)
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("eyes", EYES)
def test_any_two_states_can_be_told_apart_by_their_fills_alone(eyes: str) -> None:
    seen = {state: lab(look(state).fill, eyes) for state in st.TASK_STATES}
    assert min(math.dist(seen[one], seen[other]) for one, other in combinations(seen, 2)) >= 11
    assert math.dist(seen["failed"], seen["succeeded"]) >= 29


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
