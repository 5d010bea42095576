"""The order of tasks: dependencies before dependants, and which of those that could go next goes first."""

from __future__ import annotations

import heapq
from typing import Dict, List, Mapping, Sequence, Tuple

from flowdsl.engine.priority import remaining_paths
from flowdsl.orchestrator.entry import Entry

__all__ = ["Edges", "by_rank", "dependencies_first", "edges_among", "ranks_of", "turned"]

Edges = Mapping[str, Sequence[str]]  # task -> what it waits for; what is no key is not waited for


def edges_among(names: Sequence[str], entries: Mapping[str, Entry]) -> Dict[str, Tuple[str, ...]]:
    """What each of these tasks waits for, of these tasks."""
    here = set(names)
    return {name: tuple(one for one in entries[name].definition.dependencies if one in here) for name in names}


def turned(edges: Edges) -> Dict[str, List[str]]:
    """For each task that others wait for, those others."""
    found: Dict[str, List[str]] = {}
    for child, parents in edges.items():
        for parent in parents:
            found.setdefault(parent, []).append(child)
    return found


def dependencies_first(edges: Edges) -> List[str]:
    """The tasks, ties as they came; what waits for itself, or for such a task, is left out.

    >>> dependencies_first({"b": ["a"], "a": [], "c": ["b"]})
    ['a', 'b', 'c']
    """
    return by_rank(edges, {name: -place for place, name in enumerate(edges)})


def by_rank(edges: Edges, ranks: Mapping[str, float]) -> List[str]:
    """The tasks in the order in which one worker would take them: of those that are free, the highest rank first."""
    left = {name: sum(one in edges for one in parents) for name, parents in edges.items()}
    children = turned(edges)
    free = [(-ranks[name], name) for name, count in left.items() if not count]
    heapq.heapify(free)
    found: List[str] = []
    while free:
        name = heapq.heappop(free)[1]
        found.append(name)
        for child in children.get(name, ()):
            left[child] -= 1
            if not left[child]:
                heapq.heappush(free, (-ranks[child], child))
    return found


def ranks_of(names: Sequence[str], entries: Mapping[str, Entry], weights: Mapping[str, float]) -> Dict[str, float]:
    """The priority of each task in a run: by its own, then by the longest path that hangs on it, then as it came.

    `names` are in an order in which dependencies come first.
    """
    paths = remaining_paths(list(names), edges_among(names, entries), weights)
    ordered = sorted(names, key=lambda name: (-entries[name].priority, -paths[name]))
    return {name: float(len(names) - at) for at, name in enumerate(ordered)}
