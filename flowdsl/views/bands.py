"""Groups in our own layout: bands that keep the boxes of a group together, and the frames drawn around them.

A group covers the layers from its first box to its last. Groups that cover no layer in common share a band; in the
layers that a group covers, nothing else stands in its band, so that its frame holds its own boxes only.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple

from flowdsl.views.drawing import Group
from flowdsl.views.escape import esc, shorten
from flowdsl.views.palette import GREY

__all__ = ["FRAME_PAD", "FRAME_TOP", "Frame", "bands_of", "frames_of"]

FRAME_PAD, FRAME_TOP = 9.0, 26.0  # pixels that a frame needs beside and below its boxes, and above them with its title
_CHAR = 6.2  # of a title at 11 px

Range = Tuple[int, int]  # the first and the last layer


class Frame(NamedTuple):
    """The place of a box, by its centre and its size."""

    x: float
    y: float
    width: float
    height: float


def bands_of(groups: Sequence[str], layer: Sequence[int], ways: Sequence[Sequence[int]]) -> List[int]:
    """The band of each box and bend, 0 at the top; `groups` has the group of each box ("": none), `ways` the arrows.

    A box in no group goes beside a neighbour where that band is free, else into the first that is. The bends of an
    arrow are in the band that it leads to: it may cross a frame, for a way round all of them is hard to follow.
    """
    if not any(groups):
        return [0] * len(layer)
    held: List[List[Range]] = []
    band_of = {group: _first_free(held, covered) for group, covered in _ranges(groups, layer).items()}
    bands = [band_of.get(group, -1) for group in groups] + [-1] * (len(layer) - len(groups))
    near: Dict[int, List[int]] = {}
    for way in ways:
        near.setdefault(way[0], []).append(way[-1])
        near.setdefault(way[-1], []).append(way[0])
    for n in range(len(groups)):
        if bands[n] < 0:
            bands[n] = _loose(held, layer[n], [bands[other] for other in near.get(n, ()) if bands[other] >= 0])
    for way in ways:
        for n in way[1:-1]:
            bands[n] = bands[way[-1]]
    used = {band: at for at, band in enumerate(sorted(set(bands)))}
    return [used[band] for band in bands]


def _ranges(groups: Sequence[str], layer: Sequence[int]) -> Dict[str, Range]:
    found: Dict[str, Range] = {}
    for group, at in zip(groups, layer):
        if group:
            low, high = found.get(group, (at, at))
            found[group] = min(low, at), max(high, at)
    return found


def _first_free(held: List[List[Range]], covered: Range) -> int:
    for band, ranges in enumerate(held):
        if all(high < covered[0] or covered[1] < low for low, high in ranges):
            ranges.append(covered)
            return band
    held.append([covered])
    return len(held) - 1


def _loose(held: Sequence[Sequence[Range]], layer: int, wanted: Sequence[int]) -> int:
    free: List[int] = [*wanted, *range(len(held))]
    for band in free:
        if band == len(held) or not any(low <= layer <= high for low, high in held[band]):
            return band
    return len(held)


def frames_of(groups: Sequence[Group], group_of: Sequence[str], boxes: Sequence[Frame]) -> List[str]:
    """A frame with its title for each group, as SVG."""
    members: Dict[str, List[Frame]] = {}
    for ident, box in zip(group_of, boxes):
        members.setdefault(ident, []).append(box)
    return [_frame(group, members[group.id]) for group in groups if group.id in members]


def _frame(group: Group, boxes: Sequence[Frame]) -> str:
    x = min(box.x - box.width / 2 for box in boxes) - FRAME_PAD
    y = min(box.y - box.height / 2 for box in boxes) - FRAME_TOP + 4
    width = max(box.x + box.width / 2 for box in boxes) + FRAME_PAD - x
    height = max(box.y + box.height / 2 for box in boxes) + FRAME_PAD - 2 - y
    title = esc(shorten(group.title, max(3, int((width - 12) / _CHAR))))
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8" fill="none"'
        f' stroke="{GREY}" stroke-width="0.7"/>'
        f'<text x="{x + 8:.1f}" y="{y + 14:.1f}" font-size="11" fill="{GREY}">{title}</text>'
    )
