"""Pictures of a graph: laid out once by whatever can, then only coloured again.

The chain: `$FLOWDSL_DOT`, `dot`, `graphviz-pure`, our own layered layout, text. What fails, hangs or writes rubbish
hands on to the next, so that drawing never raises.
"""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType
from typing import Any, Dict, FrozenSet, List, Mapping, Optional

from flowdsl.definition.counted import counted
from flowdsl.views.digraph import dot_source, stale_of
from flowdsl.views.drawing import MANY_BOXES, Box, Drawing, drawing
from flowdsl.views.faces import Face, counts_columns, faces
from flowdsl.views.layout import layered_svg
from flowdsl.views.palette import EACH_ITEM, PLAIN, STALE
from flowdsl.views.renderer import find_dot, find_renderers, render
from flowdsl.views.svg import Rubbish, adopt, recolour, text_picture
from flowdsl.views.text import tree

__all__ = ["Picture", "find_dot", "recolour", "render_svg"]

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


def render_svg(graph: Any, states: Optional[Mapping[str, str]] = None, items: Mapping[str, str] = _NO_ITEMS) -> str:
    """The picture of `graph` as SVG, coloured by `states` (name to state); never raises."""
    try:
        return Picture(graph).svg(states, items)
    except Exception:
        return text_picture(_safe_tree(graph, states), "flow")


# ---- the chain


def _reserve(picture: Drawing, shown: Mapping[str, Face]) -> Dict[str, Face]:
    """Faces as wide as any that will come, so that the layout holds for all states."""
    return {box.id: Face(shown[box.id].fill, _widest(box, shown[box.id])) for box in picture.boxes}


def _widest(box: Box, face: Face) -> str:
    if not face.text:
        return ""
    if box.kind == "map":
        return face.text if face.text in (EACH_ITEM, STALE.text) else _MAPPED
    return _LONGEST if box.kind != "stack" else "0" * counts_columns(len(box.members))


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
                return adopt(data, ids, tall, f"flow {picture.flow}: {counted(picture.tasks, 'task')}")
        except Rubbish:
            continue
    return None


def _safe_tree(graph: Any, states: Optional[Mapping[str, str]]) -> List[str]:
    try:
        return tree(graph, states).splitlines()
    except Exception:
        return ["this graph could not be drawn"]
