"""The graph: tasks that a run will execute, in order, with the edges between them and the inputs they need; frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Collection, Dict, FrozenSet, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

from flowdsl.definition.spec import TaskSpec

__all__ = ["Edge", "Graph", "Input", "build_graph", "check_inputs"]


class Edge(NamedTuple):
    """One edge: `target` waits for `source`, and `parameter` takes its result (see `Dependency` for the forms)."""

    source: str
    target: str
    parameter: Optional[str] = None  # None: order-only
    path: Tuple[Any, ...] = ()  # keys into the result


class Input(NamedTuple):
    """A value that a run is given; `default` stands where it is not `required` (each task has its own)."""

    name: str
    required: bool
    default: Any
    tasks: Tuple[str, ...]  # who takes it


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """A validated, frozen graph of tasks.

    `tasks` is in topological order, ties in the order of definition. It holds the tasks that were replaced by a value
    (`given`, without edges into them) and not the ancestors that only those needed. `edges` has an entry for every task:
    its incoming edges without duplicates.
    """

    flow: str
    tasks: Mapping[str, TaskSpec]
    edges: Mapping[str, Tuple[Edge, ...]]
    inputs: Mapping[str, Input]
    given: FrozenSet[str]
    targets: Tuple[str, ...]
    limits: Mapping[str, int] = field(default_factory=dict)

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
            known = _turned(self.edges)
            self.__dict__["_dependants"] = known
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
        return "Graph of flow %r: %d tasks" % (self.flow, len(self))


def _turned(edges: Mapping[str, Tuple[Edge, ...]]) -> Mapping[str, Tuple[str, ...]]:
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
    """The graph of `targets` (default: all) and everything upstream; raises GraphError and CycleError."""
    from flowdsl.definition.resolve import resolve

    return resolve(flow_name, specs, targets=targets, given=given, limits=limits)


def check_inputs(graph: Graph, inputs: Mapping[str, Any]) -> None:
    """Raise InputError where an input is missing or unknown."""
