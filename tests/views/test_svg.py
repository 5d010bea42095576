"""Templates of pictures: rebuilt from what a renderer wrote, coloured by state."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from flowdsl.views.faces import Face
from flowdsl.views.svg import Rubbish, adopt, place, recolour, root, size, text_picture
from tests.views.samples import NASTY, harmless

NODE = (
    '<g id="n0" class="node"><title>n0</title><path fill="#fff" stroke="black" d="M0,0L1,1"/>'
    '<text x="1" y="2" font-size="13.00">clean</text><text x="1" y="3" font-size="13.00">upstream failed</text></g>'
)


def written(node: str = NODE, head: str = "", before: str = "") -> bytes:
    return (
        f'{before}<svg width="80pt" height="40pt" viewBox="0 0 80 40" xmlns="http://www.w3.org/2000/svg"'
        f' xmlns:xlink="http://www.w3.org/1999/xlink"{head}><g id="graph0" class="graph" transform="translate(4 4)">'
        f'<title>flow</title><polygon fill="white" points="0,0 1,1"/>{node}</g></svg>'
    ).encode()


def test_a_renderers_picture_is_taken_over_without_its_background_its_titles_and_its_font() -> None:
    svg = adopt(written(), {"n0"}, {"n0"}, "flow etl")
    assert "white" not in svg
    assert "<title" not in svg
    assert size(svg) == (80, 40)
    assert '<path class="b" d="M0,0L1,1"' in svg
    assert place("n0") in svg
    assert "upstream failed" not in svg


def test_a_box_without_a_second_line_keeps_its_only_text() -> None:
    node = NODE.replace('<text x="1" y="3" font-size="13.00">upstream failed</text>', "")
    svg = adopt(written(node), {"n0"}, set(), "flow etl")
    assert ">clean</text>" in svg


@pytest.mark.parametrize(
    "extra",
    [
        "<script>alert(1)</script>",
        '<a xlink:href="javascript:alert(1)"><text x="1" y="1">go</text></a>',
        '<image href="http://example.org/x.png"/>',
        '<foreignObject><img src="x" onerror="alert(1)"/></foreignObject>',
        '<path d="M0,0" onclick="alert(1)"/>',
        "<style>* {background: url(http://example.org)}</style>",
    ],
)
def test_nothing_but_shapes_and_text_comes_over(extra: str) -> None:
    svg = adopt(written(NODE + extra), {"n0"}, {"n0"}, "flow etl")
    assert not re.search(r"script|href|image|foreign|onclick|style|alert|example", svg)


def test_entities_that_stand_before_the_picture_are_never_read() -> None:
    bomb = '<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    with pytest.raises(Rubbish):
        adopt(written(NODE.replace("clean", "&b;"), before=bomb), {"n0"}, {"n0"}, "flow etl")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture at all",
        b"<svg",
        b"\xff\xfe\x00",
        b"<svg></svg>",
        written().replace(b"80pt", b"-5pt"),
        written().replace(b"80pt", b"nan"),
        written().replace(b'id="n0"', b'id="n7"'),
        written().replace(b'd="M0,0L1,1"', b'd="url(javascript:alert(1))&quot;"'),
        written("<g>" * 200 + "</g>" * 200 + NODE),
    ],
)
def test_rubbish_is_called_rubbish(data: bytes) -> None:
    with pytest.raises(Rubbish):
        adopt(data, {"n0"}, {"n0"}, "flow etl")


def template() -> str:
    return adopt(written(), {"n0"}, {"n0"}, "flow etl")


def test_colours_come_in_one_style_and_words_at_their_places() -> None:
    svg = recolour(template(), {"n0": Face("#8fd6b8", "\u2713 succeeded")})
    assert svg.count("<style>") == 1
    assert "#n0 .b{fill:#8fd6b8}" in svg
    assert "\u2713 succeeded</text>" in svg
    assert "\ue000" not in svg
    ElementTree.fromstring(svg)


def test_the_style_of_one_picture_does_not_reach_another_on_the_same_page() -> None:
    green = recolour(template(), {"n0": Face("#8fd6b8", "a")})
    red = recolour(template(), {"n0": Face("#f2a58e", "b")})
    marks = [re.findall(r'<svg [^>]* id="(\w+)"', svg)[0] for svg in (green, red)]
    assert marks[0] != marks[1]
    assert f"#{marks[0]} #n0" in green
    assert f"#{marks[1]} #n0" in red


def test_the_same_picture_in_the_same_state_is_the_same_text() -> None:
    face = {"n0": Face("#8fd6b8", "a")}
    assert recolour(template(), face) == recolour(template(), face)


def test_colouring_again_moves_nothing() -> None:
    def shapes(svg: str) -> list:
        return re.findall(r' (?:d|x|y|viewBox|width|height)="[^"]*"', svg)

    assert shapes(recolour(template(), {"n0": Face("#8fd6b8", "a")})) == shapes(template())


def test_a_place_that_nobody_fills_stays_empty() -> None:
    assert "\ue000" not in recolour(template(), {})


def test_a_label_and_lines_of_text_are_escaped() -> None:
    assert harmless(root(10, 10, "", NASTY))
    assert harmless(text_picture([NASTY], NASTY))
