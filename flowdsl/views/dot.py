"""Pictures of a graph: DOT built with the graphviz package, laid out once by whatever can, then only coloured again.

The chain: `$FLOWDSL_DOT`, `dot`, `graphviz-pure`, our own layered layout, text. What fails, hangs or writes rubbish
hands on to the next, so that drawing never raises.
"""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Iterable, List, Mapping, Optional

from flowdsl.views.drawing import MANY_BOXES, PILED, Box, Drawing, Face, drawing, faces
from flowdsl.views.escape import clean
from flowdsl.views.layout import layered_svg
from flowdsl.views.palette import EACH_ITEM, GREY, INK, OUTLINE, PLAIN, STALE
from flowdsl.views.renderer import find_dot, find_renderers, render
from flowdsl.views.svg import Rubbish, adopt, recolour, text_picture
from flowdsl.views.text import tree

if TYPE_CHECKING:
    import graphviz

__all__ = ["Picture", "digraph", "dot_source", "find_dot", "recolour", "render_svg", "to_dot", "to_graphviz"]

_NO_ITEMS: Mapping[str, str] = MappingProxyType({})
_LONGEST = "upstream failed"  # the second line while the layout is made, at 13 px: no state takes more room at 11
_MAPPED = "0" * 21  # room for "x 120,000/120,000  x 9,999" at 11 px
_KEPT_LAYOUTS = 16
_layouts: OrderedDict[str, str] = OrderedDict()  # DOT source to template: a graph is laid out once


class Picture:
    """A graph that is laid out once and drawn in many states; boxes are put together beyond `limit`."""

    def __init__(self, graph: Any, limit: int = MANY_BOXES) -> None:
        self.drawing = drawing(graph, limit)
        self._given, self._stale = graph.given, stale_of(graph)
        self._templates: Dict[bool, str] = {}

    def svg(self, states: Optional[Mapping[str, str]] = None, items: Mapping[str, str] = _NO_ITEMS) -> str:
        """The picture in the given states (name to state); without them, the graph as it was defined.

        `items` says how far mapped tasks are: "120/200".
        """
        shown = faces(self.drawing, states, self._given, items=items, stale=self._stale)
        return recolour(self._template(states is not None, shown), shown)

    def _template(self, with_states: bool, shown: Mapping[str, Face]) -> str:
        found = self._templates.get(with_states)
        if found is None:
            found = self._templates[with_states] = _lay_out(self.drawing, _reserve(self.drawing, shown))
        return found


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


def render_svg(graph: Any, states: Optional[Mapping[str, str]] = None, items: Mapping[str, str] = _NO_ITEMS) -> str:
    """The picture of `graph` as SVG, coloured by `states` (name to state); never raises."""
    try:
        return Picture(graph).svg(states, items)
    except Exception:
        return text_picture(_safe_tree(graph, states), "flow")


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


# ---- the chain


def _reserve(picture: Drawing, shown: Mapping[str, Face]) -> Dict[str, Face]:
    """Faces as wide as any that will come, so that the layout holds for all states."""
    return {box.id: Face(shown[box.id].fill, _widest(box, shown[box.id])) for box in picture.boxes}


def _widest(box: Box, face: Face) -> str:
    if not face.text:
        return ""
    if box.kind == "map":
        return face.text if face.text in (EACH_ITEM, STALE.text) else _MAPPED
    return _LONGEST if box.kind != "stack" else _stack_text(len(box.members))


def _stack_text(members: int) -> str:
    """As long as the counts of a stack may become, at 13 px: they are written at 11."""
    digits = len(f"{members:,}")
    return "0" * min(34, 2 * 3 + 2 * (digits + 2) + digits)


def _lay_out(picture: Drawing, reserved: Mapping[str, Face]) -> str:
    tall = frozenset(ident for ident, face in reserved.items() if face.text)
    try:
        source = dot_source(picture, {ident: Face(PLAIN, face.text) for ident, face in reserved.items()})
    except Exception:  # the graphviz package is missing or refuses
        return layered_svg(picture, tall)
    found = _layouts.get(source)
    if found is None:
        found = _layouts[source] = _rendered(picture, source, tall) or layered_svg(picture, tall)
        while len(_layouts) > _KEPT_LAYOUTS:
            _layouts.popitem(last=False)
    return found


def _rendered(picture: Drawing, source: str, tall: FrozenSet[str]) -> Optional[str]:
    ids = frozenset(box.id for box in picture.boxes)
    for program in find_renderers():
        data = render(program, source)
        try:
            if data:
                return adopt(data, ids, tall, f"flow {picture.flow}: {picture.tasks} tasks")
        except Rubbish:
            continue
    return None


def _safe_tree(graph: Any, states: Optional[Mapping[str, str]]) -> List[str]:
    try:
        return tree(graph, states).splitlines()
    except Exception:
        return ["this graph could not be drawn"]
