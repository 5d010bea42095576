"""Our own layered layout, for machines without any renderer: layers from left to right, few crossings, smooth arrows.

The four steps of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System Structures"
(IEEE Trans. SMC 11, 1981), each in its simplest form: longest paths give the layers, long arrows get bends in the
layers that they cross, barycentre sweeps order each layer, and a relaxation under a least distance places it. No step
recurses, and each is linear (times the logarithm of a layer's size).
"""

from __future__ import annotations

from typing import AbstractSet, Dict, List, Sequence, Tuple

from flowdsl.definition.counted import counted
from flowdsl.views.bands import FRAME_PAD, FRAME_TOP, Frame, bands_of, frames_of
from flowdsl.views.drawing import Box, Drawing
from flowdsl.views.escape import columns, esc
from flowdsl.views.faces import counts_columns
from flowdsl.views.marks import Point, arrow_mark, box_mark, text_mark
from flowdsl.views.palette import GREY
from flowdsl.views.svg import root

__all__ = ["layered_svg"]

_CHAR, _PAD, _BETWEEN, _GAP, _MARGIN = 7.6, 24.0, 16.0, 56.0, 8.0  # pixels; _CHAR is a wide guess at 13 px Helvetica
_BEND_HEIGHT = 10.0
_MOST_BENDS = 3000
_SWEEPS, _RELAXATIONS = 6, 8


class _Layers:
    """Boxes and bends by index: `layer`, `height`, neighbours to the left and right, and the rows of each layer."""

    def __init__(self, picture: Drawing, tall: AbstractSet[str]) -> None:
        at = {box.id: n for n, box in enumerate(picture.boxes)}
        # Stacks may wait for each other both ways; an arrow against the order of the boxes is laid out the other way.
        ends = [(at[arrow.source], at[arrow.target]) for arrow in picture.arrows]
        self.height = [40.0 if box.id in tall else 30.0 for box in picture.boxes]
        self.layer = _longest_paths(picture.boxes, [(min(pair), max(pair)) for pair in ends])
        self.left: List[List[int]] = [[] for _ in picture.boxes]
        self.right: List[List[int]] = [[] for _ in picture.boxes]
        bends = sum(max(0, abs(self.layer[b] - self.layer[a]) - 1) for a, b in ends)
        self.way = [self._lead(a, b, bends <= _MOST_BENDS) for a, b in ends]
        self.rows: List[List[int]] = [[] for _ in range(1 + max(self.layer, default=0))]
        for n, layer in enumerate(self.layer):
            self.rows[layer].append(n)

    def _lead(self, a: int, b: int, bend: bool) -> List[int]:
        """The boxes and bends that the arrow from `a` to `b` goes through."""
        step = 1 if self.layer[b] >= self.layer[a] else -1
        way = [a]
        for layer in range(self.layer[a] + step, self.layer[b], step) if bend else ():
            way.append(len(self.layer))
            self.layer.append(layer)
            self.height.append(_BEND_HEIGHT)
            self.left.append([])
            self.right.append([])
        way.append(b)
        for here, there in zip(way, way[1:]):
            first, second = (here, there) if step > 0 else (there, here)
            self.right[first].append(second)
            self.left[second].append(first)
        return way


def layered_svg(picture: Drawing, tall: AbstractSet[str] = frozenset()) -> str:
    """A picture as an SVG template; the boxes `tall` keep a place for a second line of text."""
    layers = _Layers(picture, tall)
    bands = bands_of([box.group for box in picture.boxes], layers.layer, layers.way)
    _order(layers, bands)
    centres = _place(layers, bands, bool(picture.groups))
    widths = [_PAD + _CHAR * max(columns(box.title), _least(box, tall)) for box in picture.boxes]
    xs, across = _columns(layers, widths, bool(picture.groups))
    down = max((y + layers.height[n] / 2 for n, y in enumerate(centres)), default=0.0) + _MARGIN
    down += FRAME_PAD if picture.groups else 0.0
    points = [Point(xs[layers.layer[n]], y) for n, y in enumerate(centres)]
    framed = [Frame(points[n].x, points[n].y, widths[n], layers.height[n]) for n in range(len(widths))]
    body = frames_of(picture.groups, [box.group for box in picture.boxes], framed)
    body += [arrow_mark(arrow, way, points, widths) for arrow, way in zip(picture.arrows, layers.way)]
    body += [
        box_mark(box, points[n], widths[n], layers.height[n], box.id in tall) for n, box in enumerate(picture.boxes)
    ]
    if picture.note:
        body.append(text_mark(across / 2, down + 8, 11, GREY, esc(picture.note)))
        across, down = max(across, 6.2 * columns(picture.note)), down + 14
    return root(across, down, "".join(body), f"flow {picture.flow}: {counted(picture.tasks, 'task')}")


