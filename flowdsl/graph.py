"""The graph as users hold it: the frozen graph, and its pictures."""

from __future__ import annotations

from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, Dict, Tuple, Union

from flowdsl.definition import graph as definition

Pictures = Union[Dict[str, str], Tuple[Dict[str, str], Dict[str, Any]]]  # data by MIME type; metadata if there is any

__all__ = ["Graph", "drawable", "pictures"]


class Graph(definition.Graph):
    """A validated, frozen graph of tasks that draws itself; see `flowdsl.definition.graph.Graph` for what it holds."""

    def __repr__(self) -> str:
        try:
            from flowdsl.views.text import tree

            return tree(self)
        except Exception:  # a picture is never worth an error
            return super().__repr__()

    def save(self, path: Union[str, PathLike[str]]) -> Path:
        """Write the picture to `path` and return the path; its suffix says which kind: svg, html, dot, png or pdf.

        Raises RendererMissing where nothing here can make a png or pdf, ConfigError for another suffix.
        """
        from flowdsl.views.save import save

        return save(self, path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Pictures:
        return pictures(self, repr(self))


def drawable(graph: definition.Graph) -> Graph:
    """The same graph as one that draws itself."""
    return Graph(**{field.name: getattr(graph, field.name) for field in fields(graph)})


def pictures(graph: definition.Graph, text: str) -> Pictures:
    """The graph as SVG and as this text; a wide picture is marked to scroll instead of shrinking. Never raises."""
    try:
        from flowdsl.views.static import graph_bundle

        data, metadata = graph_bundle(graph)
    except Exception:  # a picture is never worth an error
        return {"text/plain": text}
    data["text/plain"] = text
    return (data, metadata) if metadata else data
