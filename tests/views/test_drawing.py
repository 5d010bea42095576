"""What is drawn of a graph."""

from __future__ import annotations

from typing import Dict

import pytest

from flowdsl.definition.graph import Graph
from flowdsl.views.drawing import FEW_BOXES, MANY_BOXES, drawing
from flowdsl.views.faces import faces
from tests.views.samples import chain, fan, graph_of, small


def test_a_small_graph_has_a_box_a_task_and_one_an_input() -> None:
    picture = drawing(small())
    assert [(box.title, box.kind) for box in picture.boxes] == [
        ("path", "input"), ("season *", "input"), ("flights", "task"), ("clean", "task"), ("audit", "task"),
        ("report", "task"),
    ]  # fmt: skip


def test_ids_are_our_own() -> None:
    assert [box.id for box in drawing(small()).boxes] == ["n0", "n1", "n2", "n3", "n4", "n5"]


def test_an_order_only_dependency_is_drawn_as_such() -> None:
    assert [(arrow.source, arrow.target) for arrow in drawing(small()).arrows if arrow.ordered] == [("n4", "n5")]


def test_two_edges_between_two_tasks_are_one_arrow_that_carries_a_result() -> None:
    (arrow,) = drawing(graph_of({"a": [], "b": ["~a", "a"]})).arrows
    assert not arrow.ordered


def test_an_item_of_a_result_is_written_on_its_arrow() -> None:
    (arrow,) = drawing(graph_of({"a": [], "b": ["a"]}, paths={"b": ("train", 0)})).arrows
    assert arrow.label == "train.0"


def test_a_given_task_is_marked_with_and_without_states() -> None:
    graph = graph_of({"a": [], "b": ["a"]}, given=["a"])
    picture = drawing(graph)
    assert picture.boxes[0].kind == "given"
    for states in (None, {"a": "succeeded", "b": "running"}):
        assert faces(picture, states, graph.given)["n0"].text == "\u25c6 given"


def test_many_tasks_of_one_function_become_a_stack() -> None:
    picture = drawing(fan(400))
    assert [(box.title, box.kind) for box in picture.boxes] == [("load \u00d7 400", "stack"), ("report", "task")]
    assert "401 tasks" in picture.note


def test_tags_put_tasks_together_before_functions_do() -> None:
    names = [f"t{n}" for n in range(200)]
    tags = {name: "even" if n % 2 == 0 else "odd" for n, name in enumerate(names)}
    picture = drawing(graph_of(dict.fromkeys(names, ()), tags=tags))
    assert [box.title for box in picture.boxes] == ["even \u00d7 100", "odd \u00d7 100"]


def tangle() -> Graph:
    return graph_of({f"t{n}": [f"t{m}" for m in range(max(0, n - 40), n)] for n in range(140)})


@pytest.mark.parametrize("limit", [MANY_BOXES, FEW_BOXES])
@pytest.mark.parametrize("graph", [fan(1000), chain(5000), tangle(), graph_of({})], ids=["fan", "chain", "tangle", "0"])
def test_no_picture_has_more_boxes_than_it_may_and_no_task_is_lost(graph: Graph, limit: int) -> None:
    picture = drawing(graph, limit)
    assert len(picture.boxes) <= limit
    assert sorted(name for box in picture.boxes for name in box.members) == sorted(graph.tasks)
    assert len(picture.arrows) <= 6 * limit


def test_a_stack_counts_the_states_of_its_tasks() -> None:
    graph = fan(400)
    states: Dict[str, str] = dict.fromkeys(graph.tasks, "succeeded")
    states.update(load_3="failed", load_4="running")
    assert faces(drawing(graph), states)["n0"].text == "\u2717 1  \u25ba 1  \u2713 398"


def test_a_task_without_a_known_state_is_pending() -> None:
    assert faces(drawing(chain(1)), {})["n0"].text == "\u25cb pending"
