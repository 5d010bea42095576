"""What each box of a drawing shows of its tasks: their state, how far a map is, what is stale."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import Dict, FrozenSet, Iterable, Mapping, NamedTuple, Optional

from flowdsl.views.drawing import Box, Drawing
from flowdsl.views.palette import EACH_ITEM, PLAIN, STALE, counts_text, look, worst

__all__ = ["Face", "counts_columns", "faces"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Face(NamedTuple):
    """What a box shows of the state of its tasks: a fill and a second line of text ("": none)."""

    fill: str
    text: str


def faces(
    picture: Drawing,
    states: Optional[Mapping[str, str]],
    given: Iterable[str] = (),
    *,
    items: Mapping[str, str] = _NOTHING,
    stale: Iterable[str] = (),
) -> Dict[str, Face]:
    """What each box shows, by its id; without states a plain fill and no second line (but for given and stale tasks).

    `items` says how far mapped tasks are ("120/200"), `stale` which tasks are newer than their last result; that is
    shown where no states are.
    """
    marks = _Marks(frozenset(given), frozenset(stale), items)
    return {box.id: _face(box, states, marks) for box in picture.boxes}


class _Marks(NamedTuple):
    given: FrozenSet[str]
    stale: FrozenSet[str]
    items: Mapping[str, str]


def _face(box: Box, states: Optional[Mapping[str, str]], marks: _Marks) -> Face:
    if box.kind == "input":
        return Face("none", "")
    if box.kind == "given":
        how = look("succeeded", "given")
        return Face(how.fill, how.text)
    if states is None:
        return _unstated(box, marks.stale)
    if box.kind != "stack":
        how, items = look(states.get(box.members[0], "pending")), marks.items.get(box.members[0])
        return Face(how.fill, how.text if items is None else items if how.icon in items else f"{how.icon} {items}")
    counts = Counter(states.get(name, "pending") for name in box.members)
    return Face(look(worst(counts)).fill, counts_text(counts, words=False, most=4))


def counts_columns(members: int) -> int:
    """Columns, at 13 px, that the counts of a stack may take: four states and the rest, written at 11 px.

    >>> counts_columns(189), counts_columns(999)
    (18, 22)
    """
    digits = sum(min(5, members // int(10**place)) for place in range(len(str(members))))  # of five numbers that add up
    commas = sum(min(5, members // thousands) for thousands in (1_000, 1_000_000))
    return min(34, -(-(10 + digits + commas) * 11 // 13))  # 10: icons and blanks


def _unstated(box: Box, stale: FrozenSet[str]) -> Face:
    """A box of a graph that nobody has run, or whose results are there but for those that are stale."""
    found = sum(1 for name in box.members if name in stale)
    if found:
        return Face(STALE.fill, STALE.text if box.kind != "stack" else f"{STALE.icon} {found:,} {STALE.word}")
    return Face(PLAIN, EACH_ITEM if box.kind == "map" else "")
