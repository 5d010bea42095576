"""From a graph to what the machine is told: a node a task, with its policy, its rank and its line for the log."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from flowdsl.definition.graph import Edge, Graph
from flowdsl.definition.options import INHERIT, Inherit, Retry
from flowdsl.definition.spec import TaskSpec
from flowdsl.engine.policy import ONCE, Node, Policy
from flowdsl.engine.priority import remaining_paths

Detail = Mapping[str, Any]

_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor, once a task


class Defaults(NamedTuple):
    """What the flow says for tasks that say nothing."""

    retry: Retry = ONCE
    timeout: Optional[float] = None


def nodes(graph: Graph, defaults: Defaults, kind: str) -> Iterator[Node]:
    """The tasks of the graph in topological order; coroutine functions go to the kind "async"."""
    known: Dict[Tuple[Any, ...], Tuple[Policy, Detail]] = {}
    upstream = {name: _sources(edges) for name, edges in graph.edges.items()}
    ranks = remaining_paths(list(graph.tasks), upstream, {})
    given = graph.given
    for name, spec in graph.tasks.items():
        policy, options = _policy(spec, defaults, kind, known)
        parents = upstream[name]
        detail = {"action": getattr(spec.function, "__name__", name), **options}
        if parents:
            detail["upstream"] = parents
        yield _new(Node, (name, parents, policy, spec.priority or 0.0, ranks[name], name in given, detail))


def _sources(edges: Sequence[Edge]) -> Tuple[str, ...]:
    """As `Graph.upstream`, which would look up each name again: half a microsecond a task."""
    if len(edges) < 2:
        return (edges[0][0],) if edges else ()
    return tuple(dict.fromkeys([edge[0] for edge in edges]))


def _policy(
    spec: TaskSpec, defaults: Defaults, kind: str, known: Dict[Tuple[Any, ...], Tuple[Policy, Detail]]
) -> Tuple[Policy, Detail]:
    """How the task is to be run, and what the log says of that; tasks with the same options share both."""
    key = (spec.run_when, id(spec.retries), spec.timeout, spec.uses, spec.is_async, spec.type, spec.tags)
    found = known.get(key)
    if found is None:
        retry = _or(spec.retries, defaults.retry)
        timeout = _or(spec.timeout, defaults.timeout)
        policy = Policy("async" if spec.is_async else kind, spec.run_when, retry, timeout, spec.uses)
        found = known[key] = policy, _detail(spec, policy)
    return found


def _or(value: Union[Any, Inherit], default: Any) -> Any:
    return default if value is INHERIT else value


def _detail(spec: TaskSpec, policy: Policy) -> Detail:
    """What the log keeps of a task's options; what has its default is left out."""
    detail: Dict[str, Any] = {}
    if spec.type != "task":
        detail["type"] = spec.type
    if spec.tags:
        detail["tags"] = spec.tags
    if policy.run_when != "all_succeeded":
        detail["run_when"] = policy.run_when
    if policy.uses:
        detail["uses"] = policy.uses
    if policy.retry.retries:
        detail["retries"] = policy.retry.retries
    if policy.timeout is not None:
        detail["timeout"] = policy.timeout
    return detail
