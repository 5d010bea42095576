"""Our own layered layout."""

from __future__ import annotations

import re
from typing import Dict, List, Tuple
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl.definition.graph import Graph
from flowdsl.views.drawing import Arrow, Box, Drawing, drawing
from flowdsl.views.faces import faces
from flowdsl.views.layout import layered_svg
from tests.views.samples import NASTY, chain, fan, graph_of, harmless, small

Boxes = Dict[str, Tuple[float, float, float, float]]


def boxes_of(svg: str) -> Boxes:
    """Left, top, right, bottom of every box."""
    found = {}
    for ident, group in re.findall(r'<g id="(n\d+)">(.*?)</g>', svg):
        x, y, w, h = (float(re.findall(rf' {name}="([-\d.]+)"', group)[0]) for name in ("x", "y", "width", "height"))
        found[ident] = (x, y, x + w, y + h)
    return found


def apart(boxes: Boxes) -> bool:
    rows = sorted(boxes.values())
    return not any(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for n, a in enumerate(rows) for b in rows[n + 1 :]
    )


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(min_value=0, max_value=25))
    needs: Dict[str, List[str]] = {}
    for n in range(count):
        above = draw(st.lists(st.integers(min_value=0, max_value=n - 1), max_size=4, unique=True)) if n else []
        needs[f"t{n}"] = [f"t{m}" for m in above]
    return graph_of(needs)


@given(graphs())
def test_boxes_never_overlap_and_every_arrow_goes_to_the_right(graph: Graph) -> None:
    picture = drawing(graph)
    svg = layered_svg(picture)
    boxes = boxes_of(svg)
    assert len(boxes) == len(picture.boxes)
    assert apart(boxes)
    assert all(boxes[arrow.source][2] < boxes[arrow.target][0] for arrow in picture.arrows)


@given(graphs())
def test_everything_lies_inside_the_picture(graph: Graph) -> None:
    tree = ElementTree.fromstring(layered_svg(drawing(graph)))
    width, height = float(tree.get("width", "0")), float(tree.get("height", "0"))
    for left, top, right, bottom in boxes_of(layered_svg(drawing(graph))).values():
        assert left >= 0
        assert top >= 0
        assert right <= width + 1
        assert bottom <= height + 1


@pytest.mark.parametrize("graph", [chain(3000), fan(3000)], ids=["chain", "fan"])
def test_depth_and_width_need_no_recursion(graph: Graph) -> None:
    assert len(boxes_of(layered_svg(drawing(graph, 10_000)))) == len(graph.tasks)


def test_many_long_arrows_do_without_bends() -> None:
    # Every task leads to the last one: with bends that would be half a million of them.
    needs = {f"t{n}": [f"t{n - 1}"] if n else [] for n in range(1000)}
    needs["t999"] = [f"t{n}" for n in range(999)]
    svg = layered_svg(drawing(graph_of(needs), 100_000))
    assert len(svg) < 2_000_000


def test_stacks_that_wait_for_each_other_are_laid_out_too() -> None:
    boxes = (Box("n0", "a", "stack", ("x", "y")), Box("n1", "b", "stack", ("u", "v")))
    picture = Drawing("etl", boxes, (Arrow("n0", "n1", False), Arrow("n1", "n0", False)), 4)
    assert apart(boxes_of(layered_svg(picture)))


def test_names_are_escaped() -> None:
    svg = layered_svg(drawing(graph_of({NASTY: [], "b": [NASTY]}, flow=NASTY, paths={"b": (NASTY,)})))
    assert harmless(svg)
    assert "&lt;img" in svg
    ElementTree.fromstring(svg)


def test_arrows_to_what_only_has_to_wait_are_dashed() -> None:
    assert layered_svg(drawing(small())).count('stroke-dasharray="5,3"') == 1


def test_a_stack_has_room_for_as_many_counts_as_it_may_show() -> None:
    states = ["failed", "retry_wait", "cancelled", "pending", "timed_out"]
    graph = fan(999)
    picture = drawing(graph, 10)
    shown = faces(picture, {name: states[n % 5] for n, name in enumerate(graph.tasks)})
    stack = next(box for box in picture.boxes if box.kind == "stack")
    left, _, right, _ = boxes_of(layered_svg(picture, frozenset([stack.id])))[stack.id]
    words = shown[stack.id].text.split()  # blanks that stand together are drawn as one
    assert len(words) == 10
    assert right - left >= 6.2 * len(" ".join(words))
