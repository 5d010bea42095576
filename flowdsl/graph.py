"""The graph as users hold it: the frozen graph, and its pictures."""

from __future__ import annotations

from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, FrozenSet, List, Tuple, Union

from flowdsl.definition import graph as definition
from flowdsl.definition.checks import check_count

if TYPE_CHECKING:
    import graphviz

Pictures = Union[Dict[str, str], Tuple[Dict[str, str], Dict[str, Any]]]  # data by MIME type; metadata if there is any

_BOXES = "it is how many boxes there may be, 1 or more"

__all__ = ["Graph", "drawable", "pictures"]


@dataclass(frozen=True, eq=False, repr=False)
class Graph(definition.Graph):
    """A validated, frozen graph of tasks that draws itself; see `flowdsl.definition.graph.Graph` for what it holds.

    `stale` names the tasks whose definition, or that of a task upstream, is newer than their last result.
    """

    stale: FrozenSet[str] = frozenset()

    def __repr__(self) -> str:
        try:
            from flowdsl.views.text import tree

            return tree(self)
        except Exception:  # a picture is never worth an error
            return super().__repr__()

    def to_graphviz(self, *, boxes: int = 150) -> graphviz.Digraph:
        """The graph for the `graphviz` package, to change and to render; its nodes are called n0, n1, ...

        Tasks that are more than `boxes` (1 or more) are put together, as in the picture.
        """
        from flowdsl.views.digraph import to_graphviz

        return to_graphviz(self, boxes=check_count(boxes, "boxes", "to_graphviz", least=1, hint=_BOXES))

    def to_mermaid(self, *, boxes: int = 150) -> str:
        """The graph as the text of a Mermaid flowchart, for pages that draw such.

        Tasks that are more than `boxes` (1 or more) are put together, as in the picture.
        """
        from flowdsl.views.mermaid import to_mermaid

        return to_mermaid(self, boxes=check_count(boxes, "boxes", "to_mermaid", least=1, hint=_BOXES))

    def save(self, path: Union[str, PathLike[str]]) -> Path:
        """Write the picture to `path` and return the path; its suffix says which kind.

        That is svg, html (with the table of tasks), dot, mmd (Mermaid), png or pdf.

        Raises RendererMissing where nothing here can make a png or pdf, ConfigError for another suffix.
        """
        from flowdsl.views.save import save

        return save(self, path)

    def _ipython_key_completions_(self) -> List[str]:
        return list(self.tasks)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Pictures:
        return pictures(self, repr(self))


def drawable(graph: definition.Graph, stale: FrozenSet[str] = frozenset()) -> Graph:
    """The same graph as one that draws itself."""
    parts = {field.name: getattr(graph, field.name) for field in fields(definition.Graph)}
    return Graph(**parts, stale=stale)


def pictures(graph: definition.Graph, text: str) -> Pictures:
    """The graph as SVG and as this text; a wide picture is marked to scroll instead of shrinking. Never raises."""
    try:
        from flowdsl.views.static import graph_bundle

        data, metadata = graph_bundle(graph)
    except Exception:  # a picture is never worth an error
        return {"text/plain": text}
    data["text/plain"] = text
    return (data, metadata) if metadata else data
