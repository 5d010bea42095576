"""Names, and the messages of refusals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl import ConfigError
from flowdsl.definition.checks import check_name, refuse
from flowdsl.definition.suggest import did_you_mean, nearest


@pytest.mark.parametrize("name", ["a", "x" * 200, "Lüfter 3", "../x".replace("/", "."), "<b>", "名前", "a-b.c:d"])
def test_a_printable_name_of_up_to_200_characters_is_a_name(name: str) -> None:
    assert check_name(name, "here") == name


@pytest.mark.parametrize(
    "name", ["", "x" * 201, "a/b", "../../etc/passwd", "a[0]", "]", "a\nb", "a\tb", "\x1b[31m", "a\u2028b"]
)
def test_a_name_that_is_empty_long_unprintable_or_has_brackets_or_a_slash_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^here: name="):
        check_name(name, "here")


@pytest.mark.parametrize("name", [None, 3, b"a", ["a"], True])
def test_a_name_that_is_no_text_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="is not a str"):
        check_name(name, "here")


@given(st.text(max_size=250))
def test_a_name_is_taken_exactly_when_it_is_within_the_documented_limits(name: str) -> None:
    allowed = 1 <= len(name) <= 200 and name.isprintable() and not set(name) & set("[]/")
    try:
        taken = check_name(name, "here") == name
    except ConfigError:
        taken = False
    assert taken == allowed


def test_a_huge_value_does_not_make_a_huge_message() -> None:
    with pytest.raises(ConfigError) as caught:
        refuse("here", "timeout", ["x" * 1000] * 1000, "is not a number")
    assert len(str(caught.value)) < 300


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert nearest("fligths", ["clean", "flights"]) == "flights"
    assert nearest("FLIGHTS", ["clean", "flights"]) == "flights"


def test_a_name_like_no_other_has_no_nearest_and_the_message_says_what_else_to_do() -> None:
    assert nearest("zzz", ["clean", "flights"]) is None
    assert nearest(3, ["clean"]) is None
    assert did_you_mean("zzz", ["clean"], "define it") == "; define it"
    assert did_you_mean("zzz", []) == "; there is none"
