"""Building a graph: which edges there are, what the run needs, what is left out, and what cannot be built."""

from __future__ import annotations

import dataclasses
import random
from typing import Any, Dict, List, Set

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdsl import CycleError, GraphError
from flowdsl.definition import resolve
from flowdsl.definition.graph import Edge, Graph, Input, build_graph
from flowdsl.definition.spec import TaskSpec
from tests.definition.specs import bare, nothing, spec, specs


def built(tasks: Dict[str, TaskSpec], **options: Any) -> Graph:
    return build_graph("etl", tasks, **options)


ETL = specs(
    spec(lambda path: 1, "raw"),
    spec(lambda raw: 1, "flights"),
    spec(lambda flights, level=1: 1, "clean"),
    spec(lambda flights: 1, "audit"),
    spec(lambda clean: 1, "report", depends_on=["clean", "audit"]),
)


# ---- edges


def test_a_parameter_without_default_that_names_a_task_is_an_edge() -> None:
    graph = built(specs(spec(lambda: 1, "flights"), spec(lambda flights: 1, "clean")))
    assert graph.edges == {"flights": (), "clean": (Edge("flights", "flights"),)}
    assert not graph.inputs


def test_a_parameter_with_a_default_that_names_a_task_is_an_edge_only_when_depends_on_says_so() -> None:
    flights = spec(lambda: 1, "flights")
    silent = built(specs(flights, spec(lambda flights=None: 1, "clean")))
    assert silent.edges["clean"] == ()
    assert silent.inputs["flights"] == Input("flights", False, None, ("clean",))
    said = built(specs(flights, spec(lambda flights=None: 1, "clean", "flights")))
    assert said.edges["clean"] == (Edge("flights", "flights"),)
    assert not said.inputs


def test_a_parameter_that_depends_on_fills_from_elsewhere_does_not_wait_for_the_task_of_its_name() -> None:
    graph = built(specs(spec(nothing, "a"), spec(nothing, "b"), spec(lambda a: 1, "c", {"a": "b"})))
    assert graph.edges["c"] == (Edge("b", "a"),)


def test_an_order_only_edge_has_no_parameter() -> None:
    assert built(bare(a=None, b="a")).edges["b"] == (Edge("a"),)


def test_star_args_and_keywords_name_no_input_and_no_edge_of_their_own() -> None:
    graph = built(specs(spec(nothing, "args"), spec(lambda *args, **kwargs: 1, "b")))
    assert graph.edges["b"] == ()
    assert not graph.inputs


def test_edges_may_point_to_tasks_that_are_defined_later() -> None:
    graph = built(specs(spec(lambda b: 1, "a"), spec(nothing, "b")))
    assert list(graph) == ["b", "a"]


# ---- what a graph says of itself


def test_a_graph_tells_who_waits_for_whom() -> None:
    graph = built(ETL)
    assert graph.upstream("report") == ("clean", "audit")
    assert graph.downstream("flights") == ("clean", "audit")
    assert graph.downstream("report") == ()
    assert (len(graph), list(graph), "clean" in graph, "x" in graph) == (5, list(ETL), True, False)
    assert graph["clean"] is ETL["clean"]
    assert graph.targets == ("report",)


def test_a_source_of_two_parameters_is_upstream_once() -> None:
    graph = built(specs(spec(nothing, "a"), spec(lambda x, y: 1, "b", {"x": "a", "y": "a"})))
    assert graph.upstream("b") == ("a",)
    assert graph.downstream("a") == ("b",)


def test_a_graph_cannot_be_changed() -> None:
    graph = built(ETL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.flow = "other"  # type: ignore[misc]
    for mapping in (graph.tasks, graph.edges, graph.inputs, graph.limits):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]


def test_a_graph_does_not_follow_the_tasks_that_it_was_built_from() -> None:
    tasks = bare(a=None)
    graph = built(tasks)
    tasks.clear()
    assert list(graph) == ["a"]


