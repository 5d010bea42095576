"""The order of a graph: every task after those it waits for, ties in the order of definition; or the cycle."""

from __future__ import annotations

import heapq
from typing import Dict, List, Mapping, Sequence, Tuple

import graphlib

from flowdsl.definition.edge import Edge
from flowdsl.errors import CycleError

__all__ = ["cycle_error", "in_order"]

SHOWN = 20  # tasks of a cycle that a message names

Edges = Mapping[str, Tuple[Edge, ...]]


def in_order(names: Sequence[str], edges: Edges) -> Sequence[str]:
    """`names`, given in the order of definition, so that each comes after the sources of its edges.

    Most files define a task after those it names: then their order is the answer, and checking it is four times
    cheaper than sorting. graphlib sorts the others, and finds the cycles.
    """
    return names if _is_in_order(names, edges) else _sorted(names, edges)


def _is_in_order(names: Sequence[str], edges: Edges) -> bool:
    seen = set()
    for name in names:
        for edge in edges[name]:
            if edge[0] not in seen:
                return False
        seen.add(name)
    return True


def _sorted(names: Sequence[str], edges: Edges) -> Sequence[str]:
    sorter = graphlib.TopologicalSorter({name: [edge.source for edge in edges[name]] for name in names})
    try:
        sorter.prepare()
    except graphlib.CycleError as exc:
        raise cycle_error(exc.args[1], names) from None
    rank = {name: at for at, name in enumerate(names)}
    ready = [rank[name] for name in sorter.get_ready()]
    heapq.heapify(ready)
    order: List[str] = []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        sorter.done(name)
        for freed in sorter.get_ready():
            heapq.heappush(ready, rank[freed])
    return order


def cycle_error(path: Sequence[str], names: Sequence[str]) -> CycleError:
    """The error for a closed path of names, turned so that it begins with the task that was defined first."""
    rank: Dict[str, int] = {name: at for at, name in enumerate(names)}
    ring = list(path[:-1])
    first = min(range(len(ring)), key=lambda at: rank.get(ring[at], len(rank)))
    ring = ring[first:] + ring[:first]
    closed = ring + ring[:1]
    shown = closed
    if len(ring) > SHOWN:
        left_out = "(%d more tasks)" % (len(ring) - SHOWN)
        shown = [*closed[: SHOWN // 2], left_out, *closed[-SHOWN // 2 - 1 :]]
    return CycleError("cycle: " + " -> ".join(shown), closed)
