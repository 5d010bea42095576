"""Pictures of a graph as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Mapping, Optional, Union

from flowdsl.errors import ConfigError, RendererMissing
from flowdsl.views.details import details_html
from flowdsl.views.digraph import to_dot
from flowdsl.views.dot import render_svg
from flowdsl.views.escape import esc
from flowdsl.views.mermaid import to_mermaid
from flowdsl.views.page import page
from flowdsl.views.renderer import find_renderers, render
from flowdsl.views.static import image
from flowdsl.views.text import tree

__all__ = ["KINDS", "save"]

KINDS = (".svg", ".html", ".dot", ".mmd", ".png", ".pdf")
MOST_ROWS = 1000  # of the table in an HTML page
_PATIENCE = 60.0  # seconds


def save(graph: Any, path: Union[str, os.PathLike[str]], states: Optional[Mapping[str, str]] = None) -> Path:
    """Write a picture of `graph` to `path` and return the path; its suffix says which kind.

    `states` (name to state) colours it. The kinds are svg, html, dot, mmd (Mermaid), png and pdf; all but the last
    two always work.

    Raises:
        RendererMissing: png or pdf, and no renderer is there, or none can make that.
        ConfigError: another suffix.
    """
    target = Path(path)
    kind = target.suffix.lower()
    target.write_bytes(_made(graph, kind, states))
    return target


def _made(graph: Any, kind: str, states: Optional[Mapping[str, str]]) -> bytes:
    if kind == ".svg":
        return render_svg(graph, states).encode()
    if kind == ".html":
        return _page(graph, states).encode()
    if kind == ".dot":
        return to_dot(graph, states).encode()
    if kind == ".mmd":
        return to_mermaid(graph, states).encode()
    if kind in (".png", ".pdf"):
        return _by_renderer(graph, kind[1:], states)
    raise ConfigError(f"save: {kind or 'a name without suffix'!r} is no kind of picture; use one of {', '.join(KINDS)}")


def _by_renderer(graph: Any, kind: str, states: Optional[Mapping[str, str]]) -> bytes:
    source = to_dot(graph, states)
    for program in find_renderers():
        data = render(program, source, kind, _PATIENCE)
        if data and data.startswith(_SIGNATURES[kind]):
            return data
    raise RendererMissing(f"no program here can make a {kind.upper()}: {_INSTALL[kind]}; a .svg or .html needs nothing")


_GRAPHVIZ = "apt install graphviz, or brew install graphviz"
_INSTALL = {"png": f"pip install graphviz-pure, or {_GRAPHVIZ}", "pdf": _GRAPHVIZ}  # the wheel makes no PDF
_SIGNATURES = {"png": b"\x89PNG", "pdf": b"%PDF"}


def _page(graph: Any, states: Optional[Mapping[str, str]]) -> str:
    text = "\n".join(esc(line) for line in tree(graph, states).splitlines())
    table = details_html(graph, MOST_ROWS)
    return page(f"flow {graph.flow}", f"{image(render_svg(graph, states))}{table}<pre>{text}</pre>")
