"""Which tasks are stale: their last result came from a definition that has been replaced since."""

from __future__ import annotations

from typing import Dict, FrozenSet, Mapping, Set

from flowdsl.definition.graph import Graph

__all__ = ["stale_tasks"]


def stale_tasks(graph: Graph, made: Mapping[str, Graph]) -> FrozenSet[str]:
    """The stale tasks of `graph`; `made` has for each task with a result the graph of the run that made it.

    A task without a result is not stale: there is nothing that could be. Specifications are compared by identity, so
    that a cell that is run again makes its task stale even where not a letter of it was changed.
    """
    found: Set[str] = set()
    for earlier in dict.fromkeys(made.values()):
        changed = _changed(graph, earlier)
        found.update(name for name in changed if made.get(name) is earlier and changed[name])
    return frozenset(found)


def _changed(graph: Graph, earlier: Graph) -> Dict[str, bool]:
    """For every task whether it, or anything upstream of it, is not what it was; one pass in topological order."""
    changed: Dict[str, bool] = {}
    for name, spec in graph.tasks.items():
        if name in graph.given or name in earlier.given:
            changed[name] = False
        else:
            above = any(changed.get(edge.source, False) for edge in graph.edges[name])
            changed[name] = above or earlier.tasks.get(name) is not spec
    return changed
