"""The longest remaining path of each task."""

from __future__ import annotations

from typing import Dict, List, Tuple

from hypothesis import given
from hypothesis import strategies as some

from flowdsl.engine.priority import remaining_paths

Upstream = Dict[str, Tuple[str, ...]]


@some.composite
def graphs(draw: some.DrawFn) -> Tuple[List[str], Upstream, Dict[str, float]]:
    """A graph in topological order, with whole numbers as weights, so that sums are exact."""
    order = [f"t{number}" for number in range(draw(some.integers(0, 12)))]
    upstream = {
        name: tuple(draw(some.lists(some.sampled_from(order[:place]), unique=True))) if place else ()
        for place, name in enumerate(order)
    }
    weights = draw(some.dictionaries(some.sampled_from(order), some.integers(0, 9).map(float))) if order else {}
    return order, upstream, weights


def longest_by_walking_every_path(name: str, upstream: Upstream, weights: Dict[str, float]) -> float:
    below = [child for child, parents in upstream.items() if name in parents]
    return weights.get(name, 1.0) + max(
        (longest_by_walking_every_path(child, upstream, weights) for child in below), default=0.0
    )


def test_an_empty_graph_has_no_paths() -> None:
    assert remaining_paths([], {}, {}) == {}


def test_the_own_duration_is_included_and_is_one_where_unknown() -> None:
    assert remaining_paths(["a", "b"], {}, {"a": 2.5}) == {"a": 2.5, "b": 1.0}


def test_of_two_branches_the_longer_one_counts() -> None:
    upstream = {"short": ("a",), "long": ("a",), "end": ("short", "long")}
    weights = {"a": 1.0, "short": 2.0, "long": 7.0, "end": 1.0}
    assert remaining_paths(["a", "short", "long", "end"], upstream, weights) == {
        "a": 9.0,
        "short": 3.0,
        "long": 8.0,
        "end": 1.0,
    }


def test_a_chain_of_ten_thousand_needs_no_recursion() -> None:
    order = [str(number) for number in range(10_000)]
    paths = remaining_paths(order, {name: (str(int(name) - 1),) for name in order[1:]}, {})
    assert (paths["0"], paths["9999"]) == (10_000.0, 1.0)


@given(graphs())
def test_it_agrees_with_walking_every_path(graph: Tuple[List[str], Upstream, Dict[str, float]]) -> None:
    order, upstream, weights = graph
    expected = {name: longest_by_walking_every_path(name, upstream, weights) for name in order}
    assert remaining_paths(order, upstream, weights) == expected


@given(graphs())
def test_a_task_goes_before_those_that_wait_for_it(graph: Tuple[List[str], Upstream, Dict[str, float]]) -> None:
    order, upstream, weights = graph
    paths = remaining_paths(order, upstream, {name: 1.0 + weight for name, weight in weights.items()})
    assert all(paths[parent] > paths[name] for name in order for parent in upstream[name])
