"""Which tasks are stale."""

from __future__ import annotations

from typing import Dict, Iterable

from flowdsl.definition.graph import Graph
from flowdsl.definition.stale import stale_tasks
from tests.views.samples import graph_of, spec

NEEDS = {"flights": [], "clean": ["flights"], "weather": [], "report": ["clean", "weather"]}


def again(graph: Graph, *names: str, given: Iterable[str] = ()) -> Graph:
    """The graph after the cells of these tasks were run again."""
    tasks = {name: spec(name) if name in names else old for name, old in graph.tasks.items()}
    edges = {name: () if name in given else edges for name, edges in graph.edges.items()}
    return Graph(graph.flow, tasks, edges, graph.inputs, frozenset(given), graph.targets)


def all_of(graph: Graph) -> Dict[str, Graph]:
    return dict.fromkeys(graph.tasks, graph)


def test_nothing_is_stale_before_a_run_and_after_one() -> None:
    graph = graph_of(NEEDS)
    assert stale_tasks(graph, {}) == stale_tasks(graph, all_of(graph)) == frozenset()


def test_a_task_defined_again_is_stale_with_all_that_is_downstream() -> None:
    graph = graph_of(NEEDS)
    assert stale_tasks(again(graph, "clean"), all_of(graph)) == {"clean", "report"}


def test_a_task_that_has_no_result_is_not_stale() -> None:
    graph = graph_of(NEEDS)
    made = {name: graph for name in NEEDS if name != "report"}
    assert stale_tasks(again(graph, "clean"), made) == {"clean"}


def test_a_result_made_from_the_old_definition_stays_stale_when_only_the_new_one_is_run() -> None:
    graph = graph_of(NEEDS)
    newer = again(graph, "clean")
    assert stale_tasks(newer, {**all_of(graph), "clean": newer, "flights": newer}) == {"report"}


def test_a_value_given_in_place_of_a_task_makes_nothing_stale() -> None:
    graph = graph_of(NEEDS)
    run = again(graph, given=["clean"])
    assert stale_tasks(graph, {"report": run, "weather": run}) == frozenset()


def test_a_task_that_is_new_upstream_makes_what_is_below_stale() -> None:
    graph = graph_of(NEEDS)
    made_without = graph_of({"report": [], "weather": []})
    old = Graph("etl", {n: graph.tasks[n] for n in ("report", "weather")}, made_without.edges, {}, frozenset(), ())
    assert stale_tasks(graph, all_of(old)) == {"report"}
