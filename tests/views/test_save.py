"""Pictures as files."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from flowdsl.errors import ConfigError, RendererMissing
from flowdsl.views import save as saving
from flowdsl.views.renderer import find_dot
from flowdsl.views.save import save
from tests.views.samples import NASTY, graph_of, harmless, small


def test_svg_html_and_dot_need_no_renderer(own_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "find_renderers", list)
    ElementTree.parse(save(small(), "a.svg", {"clean": "failed"}))
    html = save(small(), "a.html").read_text(encoding="utf-8")
    assert 'src="data:image/svg+xml;base64,' in html
    assert "flights" in html
    assert save(small(), own_directory / "a.dot").read_text(encoding="utf-8").startswith("digraph")


def test_png_comes_from_a_renderer() -> None:
    if find_dot() is None:
        pytest.skip("no renderer here")
    assert save(small(), "a.PNG").read_bytes().startswith(b"\x89PNG")


def test_the_next_renderer_is_asked_where_one_cannot_make_a_pdf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "find_renderers", lambda: ["wheel", "dot"])
    monkeypatch.setattr(saving, "render", lambda program, *_: b"%PDF-1.7" if program == "dot" else None)
    assert save(small(), "a.pdf").read_bytes() == b"%PDF-1.7"


@pytest.mark.parametrize("answer", [None, b"rubbish"])
@pytest.mark.parametrize(("kind", "install"), [("png", "pip install graphviz-pure"), ("pdf", "apt install graphviz")])
def test_without_a_renderer_that_can_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, own_directory: Path, answer: object, kind: str, install: str
) -> None:
    monkeypatch.setattr(saving, "find_renderers", lambda: ["some"] if answer else [])
    monkeypatch.setattr(saving, "render", lambda *_: answer)
    with pytest.raises(RendererMissing, match=install):
        save(small(), f"a.{kind}")
    assert list(own_directory.iterdir()) == []


@pytest.mark.parametrize("name", ["a.gif", "a"])
def test_another_kind_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.svg, \.html, \.dot, \.mmd, \.png, \.pdf"):
        save(small(), name)


def test_names_are_escaped_in_a_page() -> None:
    assert harmless(save(graph_of({NASTY: []}, flow=NASTY), "a.html").read_text(encoding="utf-8"))