def _least(box: Box, tall: AbstractSet[str]) -> int:
    """Columns, at 13 px, that a second line at 11 px may need."""
    if box.id not in tall:
        return 4
    return counts_columns(len(box.members)) if box.kind == "stack" else 18 if box.kind == "map" else 15


# ---- the four steps


def _longest_paths(boxes: Sequence[Box], ends: Sequence[Tuple[int, int]]) -> List[int]:
    layer = [0] * len(boxes)
    first: Dict[int, int] = {}
    for a, b in sorted(ends):  # by source: all arrows into a box come before those out of it
        layer[b] = max(layer[b], layer[a] + 1)
    targets = {b for _, b in ends}
    for a, b in ends:
        if a not in targets:
            first[a] = min(first.get(a, layer[b]), layer[b])
    for a, nearest in first.items():  # what nothing leads to stands just left of what needs it
        layer[a] = nearest - 1
    return layer


def _order(layers: _Layers, bands: Sequence[int]) -> None:
    """Sort each layer by band and by the mean position of its neighbours, from left to right and back."""
    position = [0.0] * len(layers.layer)
    for row in layers.rows:
        _number(row, position)
    for sweep in range(_SWEEPS):
        near = layers.right if sweep % 2 else layers.left
        for row in layers.rows[::-1] if sweep % 2 else layers.rows:
            row.sort(key=lambda n: (bands[n], _mean(near[n], position)))
            _number(row, position)


def _number(row: List[int], position: List[float]) -> None:
    for at, n in enumerate(row):
        position[n] = (at + 0.5) / len(row)


def _mean(near: List[int], position: List[float]) -> float:
    return sum([position[n] for n in near]) / len(near) if near else 0.5


def _place(layers: _Layers, bands: Sequence[int], framed: bool) -> List[float]:
    """The vertical centre of each box and bend: near the mean of its neighbours, in order, not too close.

    Each band is placed for itself, one below the other.
    """
    y = [0.0] * len(layers.layer)
    top = _MARGIN
    for band in range(1 + max(bands, default=0)):
        members = [n for n in range(len(y)) if bands[n] == band]
        _settle(layers, bands, band, y)
        top += FRAME_TOP if framed else 0.0
        shift = top - min((y[n] - layers.height[n] / 2 for n in members), default=0.0)
        for n in members:
            y[n] += shift
        top = max((y[n] + layers.height[n] / 2 for n in members), default=top) + (FRAME_PAD if framed else 0.0)
    return y


def _settle(layers: _Layers, bands: Sequence[int], band: int, y: List[float]) -> None:
    rows = [[n for n in row if bands[n] == band] for row in layers.rows]
    for row in rows:
        _apart(row, y, layers.height)
    for turn in range(_RELAXATIONS):
        near = layers.left if turn % 2 else layers.right
        for row in rows if turn % 2 else rows[::-1]:
            for n in row:
                beside = [y[other] for other in near[n] if bands[other] == band]
                if beside:
                    y[n] = sum(beside) / len(beside)
            _apart(row, y, layers.height)


def _apart(row: List[int], y: List[float], height: List[float]) -> None:
    """Push what is too close apart, upwards and downwards alike: the mean of both keeps a row in its middle."""
    down, up = [0.0] * len(row), [0.0] * len(row)
    edge = float("-inf")
    for at, n in enumerate(row):
        down[at] = max(y[n], edge + height[n] / 2)
        edge = down[at] + height[n] / 2 + _BETWEEN
    edge = float("inf")
    for at in range(len(row) - 1, -1, -1):
        n = row[at]
        up[at] = min(y[n], edge - height[n] / 2)
        edge = up[at] - height[n] / 2 - _BETWEEN
    for at, n in enumerate(row):
        y[n] = (down[at] + up[at]) / 2


def _columns(layers: _Layers, widths: Sequence[float], framed: bool) -> Tuple[List[float], float]:
    """The horizontal centre of each layer, and the width of all."""
    widest = [max([widths[n] for n in row if n < len(widths)], default=0.0) for row in layers.rows]
    centres: List[float] = []
    x = _MARGIN + (FRAME_PAD if framed else 0.0)
    for width in widest:
        centres.append(x + width / 2)
        x += width + _GAP
    return centres, x - _GAP + _MARGIN + (FRAME_PAD if framed else 0.0)
