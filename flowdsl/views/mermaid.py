"""A graph as Mermaid's text, for pages that draw it; every character that means something to Mermaid is escaped."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Optional

from flowdsl.views.digraph import stale_of
from flowdsl.views.drawing import MANY_BOXES, PILED, Box, Drawing, drawing
from flowdsl.views.escape import clean
from flowdsl.views.faces import Face, faces
from flowdsl.views.palette import GREY, INK, OUTLINE

__all__ = ["to_mermaid"]

_SPECIAL = re.compile(
    r"^[\d-]|[^\w .,:()/\-\u00d7\u2013\u2014\u2018-\u201d\u2026\u25a0-\u25ff\u2190-\u21ff\u2700-\u27bf]"
)


def to_mermaid(graph: Any, states: Optional[Mapping[str, str]] = None, boxes: int = MANY_BOXES) -> str:
    """`graph` as a flowchart, coloured by `states` where they are given; nodes are called n0, n1, ..."""
    picture = drawing(graph, boxes)
    shown = faces(picture, states, graph.given, stale=stale_of(graph))
    lines = ["flowchart LR"]
    for group in picture.groups:
        lines.append(f'  subgraph {group.id}["{_escaped(group.title)}"]')
        lines += [f"    {_node(box, shown[box.id])}" for box in picture.boxes if box.group == group.id]
        lines.append("  end")
    lines += [f"  {_node(box, shown[box.id])}" for box in picture.boxes if not box.group]
    lines += [f"  {arrow.source} {_line(arrow.ordered, arrow.label)} {arrow.target}" for arrow in picture.arrows]
    return "\n".join([*lines, *_styles(picture, shown)]) + "\n"


def _node(box: Box, face: Face) -> str:
    label = "<br>".join(_escaped(line) for line in (box.title, face.text) if line)
    if box.kind == "input":
        return f'{box.id}(["{label}"])'
    return f'{box.id}[["{label}"]]' if box.kind in PILED else f'{box.id}("{label}")'


def _line(ordered: bool, label: str) -> str:
    arrow = "-.->" if ordered else "-->"
    return f'{arrow}|"{_escaped(label)}"|' if label else arrow


def _styles(picture: Drawing, shown: Mapping[str, Face]) -> List[str]:
    """One class a fill; the inputs of the run have none."""
    by_fill: Dict[str, List[str]] = {}
    for box in picture.boxes:
        by_fill.setdefault(shown[box.id].fill, []).append(box.id)
    lines: List[str] = []
    for at, (fill, ids) in enumerate(by_fill.items()):
        ink, edge = (GREY, f"{GREY},stroke-dasharray:4 3") if fill == "none" else (INK, OUTLINE)
        lines.append(f"  classDef c{at} fill:{fill},stroke:{edge},color:{ink}")
        lines.append(f"  class {','.join(ids)} c{at}")
    if picture.groups:
        lines.append(f"  classDef frame fill:none,stroke:{GREY},color:{GREY}")
        lines.append(f"  class {','.join(group.id for group in picture.groups)} frame")
    return lines


def _escaped(text: str) -> str:
    """Text for between quotes, in Mermaid's own entities: `#60;` is "<"."""
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", clean(text))