def test_an_empty_flow_makes_an_empty_graph() -> None:
    graph = built({})
    assert (len(graph), graph.targets, dict(graph.inputs)) == (0, (), {})


# ---- inputs


def test_other_parameters_are_inputs_required_where_one_task_has_no_default() -> None:
    tasks = specs(spec(lambda path, level=1: 1, "a"), spec(lambda path="x", level=2: 1, "b"))
    assert built(tasks).inputs == {
        "path": Input("path", True, "x", ("a", "b")),
        "level": Input("level", False, 1, ("a", "b")),
    }


def test_inputs_come_in_the_order_of_the_graph_also_up_to_a_target() -> None:
    tasks = specs(spec(lambda c, z: 1, "d"), spec(lambda a, y: 1, "c"), spec(lambda x, z: 1, "a"))
    for graph in (built(tasks), built(tasks, targets=["d"])):
        assert list(graph.inputs) == ["x", "z", "y"]
        assert graph.inputs["z"].tasks == ("a", "d")


# ---- targets


def test_a_target_brings_what_is_upstream_and_nothing_else() -> None:
    graph = built(ETL, targets=["clean"])
    assert list(graph) == ["raw", "flights", "clean"]
    assert graph.targets == ("clean",)
    assert list(graph.inputs) == ["path", "level"]


def test_two_targets_share_their_upstream() -> None:
    graph = built(ETL, targets=["audit", "clean", "audit"])
    assert list(graph) == ["raw", "flights", "clean", "audit"]
    assert graph.targets == ("audit", "clean")


def test_a_target_that_is_not_defined_is_refused_with_the_nearest() -> None:
    with pytest.raises(GraphError, match="flow 'etl' has no task 'claen'; did you mean 'clean'"):
        built(ETL, targets=["claen"])


def test_a_fault_elsewhere_in_the_flow_does_not_hinder_a_target() -> None:
    tasks = {**ETL, **bare(x="y", y="x", z="missing")}
    assert list(built(tasks, targets=["flights"])) == ["raw", "flights"]


def test_no_targets_make_an_empty_graph() -> None:
    assert list(built(ETL, targets=[])) == []


# ---- given


def test_a_given_task_loses_its_edges_and_the_ancestors_that_nobody_else_needs() -> None:
    graph = built(ETL, given=["flights"])
    assert list(graph) == ["flights", "clean", "audit", "report"]
    assert graph.edges["flights"] == ()
    assert graph.given == {"flights"}
    assert list(graph.inputs) == ["level"]


def test_an_ancestor_that_another_task_needs_stays() -> None:
    graph = built(ETL, given=["clean"])
    assert list(graph) == ["raw", "flights", "clean", "audit", "report"]
    assert graph.edges["clean"] == ()


def test_given_with_a_target_prunes_in_the_same_way() -> None:
    assert list(built(ETL, targets=["clean"], given=["flights"])) == ["flights", "clean"]
    assert list(built(ETL, targets=["clean"], given=["clean"])) == ["clean"]


def test_names_of_plain_inputs_among_the_given_do_no_harm() -> None:
    graph = built(ETL, given=["path", "level"])
    assert list(graph) == list(ETL)
    assert graph.given == frozenset()


def test_a_given_task_hides_the_faults_behind_it() -> None:
    tasks = specs(spec(nothing, "raw", "missing"), spec(nothing, "a", ["raw", "nowhere"]), spec(nothing, "b", "a"))
    assert list(built(tasks, given=["a"])) == ["a", "b"]


def test_a_given_task_cuts_a_cycle_but_not_another_one() -> None:
    assert list(built(bare(a="b", b="a", c="b"), given=["a"])) == ["a", "b", "c"]
    with pytest.raises(CycleError):
        built(bare(a=None, x="y", y="x"), given=["a"])


# ---- what cannot be built


def test_a_dependency_that_nothing_defines_is_refused_with_the_nearest_name_and_the_flow() -> None:
    tasks = specs(spec(nothing, "flights"), spec(nothing, "clean", "fligths"))
    with pytest.raises(GraphError) as caught:
        built(tasks)
    message = "task 'clean' depends on 'fligths', which flow 'etl' does not define; did you mean 'flights'?"
    assert str(caught.value) == message


