"""The graph: the tasks that a run will execute, in order, with the edges between them and their inputs; frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Collection, Dict, FrozenSet, Iterator, Mapping, Optional, Sequence, Tuple

from flowdsl.definition.counted import counted
from flowdsl.definition.edge import Edge, Input
from flowdsl.definition.fanout import item_sources
from flowdsl.definition.growing import growing
from flowdsl.definition.inputs import check_inputs, inputs_of
from flowdsl.definition.needed import needed
from flowdsl.definition.order import in_order
from flowdsl.definition.resolve import Resolution, Scope
from flowdsl.definition.spec import TaskSpec

__all__ = ["Edge", "Graph", "Input", "build_graph", "check_inputs"]


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A validated, frozen graph of tasks.

    `tasks` is in topological order, ties in the order of definition. It holds the tasks that were replaced by a value
    (`given`, without edges into them) and not the ancestors that only those needed. `edges` has an entry for every
    task: its incoming edges, none twice. `targets` are the tasks asked for, else those that nothing waits for.
    `limits` are the named limits of all flows in the graph. `mapped` has an entry for every mapped task: the mapped
    tasks whose items it takes one by one.
    """

    flow: str
    tasks: Mapping[str, TaskSpec]
    edges: Mapping[str, Tuple[Edge, ...]]
    inputs: Mapping[str, Input]
    given: FrozenSet[str]
    targets: Tuple[str, ...]
    limits: Mapping[str, int] = field(default_factory=dict)
    mapped: Mapping[str, Tuple[str, ...]] = field(default_factory=dict)

    def upstream(self, name: str) -> Tuple[str, ...]:
        """The names of the tasks that this one waits for itself."""
        return tuple(dict.fromkeys(edge.source for edge in self.edges[name]))

    def downstream(self, name: str) -> Tuple[str, ...]:
        """The names of the tasks that wait for this one itself."""
        return self.dependants[name]

    @property
    def dependants(self) -> Mapping[str, Tuple[str, ...]]:
        """For every task the names of those that wait for it; made at the first question."""
        known: Optional[Mapping[str, Tuple[str, ...]]] = self.__dict__.get("_dependants")
        if known is None:
            known = self.__dict__["_dependants"] = MappingProxyType(_turned(self.edges))
        return known

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tasks)

    def __contains__(self, name: object) -> bool:
        return name in self.tasks

    def __getitem__(self, name: str) -> TaskSpec:
        return self.tasks[name]

    def __repr__(self) -> str:
        return "Graph of flow %r: %s" % (self.flow, counted(len(self), "task"))


def _turned(edges: Mapping[str, Tuple[Edge, ...]]) -> Dict[str, Tuple[str, ...]]:
    found: Dict[str, Dict[str, None]] = {name: {} for name in edges}
    for target, incoming in edges.items():
        for edge in incoming:
            found[edge.source][target] = None
    return {name: tuple(targets) for name, targets in found.items()}


def build_graph(
    flow_name: str,
    specs: Mapping[str, TaskSpec],
    *,
    targets: Optional[Sequence[str]] = None,
    given: Collection[str] = (),
    limits: Optional[Mapping[str, int]] = None,
) -> Graph:
    """The graph of `targets` (default: the whole flow) and everything upstream of them.

    `given` holds the names of all inputs of the run: those that are tasks are replaced by their values. `limits` are
    the named limits that tasks may use; None leaves `uses` unchecked. Raises GraphError and CycleError.
    """
    resolution = Resolution(Scope(flow_name, specs, limits), given=frozenset(given))
    with growing(len(specs)):
        if targets is not None:
            resolution.add(targets)
        elif any(name in specs for name in given):
            resolution.add(needed(specs, resolution.given))
        else:
            resolution.add_all()
        return _frozen(resolution, None if targets is None else tuple(dict.fromkeys(targets)))


def _frozen(resolution: Resolution, targets: Optional[Tuple[str, ...]]) -> Graph:
    specs, edges = resolution.specs, resolution.edges
    order = in_order(resolution.defined(), edges)
    mapped = [name for name in order if name in resolution.mapped] if resolution.mapped else []
    return Graph(
        flow=resolution.home.flow,
        tasks=MappingProxyType({name: specs[name] for name in order}),
        edges=MappingProxyType({name: edges[name] for name in order}),
        inputs=MappingProxyType(inputs_of(resolution.takers, specs, order)),
        given=frozenset(name for name in resolution.given if name in specs),
        targets=_last(edges, order) if targets is None else targets,
        limits=MappingProxyType(resolution.limits),
        mapped=MappingProxyType(
            item_sources([name for name in order if name in mapped], specs, edges) if mapped else {}
        ),
    )


def _last(edges: Mapping[str, Tuple[Edge, ...]], order: Sequence[str]) -> Tuple[str, ...]:
    sources = {edge[0] for incoming in edges.values() for edge in incoming}
    return tuple(name for name in order if name not in sources)
