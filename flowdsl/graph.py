"""The graph as users hold it: the frozen graph, and its pictures."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Dict

from flowdsl.definition import graph as definition

__all__ = ["Graph", "drawable", "pictures"]


class Graph(definition.Graph):
    """A validated, frozen graph of tasks that draws itself; see `flowdsl.definition.graph.Graph` for what it holds."""

    def __repr__(self) -> str:
        try:
            from flowdsl.views.text import tree

            return tree(self)
        except Exception:  # a picture is never worth an error
            return super().__repr__()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        return pictures(self)


def drawable(graph: definition.Graph) -> Graph:
    """The same graph as one that draws itself."""
    return Graph(**{field.name: getattr(graph, field.name) for field in fields(graph)})


def pictures(graph: Graph) -> Dict[str, str]:
    """The graph as text, and as SVG where something here can draw it."""
    bundle = {"text/plain": repr(graph)}
    try:
        from flowdsl.views.dot import render_svg

        bundle["image/svg+xml"] = render_svg(graph)
    except Exception:
        pass
    return bundle
