"""How long the rest of a run hangs on each task: the longest remaining path, by which ready tasks are ordered."""

from __future__ import annotations

from typing import Dict, Iterable, Mapping, Sequence

__all__ = ["remaining_paths"]


def remaining_paths(
    order: Sequence[str], upstream: Mapping[str, Iterable[str]], weights: Mapping[str, float]
) -> Dict[str, float]:
    """The longest path from each task to an end of the graph, its own duration included.

    Args:
        order: the tasks in topological order: dependencies before dependants.
        upstream: the dependencies of each task; a task that is missing here has none.
        weights: seconds that a task is expected to take, 0 or more; 1 for a task that is missing here.

    >>> remaining_paths(["a", "b", "c"], {"b": ["a"]}, {"b": 5.0})
    {'a': 6.0, 'b': 5.0, 'c': 1.0}
    """
    paths = dict.fromkeys(order, 0.0)
    for name in reversed(order):
        path = paths[name] = paths[name] + weights.get(name, 1.0)
        for parent in upstream.get(name, ()):
            if paths[parent] < path:
                paths[parent] = path
    return paths
