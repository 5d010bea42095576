"""DOT, and the chain from the best renderer to plain text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, List
from xml.etree import ElementTree

import pytest

from flowdsl.definition.graph import Graph
from flowdsl.views import dot
from flowdsl.views.digraph import to_dot
from flowdsl.views.dot import Picture, render_svg
from flowdsl.views.layout import layered_svg
from flowdsl.views.palette import look
from tests.views.samples import NASTY, PAYLOAD, chain, fan, graph_of, harmless, small

Renderers = Callable[..., List[str]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Renderers:
    """Sets what each renderer answers (None: it failed) and returns the list of those that were asked."""

    def use(*answers: object) -> List[str]:
        calls: List[str] = []

        def answer(program: str, source: str) -> object:
            calls.append(program)
            return answers[int(program)]

        monkeypatch.setattr(dot, "find_renderers", lambda: [str(n) for n in range(len(answers))])
        monkeypatch.setattr(dot, "render", answer)
        dot._layouts.clear()
        return calls

    yield use
    dot._layouts.clear()


def good(graph: Graph) -> bytes:
    """What a renderer might answer for `graph`."""
    boxes = Picture(graph).drawing.boxes
    nodes = "".join(f'<g id="{box.id}" class="node"><path d="M0,0"/><text>x</text></g>' for box in boxes)
    return (
        f'<svg width="77pt" height="9pt" viewBox="0 0 77 9" xmlns="http://www.w3.org/2000/svg">{nodes}</svg>'.encode()
    )


def test_the_first_renderer_that_answers_draws(asked: Renderers) -> None:
    calls = asked(good(small()), None)
    assert 'width="77"' in render_svg(small())
    assert calls == ["0"]


@pytest.mark.parametrize("bad", [None, b"", b"rubbish", b"<svg/>", b"<svg width='1' height='1'></svg>"])
def test_a_renderer_that_fails_or_writes_rubbish_hands_on_to_the_next(asked: Renderers, bad: object) -> None:
    calls = asked(bad, good(small()))
    assert 'width="77"' in render_svg(small())
    assert calls == ["0", "1"]


@pytest.mark.parametrize("answers", [(), (None, b"rubbish")], ids=["none there", "all fail"])
def test_where_no_renderer_can_our_own_layout_draws(asked: Renderers, answers: tuple) -> None:
    asked(*answers)
    svg = render_svg(small())
    assert svg.count("<rect") == 6
    ElementTree.fromstring(svg)


def test_where_the_graphviz_package_fails_our_own_layout_draws(
    asked: Renderers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise ImportError("no module named graphviz")

    asked()
    monkeypatch.setattr(dot, "dot_source", broken)
    assert render_svg(small()).count("<rect") == 6


def test_where_nothing_can_be_laid_out_the_picture_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("no")

    monkeypatch.setattr(dot, "_lay_out", broken)
    svg = render_svg(small(), {"flights": "failed"})
    assert "flights (failed)" in svg
    ElementTree.fromstring(svg)


@pytest.mark.parametrize("graph", [None, object(), "flow"])
def test_drawing_never_raises(graph: object) -> None:
    ElementTree.fromstring(render_svg(graph))


def test_a_graph_is_laid_out_once_for_all_its_states(asked: Renderers) -> None:
    calls = asked(good(small()))
    pictures = [render_svg(small(), dict.fromkeys(small().tasks, state)) for state in ("pending", "running", "failed")]
    assert calls == ["0"]
    assert len(set(pictures)) == 3


def test_layouts_do_not_pile_up(asked: Renderers) -> None:
    asked()
    for length in range(1, 40):
        render_svg(chain(length))
    assert len(dot._layouts) <= 16


def test_a_state_is_shown_by_colour_icon_and_word(asked: Renderers) -> None:
    asked()
    svg = render_svg(chain(1), {"t0": "timed_out"})
    assert "\u25f7 timed out</text>" in svg
    assert f"#n0 .b{{fill:{look('timed_out').fill}}}" in svg


@pytest.mark.parametrize(
    "name",
    [
        PAYLOAD, NASTY, "<b>bold</b>", "<<i>x</i>>", "a\\Nb\\l", 'say "hi"', "a&lt;b", "&amp;", "{a|b}",
        "\u98db\u884c\u6a5f", "n1",
    ],
)  # fmt: skip
def test_any_name_comes_out_of_a_real_renderer_as_it_went_in(name: str) -> None:
    if dot.find_dot() is None:
        pytest.skip("no renderer here")
    dot._layouts.clear()
    graph = graph_of({name: [], "b": [name]}, flow=name, paths={"b": (name,)})
    picture = Picture(graph)
    assert "label=<" not in to_dot(graph)
    for svg in (render_svg(graph), layered_svg(picture.drawing)):
        assert harmless(svg)
        texts = [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]
        assert picture.drawing.boxes[0].title in [text.replace("\u00a0", " ") for text in texts if text]


def test_dot_has_synthetic_names_and_neither_links_nor_tooltips() -> None:
    source = to_dot(graph_of({"href=x": [], "URL": ["href=x"]}), {"URL": "failed"})
    assert re.findall(r"^\t(\w+) \[", source, re.MULTILINE)[3:] == ["n0", "n1"]
    assert not re.search(r"\b(?:URL|href|tooltip|target|edgeURL)=", source.replace('"href=x', ""))


def test_dot_says_state_and_kind() -> None:
    source = to_dot(small(), dict.fromkeys(small().tasks, "failed"))
    assert "\u2717 failed" in source
    assert "n4 -> n5 [style=dashed]" in source


def test_dot_of_a_stack_has_a_note() -> None:
    assert "401 tasks, put together by function" in to_dot(fan(400))


def test_graphviz_keeps_its_own_settings() -> None:
    import graphviz
    from graphviz.backend import dot_command

    before = dict(vars(dot_command)), dict(vars(graphviz))
    render_svg(small())
    assert (dict(vars(dot_command)), dict(vars(graphviz))) == before


def test_nothing_is_written_to_the_working_directory(own_directory: Path) -> None:
    render_svg(small())
    assert list(own_directory.iterdir()) == []
