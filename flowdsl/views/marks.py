"""The marks of our own layout as SVG: boxes, piles, arrows, text."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from flowdsl.views.drawing import PILED, Arrow, Box
from flowdsl.views.escape import esc
from flowdsl.views.palette import GREY, INK, OUTLINE, PLAIN
from flowdsl.views.svg import place

__all__ = ["Point", "arrow_mark", "box_mark", "text_mark"]


class Point(NamedTuple):
    """A place in the picture, in pixels from its upper left corner."""

    x: float
    y: float


def box_mark(box: Box, at: Point, width: float, height: float, tall: bool) -> str:
    """A box around the point `at`; a `tall` one keeps a place for a second line of text."""
    plain = box.kind == "input"
    shape = (
        f' x="{at.x - width / 2:.1f}" y="{at.y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" rx="7"'
        f' stroke="{GREY if plain else OUTLINE}"'
    )
    parts = [_shadow(at, width, height)] if box.kind in PILED else []
    fill = 'fill="none" stroke-dasharray="4,3"' if plain else f'class="b" fill="{PLAIN}"'
    parts.append(f"<rect {fill}{shape}/>")
    ink = GREY if plain else INK
    parts.append(text_mark(at.x, at.y + (-3 if tall else 4.5), 13, ink, esc(box.title)))
    if tall:
        parts.append(text_mark(at.x, at.y + 13, 11, ink, place(box.id)))
    return f'<g id="{box.id}">{"".join(parts)}</g>'


def _shadow(at: Point, width: float, height: float) -> str:
    x, y = at.x - width / 2 + 4, at.y - height / 2 + 4
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="7"'
        f' fill="none" stroke="{OUTLINE}"/>'
    )


def text_mark(x: float, y: float, points: int, ink: str, content: str) -> str:
    """Text centred on `x`; `content` is escaped."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{points}" fill="{ink}">{content}</text>'


def arrow_mark(arrow: Arrow, way: Sequence[int], points: Sequence[Point], widths: Sequence[float]) -> str:
    """A smooth line through its bends, from the right side of one box to the left side of the other, with a head."""
    side = 1.0 if points[way[-1]].x >= points[way[0]].x else -1.0
    start, end = points[way[0]], points[way[-1]]
    line = [Point(start.x + side * widths[way[0]] / 2, start.y), *(points[n] for n in way[1:-1])]
    tip = Point(end.x - side * widths[way[-1]] / 2, end.y)
    line.append(Point(tip.x - side * 7, tip.y))
    d = [f"M{line[0].x:.1f},{line[0].y:.1f}"]
    for here, there in zip(line, line[1:]):
        middle = (here.x + there.x) / 2
        d.append(f"C{middle:.1f},{here.y:.1f} {middle:.1f},{there.y:.1f} {there.x:.1f},{there.y:.1f}")
    dash = ' stroke-dasharray="5,3"' if arrow.ordered else ""
    head = f"{tip.x:.1f},{tip.y:.1f} {tip.x - side * 8:.1f},{tip.y - 3.5:.1f} {tip.x - side * 8:.1f},{tip.y + 3.5:.1f}"
    label = _label(arrow, line)
    return (
        f'<path d="{"".join(d)}" fill="none" stroke="{GREY}" stroke-width="1.2"{dash}/>'
        f'<polygon points="{head}" fill="{GREY}"/>{label}'
    )


def _label(arrow: Arrow, line: Sequence[Point]) -> str:
    if not arrow.label:
        return ""
    return text_mark((line[0].x + line[1].x) / 2, (line[0].y + line[1].y) / 2 - 4, 10, GREY, esc(arrow.label))
