"""Groups by tag, maps and stale tasks in pictures."""

from __future__ import annotations

import re
from typing import Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl.definition.graph import Graph
from flowdsl.engine.rows import TaskRow
from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.errors import ConfigError
from flowdsl.graph import drawable
from flowdsl.views import dot
from flowdsl.views.digraph import to_dot
from flowdsl.views.dot import render_svg
from flowdsl.views.drawing import drawing
from flowdsl.views.faces import faces
from flowdsl.views.layout import layered_svg
from flowdsl.views.mermaid import to_mermaid
from flowdsl.views.renderer import find_dot, render
from flowdsl.views.screen import ScreenMaker
from flowdsl.views.shape import shape_of
from flowdsl.views.static import run_html, run_text
from flowdsl.views.table import items_of
from flowdsl.views.text import tree
from tests.views.samples import batches, begun, fan, graph_of, small, started, succeeded
from tests.views.test_layout import apart, boxes_of

TAGS = {"flights": "ingest", "weather": "ingest", "clean": "prepare"}
NEEDS = {"flights": [], "weather": [], "clean": ["flights"], "report": ["clean", "weather"]}


def mapped() -> Graph:
    graph = graph_of({"airports": [], "delays": ["airports"]})
    object.__setattr__(graph.tasks["delays"], "map", ("airports",))
    return graph


def test_tasks_with_the_same_first_tag_stand_in_one_group() -> None:
    picture = drawing(graph_of(NEEDS, tags=TAGS))
    assert [group.title for group in picture.groups] == ["ingest", "prepare"]
    assert [box.group for box in picture.boxes] == ["g0", "g0", "g1", ""]


def test_groups_are_clusters_in_dot_and_subgraphs_in_mermaid() -> None:
    graph = graph_of(NEEDS, tags=TAGS)
    assert re.search(r"subgraph cluster_g0 \{[^}]*label=ingest[^}]*n0[^}]*n1[^}]*\}", to_dot(graph))
    assert '  subgraph g1["prepare"]\n    n2("clean")\n  end' in to_mermaid(graph)


@pytest.mark.parametrize("renderers", [None, []], ids=["renderer", "own layout"])
def test_every_picture_names_its_groups(monkeypatch: pytest.MonkeyPatch, renderers: object) -> None:
    if renderers is not None:
        monkeypatch.setattr(dot, "find_renderers", lambda: renderers)
        dot._layouts.clear()
    svg = render_svg(graph_of(NEEDS, tags=TAGS))
    assert ">ingest</text>" in svg
    assert ">prepare</text>" in svg
    dot._layouts.clear()


@st.composite
def tagged(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(min_value=1, max_value=20))
    needs: Dict[str, List[str]] = {}
    tags: Dict[str, str] = {}
    for n in range(count):
        above = draw(st.lists(st.integers(min_value=0, max_value=n - 1), max_size=3, unique=True)) if n else []
        needs[f"t{n}"] = [f"t{m}" for m in above]
        tag = draw(st.sampled_from(["", "one", "two", "three"]))
        if tag:
            tags[f"t{n}"] = tag
    return graph_of(needs, tags=tags)


def frames_in(svg: str) -> List[Tuple[float, float, float, float]]:
    """Left, top, right, bottom of the frames of groups."""
    shape = r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)" rx="8"'
    found = [tuple(map(float, values)) for values in re.findall(shape, svg)]
    return [(x, y, x + w, y + h) for x, y, w, h in found]


@given(tagged())
def test_a_frame_holds_the_boxes_of_its_group_and_no_other(graph: Graph) -> None:
    picture = drawing(graph)
    svg = layered_svg(picture)
    boxes, frames = boxes_of(svg), frames_in(svg)
    assert apart(boxes)
    assert all(boxes[arrow.source][2] < boxes[arrow.target][0] for arrow in picture.arrows)
    assert len(frames) == len(picture.groups)
    for group, (left, top, right, bottom) in zip(picture.groups, frames):
        for box in picture.boxes:
            x1, y1, x2, y2 = boxes[box.id]
            inside = left <= x1 and x2 <= right and top <= y1 and y2 <= bottom
            outside = x2 <= left or right <= x1 or y2 <= top or bottom <= y1
            assert inside if box.group == group.id else outside
    assert apart({str(n): frame for n, frame in enumerate(frames)})


