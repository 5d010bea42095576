"""What `map=` means in a graph: which parameters take one item at a time, and whose items go over one by one."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Tuple

from flowdsl.definition.edge import Edge
from flowdsl.definition.parameters import VARIABLE, Parameter
from flowdsl.definition.spec import TaskSpec
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import ConfigError, GraphError

__all__ = ["check_map", "item_sources"]


def check_map(names: Sequence[str], parameters: Sequence[Parameter], depends_on: Sequence[Edge], where: object) -> None:
    """Raise ConfigError for a name that is neither a parameter nor (that is for the graph to refuse) a dependency."""
    known = [parameter.name for parameter in parameters if parameter.kind not in VARIABLE]
    ordered = {dependency.source for dependency in depends_on if dependency.parameter is None}
    for name in names:
        if name not in known and name not in ordered:
            advice = "its parameters are: " + ", ".join(known) if known else "it takes no parameters"
            raise ConfigError(
                "%s: map=%r is no parameter of the function%s" % (where, name, did_you_mean(name, known, advice))
            )


def item_sources(
    order: Sequence[str], specs: Mapping[str, TaskSpec], edges: Mapping[str, Sequence[Edge]]
) -> Dict[str, Tuple[str, ...]]:
    """For every mapped task in `order` the mapped tasks whose items it takes one by one; of all others it waits.

    Items go over one by one along one map only. Lists that come from different maps, and a list that another
    parameter takes whole, are waited for. Raises GraphError where a mapped name is a dependency without a parameter.
    """
    found: Dict[str, Tuple[str, ...]] = {}
    roots: Dict[str, str] = {}  # mapped task -> the one whose sizes it has
    for name in order:
        spec = specs[name]
        _refuse_order_only(spec, edges[name])
        candidates = _mapped_sources(spec, edges[name], roots)
        met = {roots[source] for source in candidates}
        found[name] = tuple(candidates) if len(met) == 1 else ()
        roots[name] = met.pop() if len(met) == 1 else name
    return found


def _mapped_sources(spec: TaskSpec, edges: Sequence[Edge], roots: Mapping[str, str]) -> List[str]:
    whole = {edge.source for edge in edges if edge.parameter not in spec.map}
    sources = dict.fromkeys(edge.source for edge in edges if edge.source in roots and edge.source not in whole)
    return list(sources)


def _refuse_order_only(spec: TaskSpec, edges: Sequence[Edge]) -> None:
    named = {parameter.name for parameter in spec.parameters}
    for name in spec.map:
        if name not in named and any(edge.source == name for edge in edges):
            raise GraphError(
                "%s maps over %r, of which it takes no result: the dependency is only for order; give the function a "
                "parameter %r, or write depends_on={parameter: %r} and map that parameter" % (spec, name, name, name)
            )