def test_a_dependency_like_no_other_name_is_refused_with_what_to_do() -> None:
    with pytest.raises(GraphError, match="does not define; define it, or take it out of depends_on"):
        built(bare(a="zzzzzz"))


def test_a_cycle_is_named_by_its_path() -> None:
    with pytest.raises(CycleError, match=r"^cycle: a -> b -> c -> a$"):
        built(bare(a="c", b="a", c="b"))


def test_a_cycle_through_parameters_is_one_too() -> None:
    with pytest.raises(CycleError, match=r"^cycle: a -> b -> a$"):
        built(specs(spec(lambda b: 1, "a"), spec(lambda a: 1, "b")), targets=["b"])


def test_a_limit_that_the_flow_does_not_have_is_refused_with_the_nearest_or_the_fix() -> None:
    tasks = specs(spec(nothing, "load", uses="databse"))
    with pytest.raises(GraphError, match=r"task 'load' \(etl.py, line 7\) uses 'databse', .* did you mean 'database'"):
        built(tasks, limits={"database": 2})
    with pytest.raises(GraphError, match=r"write Flow\('etl', limits={'databse': 1}\)"):
        built(tasks, limits={})


def test_limits_that_nobody_gave_are_not_checked() -> None:
    assert list(built(specs(spec(nothing, "load", uses="bd")))) == ["load"]


def test_a_graph_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve, "MAX_TASKS", 2)
    tasks = bare(a=None, b="a", c="b")
    assert len(built(tasks, targets=["b"])) == 2
    for targets in (None, ["c"]):
        with pytest.raises(GraphError, match="more than 2 tasks; split it"):
            built(tasks, targets=targets)


def test_the_limit_is_a_million_tasks() -> None:
    assert resolve.MAX_TASKS == 1_000_000


# ---- any graph


def ancestors(sources: Dict[str, List[str]], of: Set[str], cut: Set[str]) -> Set[str]:
    found: Set[str] = set()
    waiting = list(of)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [] if name in cut else sources[name]
    return found


@settings(max_examples=200)
@given(st.integers(1, 10), st.randoms(use_true_random=False))
def test_any_graph_holds_exactly_what_its_targets_need_in_topological_order(size: int, chance: random.Random) -> None:
    names = [f"t{number}" for number in range(size)]
    hidden = chance.sample(names, size)
    sources = {n: [m for m in hidden[: hidden.index(n)] if chance.random() < 0.35] for n in names}
    targets = chance.sample(names, chance.randint(1, size))
    given_ = set(chance.sample(names, chance.randint(0, size)))
    graph = built({name: spec(nothing, name, sources[name]) for name in names}, targets=targets, given=given_)
    expected = ancestors(sources, set(targets), given_)
    assert set(graph) == expected
    assert graph.given == expected & given_
    place = {name: at for at, name in enumerate(graph)}
    for name in graph:
        assert list(graph.upstream(name)) == ([] if name in given_ else sources[name])
        assert all(place[source] < place[name] for source in graph.upstream(name))
        assert all(name in graph.upstream(target) for target in graph.downstream(name))


@settings(max_examples=200)
@given(st.integers(1, 9), st.randoms(use_true_random=False))
def test_what_is_given_drops_exactly_the_ancestors_from_which_no_other_end_is_reached(
    size: int, chance: random.Random
) -> None:
    names = [f"t{number}" for number in range(size)]
    sources = {n: [m for m in names[: names.index(n)] if chance.random() < 0.4] for n in names}
    given_ = set(chance.sample(names, chance.randint(0, size)))
    graph = built({name: spec(nothing, name, sources[name]) for name in names}, given=given_)
    ends = set(names) - {source for found in sources.values() for source in found}
    assert set(graph) == ancestors(sources, ends | given_, given_)
