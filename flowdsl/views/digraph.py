"""A drawing in DOT, built with the graphviz package: labels escaped, ids our own, nothing else from the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Iterable, Mapping, Optional

from flowdsl.views.drawing import MANY_BOXES, PILED, Box, Drawing, drawing
from flowdsl.views.escape import clean
from flowdsl.views.faces import Face, faces
from flowdsl.views.palette import GREY, INK, OUTLINE

if TYPE_CHECKING:
    import graphviz

__all__ = ["digraph", "dot_source", "stale_of", "to_dot", "to_graphviz"]


def stale_of(graph: Any) -> FrozenSet[str]:
    """The names of the tasks that are newer than their last result, where the graph knows any."""
    found: FrozenSet[str] = getattr(graph, "stale", frozenset())
    return found


def to_dot(graph: Any, states: Optional[Mapping[str, str]] = None) -> str:
    """The DOT source of `graph`, coloured by `states` where they are given; nodes are called n0, n1, ..."""
    return str(to_graphviz(graph, states).source)


def to_graphviz(graph: Any, states: Optional[Mapping[str, str]] = None, boxes: int = MANY_BOXES) -> graphviz.Digraph:
    """`graph` as an object of the graphviz package, coloured by `states` where they are given."""
    picture = drawing(graph, boxes)
    return digraph(picture, faces(picture, states, graph.given, stale=stale_of(graph)))


def dot_source(picture: Drawing, shown: Mapping[str, Face]) -> str:
    """`picture` in DOT."""
    return str(digraph(picture, shown).source)


def digraph(picture: Drawing, shown: Mapping[str, Face]) -> graphviz.Digraph:
    """`picture` for Graphviz. Labels are cleaned and escaped; ids are our own; nothing else comes from the user."""
    import graphviz

    made = graphviz.Digraph("flow", graph_attr=_GRAPH, node_attr=_NODE, edge_attr=_EDGE)
    if picture.note:
        made.attr(label=_quoted(picture.note), fontname="Helvetica", fontsize="11", fontcolor=GREY)
    if picture.groups:  # or else each group has ranks of its own, and arrows go backwards
        made.attr(newrank="true")
    for group in picture.groups:
        with made.subgraph(name=f"cluster_{group.id}") as frame:
            frame.attr(label=_quoted(group.title), id=group.id, **_FRAME)
            _add_boxes(frame, (box for box in picture.boxes if box.group == group.id), shown)
    _add_boxes(made, (box for box in picture.boxes if not box.group), shown)
    for arrow in picture.arrows:
        more = {"style": "dashed"} if arrow.ordered else {}
        if arrow.label:
            more["label"] = _quoted(arrow.label)
        made.edge(arrow.source, arrow.target, **more)
    return made


def _add_boxes(made: graphviz.Digraph, boxes: Iterable[Box], shown: Mapping[str, Face]) -> None:
    for box in boxes:
        made.node(box.id, label=_label(box, shown[box.id]), id=box.id, **_dressed(box, shown[box.id]))


_GRAPH = {"rankdir": "LR", "bgcolor": "transparent", "nodesep": "0.22", "ranksep": "0.42", "pad": "0.1"}
_NODE = {
    "shape": "box",
    "style": "rounded,filled",
    "color": OUTLINE,
    "fontcolor": INK,
    "fontname": "Helvetica",
    "fontsize": "13",
    "margin": "0.19,0.06",
    "height": "0.4",
    "width": "0.5",
}
_FRAME = {
    "style": "rounded",
    "color": GREY,
    "penwidth": "0.7",
    "fontcolor": GREY,
    "fontname": "Helvetica",
    "fontsize": "11",
    "labeljust": "l",
    "margin": "10",
}
_EDGE = {
    "color": GREY,
    "fontcolor": GREY,
    "fontname": "Helvetica",
    "fontsize": "10",
    "arrowsize": "0.7",
    "penwidth": "1.2",
}


def _dressed(box: Box, face: Face) -> Dict[str, str]:
    if box.kind == "input":
        return {"style": "rounded,dashed", "color": GREY, "fontcolor": GREY}
    more = {"fillcolor": face.fill}
    if box.kind in PILED:
        more["peripheries"] = "2"
    return more


def _label(box: Box, face: Face) -> str:
    return _quoted(*(line for line in (box.title, face.text) if line))


def _quoted(*lines: str) -> str:
    """A label for DOT: no entities that DOT would resolve, no backslashes with a meaning, never HTML.

    What `graphviz.escape` returns has a type of its own, which says that `<...>` is meant as text: it goes on as it is.
    """
    import graphviz

    escaped: str = graphviz.escape("\n".join(clean(line).replace("&", "&amp;") for line in lines))
    return escaped
