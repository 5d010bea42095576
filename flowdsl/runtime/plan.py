"""From a graph to what the machine is told: a node a task, with its policy, its rank and its line for the log."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple, Union

from flowdsl.definition.graph import Graph
from flowdsl.definition.options import INHERIT, Inherit, Retry
from flowdsl.definition.spec import TaskSpec
from flowdsl.engine.policy import ONCE, Node, Policy
from flowdsl.engine.priority import remaining_paths


class Defaults(NamedTuple):
    """What the flow says for tasks that say nothing."""

    retry: Retry = ONCE
    timeout: Optional[float] = None


def nodes(graph: Graph, defaults: Defaults, kind: str) -> Iterator[Node]:
    """The tasks of the graph in topological order; coroutine functions go to the kind "async"."""
    policies: Dict[Tuple[Any, ...], Policy] = {}
    upstream = {name: graph.upstream(name) for name in graph.tasks}
    ranks = remaining_paths(list(graph.tasks), upstream, {})
    given = graph.given
    for name, spec in graph.tasks.items():
        policy = _policy(spec, defaults, kind, policies)
        detail = _detail(spec, upstream[name], policy)
        yield Node(name, upstream[name], policy, spec.priority or 0.0, ranks[name], name in given, detail)


def _policy(spec: TaskSpec, defaults: Defaults, kind: str, known: Dict[Tuple[Any, ...], Policy]) -> Policy:
    key = (spec.run_when, id(spec.retries), spec.timeout, spec.uses, spec.is_async)
    found = known.get(key)
    if found is None:
        retry = _or(spec.retries, defaults.retry)
        timeout = _or(spec.timeout, defaults.timeout)
        found = Policy("async" if spec.is_async else kind, spec.run_when, retry, timeout, spec.uses)
        known[key] = found
    return found


def _or(value: Union[Any, Inherit], default: Any) -> Any:
    return default if value is INHERIT else value


def _detail(spec: TaskSpec, upstream: Tuple[str, ...], policy: Policy) -> Mapping[str, Any]:
    """What the log keeps of a task; what has its default is left out."""
    detail: Dict[str, Any] = {"action": getattr(spec.function, "__name__", spec.name)}
    if upstream:
        detail["upstream"] = upstream
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