def test_a_renderer_draws_every_arrow_to_the_right_however_groups_lie() -> None:
    program = find_dot()
    if program is None:
        pytest.skip("no renderer here")
    needs = {f"t{n}": [f"t{n - 1}", f"t{n // 2}"] if n > 1 else ["t0"][:n] for n in range(30)}
    graph = graph_of(needs, tags={name: f"tag {n % 3}" for n, name in enumerate(needs)})
    places = (render(program, to_dot(graph), "plain") or b"").decode()
    at = {ident: float(x) for ident, x in re.findall(r"^node (n\d+) ([\d.]+)", places, re.MULTILINE)}
    arrows = drawing(graph).arrows
    assert all(at[arrow.source] < at[arrow.target] for arrow in arrows)


def test_a_mapped_task_is_one_piled_box_with_its_counts() -> None:
    graph = mapped()
    picture = drawing(graph)
    assert picture.boxes[-1].kind == "map"
    shown = faces(picture, {"delays": "running"}, items={"delays": "120/200"})
    assert shown["n1"].text == "\u25ba 120/200"
    assert "peripheries=2" in to_dot(graph)
    assert "delays \u00d7 items" in tree(graph)


def test_stale_tasks_are_marked_in_every_kind_of_picture() -> None:
    graph = drawable(small(), stale=frozenset(["clean", "report"]))
    assert render_svg(graph).count("\u25b3 stale") == 2
    assert to_mermaid(graph).count("\u25b3 stale") == 2
    assert tree(graph).count("\u25b3 clean (stale)") == 1
    assert "\u25b3 stale" not in render_svg(graph, dict.fromkeys(graph.tasks, "succeeded"))


def test_other_programs_get_as_many_boxes_as_are_asked_for() -> None:
    graph = drawable(fan(300))
    assert graph.to_graphviz().source.count("id=n") == 2
    assert graph.to_graphviz(boxes=400).source.count("id=n") == 301
    assert graph.to_mermaid(boxes=400).count(" --> ") == 300
    with pytest.raises(ConfigError, match="boxes=0"):
        graph.to_mermaid(boxes=0)


def half_done() -> Snapshot:
    """A run of `mapped()`: one of three items has succeeded, one has failed."""
    steps = [*begun(mapped()), *started("airports", 0.1), succeeded("airports", 0.2)]
    snapshot = fold(batches(*steps))
    row = snapshot.tasks["delays"]
    row.state, row.cause, row.size, row.items = "running", "started", 3, {"succeeded": 1, "failed": 1, "running": 1}
    for index in range(3):
        item = snapshot.tasks[f"delays[{index}]"] = TaskRow(f"delays[{index}]")
        item.map_of, item.map_index = "delays", index
    return snapshot


def test_a_mapped_task_that_runs_is_one_box_and_one_row_with_how_far_it_is() -> None:
    snapshot = half_done()
    screen = ScreenMaker(mapped()).make(snapshot, 1_700_000_001.0)
    assert "\u25ba 2/3  \u2717 1" in screen.svg
    html = run_html(mapped(), snapshot)
    assert ">2/3  \u2717 1<" in html
    assert "delays[" not in html
    assert run_text(mapped(), snapshot).count("delays") == 1
    assert shape_of(snapshot).tasks["delays"].map
    assert list(shape_of(snapshot).tasks) == ["airports", "delays"]


def test_the_counts_of_a_mapped_task_that_failed_bear_its_icon_once() -> None:
    shown = faces(drawing(mapped()), {"delays": "failed"}, items={"delays": "3/3  \u2717 1"})
    assert shown["n1"].text == "3/3  \u2717 1"


def test_items_that_did_not_get_anywhere_are_not_counted_as_done() -> None:
    run = half_done()
    run.tasks["delays"].items = {"succeeded": 1, "skipped": 1, "cancelled": 5, "interrupted": 3}
    run.tasks["delays"].size = 10
    assert items_of(run) == {"delays": "2/10"}
