"""What a mapped task maps over: how many items there are, and what one of them takes."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from flowdsl.definition.graph import Edge, Graph
from flowdsl.engine.maps import item_name
from flowdsl.errors import MapError
from flowdsl.runtime.results import NOTHING, Results, item_of

__all__ = ["Fans"]

MAX_ITEMS = 1_000_000
Common = Optional[Mapping[str, Any]]
Column = Callable[[int], Any]  # from the number of an item to what one parameter takes


class Fans:
    """The items of every mapped task of a run, a column a mapped parameter, from when its sizes are asked for.

    `common` finds what all items of a task are given by name, once it is known what they take one by one.
    """

    def __init__(
        self, graph: Graph, results: Results, inputs: Mapping[str, Any], common: Callable[[str], Common]
    ) -> None:
        self._graph = graph
        self._results = results
        self._inputs = inputs
        self._columns: Dict[str, Dict[str, Column]] = {}
        self._edges: Dict[str, Tuple[Edge, ...]] = {}  # of each task, without those that carry items
        self._find_common = common
        self._common: Dict[str, Common] = {}

    def measure(self, task: str) -> int:
        """How many items the task has; raises MapError where what it maps over does not say so."""
        spec = self._graph.tasks[task]
        sizes: Dict[str, int] = {}
        columns: Dict[str, Column] = {}
        for name in spec.map:
            sizes[name], columns[name] = self._column(task, name)
        if len(set(sizes.values())) > 1:
            found = ", ".join("%r has %d" % pair for pair in sizes.items())
            raise MapError("%s maps over lists of different lengths: %s; they go in step" % (spec, found))
        self._columns[task] = columns
        self._edges[task] = tuple(edge for edge in self._graph.edges[task] if edge.parameter not in columns)
        size = next(iter(sizes.values()))
        self._results.open(task, size)
        return size

    def edges(self, task: str) -> Sequence[Edge]:
        """The edges whose results every item takes whole."""
        return self._edges[task]

    def common(self, task: str) -> Common:
        """What every item is given beside its own, by parameter; None where that is not so simple."""
        if task not in self._common:
            self._common[task] = self._find_common(task)
        return self._common[task]

    def items(self, task: str, index: int) -> Dict[str, Any]:
        """What one item takes, by parameter."""
        return {name: column(index) for name, column in self._columns[task].items()}

    def forget(self, task: str) -> None:
        """All its items have ended."""
        self._columns.pop(task, None)
        self._common.pop(task, None)

    def _column(self, task: str, name: str) -> Tuple[int, Column]:
        spec = self._graph.tasks[task]
        edge = next((edge for edge in self._graph.edges[task] if edge.parameter == name), None)
        if edge is not None and edge.source in self._graph.mapped[task] and edge.source in self._results.lists:
            return self._one_by_one(edge)
        what = "%s: map=%r" % (spec, name)
        if edge is None:
            default = next((p.default for p in spec.parameters if p.name == name), None)
            values = listed(self._inputs.get(name, default), what)
        else:
            if edge.source not in self._results.values:
                raise MapError("%s has nothing to map over: task %r has no result" % (what, edge.source))
            value = item_of(self._results.values[edge.source], edge.source, edge.path)
            values = listed(value, what)
        return len(values), values.__getitem__

    def _one_by_one(self, edge: Edge) -> Tuple[int, Column]:
        values = self._results.lists[edge.source]

        def column(index: int) -> Any:
            value = values[index]
            if value is NOTHING:
                return self._results.missing(item_name(edge.source, index))
            return item_of(value, item_name(edge.source, index), edge.path)

        return len(values), column


def listed(value: Any, what: str) -> List[Any]:
    """The items of a sized iterable, of a mapping its pairs; raises MapError for anything else."""
    if isinstance(value, (str, bytes, bytearray)):
        raise MapError("%s is %s, whose characters are no items; put it into a list" % (what, type(value).__name__))
    if hasattr(type(value), "columns") and hasattr(type(value), "shape"):  # a square one would pass for a list
        advice = "give its rows, such as list(frame.itertuples()), or its groups"
        raise MapError("%s is a %s, which yields the names of its columns; %s" % (what, type(value).__name__, advice))
    try:
        size = len(value)
    except TypeError:
        advice = "return a list" if hasattr(value, "__iter__") else "give a list, or any sized iterable"
        raise MapError("%s is a %s, which has no length; %s" % (what, type(value).__name__, advice)) from None
    if size > MAX_ITEMS:
        raise MapError("%s has %d items, more than %d; give each item a part of them" % (what, size, MAX_ITEMS))
    items = list(value.items()) if isinstance(value, AnyMapping) else list(value)
    if len(items) != size:
        text = "%s is a %s whose length is %d and that yields %d items; turn it into the list that you mean"
        raise MapError(text % (what, type(value).__name__, size, len(items)))
    return items
