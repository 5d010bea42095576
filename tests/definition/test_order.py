"""The order of a graph: topological, ties as defined; and the path of a cycle."""

from __future__ import annotations

import heapq
import itertools
import random
from typing import Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl import CycleError
from flowdsl.definition.edge import Edge
from flowdsl.definition.order import in_order


def edges_of(sources: Dict[str, List[str]]) -> Dict[str, Tuple[Edge, ...]]:
    return {name: tuple(Edge(source) for source in found) for name, found in sources.items()}


def ordered(sources: Dict[str, List[str]]) -> List[str]:
    return list(in_order(list(sources), edges_of(sources)))


def expected_order(sources: Dict[str, List[str]]) -> List[str]:
    """Kahn's algorithm: always the earliest defined of those that are free."""
    names = list(sources)
    waiting = {name: len(set(found)) for name, found in sources.items()}
    free = [at for at, name in enumerate(names) if not waiting[name]]
    order = []
    while free:
        done = names[heapq.heappop(free)]
        order.append(done)
        for at, name in enumerate(names):
            if done in sources[name]:
                waiting[name] -= 1
                if not waiting[name]:
                    heapq.heappush(free, at)
    return order


def test_tasks_that_were_defined_in_order_stay_as_they_are() -> None:
    assert ordered({"a": [], "b": ["a"], "c": [], "d": ["b", "c"]}) == ["a", "b", "c", "d"]


def test_a_task_defined_before_its_source_comes_after_it_and_others_keep_their_order() -> None:
    assert ordered({"report": ["clean"], "x": [], "clean": ["raw"], "raw": [], "y": []}) == [
        "x",
        "raw",
        "clean",
        "report",
        "y",
    ]


@given(st.integers(0, 12), st.randoms(use_true_random=False))
def test_any_graph_comes_out_as_the_earliest_order_by_definition(size: int, chance: random.Random) -> None:
    names = [f"t{number}" for number in range(size)]
    hidden = list(names)
    chance.shuffle(hidden)
    sources = {n: [m for m in hidden[: hidden.index(n)] if chance.random() < 0.3] for n in names}
    assert ordered(sources) == expected_order(sources)


@pytest.mark.parametrize(
    ("sources", "cycle"),
    [
        ({"a": ["b"], "b": ["a"]}, ("a", "b", "a")),
        ({"a": ["c"], "b": ["a"], "c": ["b"]}, ("a", "b", "c", "a")),
        ({"x": [], "b": ["a", "x"], "a": ["b"], "y": ["b"]}, ("b", "a", "b")),
        ({"a": ["a"]}, ("a", "a")),
    ],
)
def test_a_cycle_is_named_along_its_edges_from_the_task_that_was_defined_first(
    sources: Dict[str, List[str]], cycle: Tuple[str, ...]
) -> None:
    with pytest.raises(CycleError) as caught:
        ordered(sources)
    assert caught.value.cycle == cycle
    assert str(caught.value) == "cycle: " + " -> ".join(cycle)


@pytest.mark.parametrize("defined", list(itertools.permutations("abcd")), ids="".join)
def test_the_order_of_definition_only_says_where_the_path_of_a_cycle_begins(defined: Tuple[str, ...]) -> None:
    ring = {"a": ["d"], "b": ["a"], "c": ["b"], "d": ["c"]}
    with pytest.raises(CycleError) as caught:
        ordered({name: ring[name] for name in defined})
    path = "abcdabcd"["abcd".index(defined[0]) :][:4]
    assert caught.value.cycle == (*path, path[0])


def test_a_long_cycle_is_kept_whole_and_told_short() -> None:
    size = 5000
    sources = {f"t{number}": [f"t{(number - 1) % size}"] for number in range(size)}
    with pytest.raises(CycleError) as caught:
        ordered(sources)
    assert len(caught.value.cycle) == size + 1
    assert caught.value.cycle[0] == caught.value.cycle[-1] == "t0"
    assert str(caught.value).startswith("cycle: t0 -> t1 -> ")
    assert "(4980 more tasks)" in str(caught.value)
    assert str(caught.value).endswith("t4999 -> t0")
