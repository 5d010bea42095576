"""Users' strings made fit to be shown."""

from __future__ import annotations

from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl.views.escape import clean, columns, esc, safe_str, shorten
from tests.views.samples import NASTY, harmless

anything = st.text(st.characters(), max_size=80)


@given(anything)
def test_escaped_text_is_well_formed_between_tags_and_inside_quotes(text: str) -> None:
    tree = ElementTree.fromstring(f"<a b=\"{esc(text)}\" c='{esc(text)}'>{esc(text)}</a>")
    assert (tree.text or "") == (tree.get("b") or "") == clean(text)


@given(anything)
def test_escaped_text_can_be_written_as_utf_8(text: str) -> None:
    assert esc(text).encode("utf-8").decode("utf-8") == esc(text)


@given(anything)
def test_clean_text_is_one_line_and_cleaning_it_again_changes_nothing(text: str) -> None:
    once = clean(text)
    assert len(once.splitlines()) <= 1
    assert clean(once) == once


@given(anything, st.integers(min_value=1, max_value=30))
def test_shortened_text_never_takes_more_columns_than_it_may(text: str, limit: int) -> None:
    assert columns(shorten(text, limit)) <= limit


def test_an_html_parser_meets_no_tag_in_an_escaped_string() -> None:
    met = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            met.append(tag)

    Parser().feed(esc(NASTY))
    assert met == []
    assert harmless(esc(NASTY))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("two\nlines\tand\r\ntabs", "two lines and tabs"),
        ("a\u202eb\u2066c", "abc"),
        ("a\ud800b\ufffec", "abc"),
        ("\ue000n1\ue001", "n1"),
        ("\u98db\u884c\u6a5f", "\u98db\u884c\u6a5f"),
    ],
)
def test_control_characters_are_removed_and_letters_are_kept(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_an_object_whose_str_raises_is_shown_by_its_type() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert safe_str(Broken()) == "<Broken>"
    assert esc(Broken()) == "&lt;Broken&gt;"


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    assert shorten("clean_all_the_flights_of_2013", 15) == "clean_all\u20262013"[:10] + "_2013"


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    assert (columns("\u98db"), columns("e\u0301"), columns("ab")) == (2, 1, 2)
