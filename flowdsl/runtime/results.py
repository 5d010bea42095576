"""The results of a run's tasks, for as long as somebody may ask for them."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Mapping, NamedTuple, Optional, Set

from flowdsl.definition.graph import Graph


class Kept(NamedTuple):
    """What a run takes over from an earlier one, which it runs again; a task without a value had let it go."""

    run_id: str = ""
    tasks: FrozenSet[str] = frozenset()
    values: Mapping[str, Any] = {}


class Results:
    """Values by task name; with `keep="targets"` a value goes when the last task that takes it has ended."""

    def __init__(self, graph: Graph, given: Mapping[str, Any], keep: str, kept: Optional[Kept] = None) -> None:
        kept = kept or Kept()
        self.values: Dict[str, Any] = {**given, **kept.values}
        self.released: Set[str] = set(kept.tasks.difference(kept.values))
        self._graph = graph
        self._uses: Optional[Dict[str, int]] = None
        if keep == "targets":
            self._uses = {name: len(graph.downstream(name)) for name in graph.tasks}

    def put(self, name: str, value: Any) -> None:
        self.values[name] = value

    @property
    def releases(self) -> bool:
        return self._uses is not None

    def ended(self, name: str) -> None:
        """This task takes nothing any more."""
        assert self._uses is not None
        for source in self._graph.upstream(name):
            self._uses[source] -= 1
            if not self._uses[source] and source not in self._graph.targets and source in self.values:
                del self.values[source]
                self.released.add(source)
