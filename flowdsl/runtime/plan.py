"""From a graph to what the machine is told: a node a task, with its policy, its rank and its line for the log."""

from __future__ import annotations

from typing import Any, Collection, Dict, Iterable, Iterator, Mapping, NamedTuple, Optional, Sequence, Set, Tuple, Union

from flowdsl.definition.graph import Edge, Graph
from flowdsl.definition.options import INHERIT, Inherit, OfFlow, Retry
from flowdsl.definition.spec import TaskSpec
from flowdsl.engine.policy import ONCE, Node, Policy
from flowdsl.engine.priority import remaining_paths

Detail = Mapping[str, Any]
Key = Tuple[Any, ...]  # the options of a task
Policies = Dict[Key, Tuple[Policy, Detail]]

_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor, once a task


class Defaults(NamedTuple):
    """What the flow says for tasks that say nothing."""

    retry: Retry = ONCE
    timeout: Optional[float] = None
    isolation: Optional[str] = None


class Kinds(NamedTuple):
    """The names of the kinds of executors that a run's attempts go to."""

    thread: str  # for isolation="thread"
    default: str  # for tasks without isolation
    process: str = "processes"
    coroutine: str = "async"
    said: bool = False  # the run itself has said where its tasks run

    def of(self, spec: TaskSpec) -> str:
        """The kind for a task: its own word first. A coroutine function that is not to be alone goes to the loop."""
        if spec.isolation is INHERIT or (self.said and type(spec.isolation) is OfFlow):
            kind = self.default
        else:
            kind = self.process if spec.isolation == "process" else self.thread
        return self.coroutine if spec.is_async and kind != self.process else kind

    def of_all(self, specs: Iterable[TaskSpec]) -> Set[str]:
        """The kinds for these; most tasks say the same of it."""
        unlike = {(spec.isolation, type(spec.isolation), spec.is_async): spec for spec in specs}
        return {self.of(spec) for spec in unlike.values()}


def choose_kinds(executor: Any, isolation: Optional[str], flow: Optional[str]) -> Kinds:
    """Where attempts run, by the run's `executor` and `isolation` and the flow's.

    The run's word goes before the flow's, and `isolation` before `executor`. "threads" is what `executor` is when
    nobody says anything, so it is no word.
    """
    own = {"processes": "threads"}.get(executor, executor) if isinstance(executor, str) else "executor"
    said = isolation or ({"threads": flow, "processes": "process"}.get(executor) if isinstance(executor, str) else None)
    return Kinds(own, "processes" if said == "process" else own, said=isolation is not None or executor == "processes")


def nodes(
    graph: Graph,
    defaults: Defaults,
    kinds: Kinds,
    weights: Mapping[str, float],
    reused: Collection[str] = (),
) -> Iterator[Node]:
    """The tasks of the graph in topological order, each with the kind of executor that its attempts go to.

    `weights` are the seconds that tasks are expected to take, where that is known; `reused` are those whose results an
    earlier run had.
    """
    policies: Policies = {}
    last: Optional[TaskSpec] = None
    upstream = {name: _sources(edges) for name, edges in graph.edges.items()}
    ranks = remaining_paths(list(graph.tasks), upstream, weights)
    there = {**dict.fromkeys(reused, "earlier_run"), **dict.fromkeys(graph.given, "given")}
    mapped = graph.mapped
    for name, spec in graph.tasks.items():
        if last is None or not _are_alike(spec, last):
            policy, options = _policy(spec, defaults, kinds, policies)
            last = spec
        parents = upstream[name]
        detail: Dict[str, Any] = {"action": getattr(spec.function, "__name__", name)}
        if options:
            detail.update(options)
        if parents:
            detail["upstream"] = parents
        if spec.priority:
            detail["priority"] = spec.priority
        over = mapped.get(name) if mapped else None
        if over is not None:
            over = tuple(source for source in over if source not in there)  # what is there already is a list
            detail["map"] = spec.map
            detail["over"] = over
        known_by = there.get(name, "")
        yield _new(Node, (name, parents, policy, spec.priority or 0.0, ranks[name], known_by, detail, over))


def _sources(edges: Sequence[Edge]) -> Tuple[str, ...]:
    """As `Graph.upstream`, which would look up each name again: half a microsecond a task."""
    if len(edges) < 2:
        return (edges[0][0],) if edges else ()
    names = [edge[0] for edge in edges]
    return tuple(names if len(set(names)) == len(names) else dict.fromkeys(names))


def _are_alike(spec: TaskSpec, last: TaskSpec) -> bool:
    """Whether both have the very same options, such as those that nobody gave."""
    return (
        spec.retries is last.retries
        and spec.timeout is last.timeout
        and spec.isolation is last.isolation
        and spec.run_when is last.run_when
        and spec.uses is last.uses
        and spec.type is last.type
        and spec.tags is last.tags
        and spec.is_async is last.is_async
    )


def _policy(spec: TaskSpec, defaults: Defaults, kinds: Kinds, known: Policies) -> Tuple[Policy, Detail]:
    """How the task is to be run, and what the log says of that; tasks with the same options share both."""
    where = (spec.isolation, type(spec.isolation), spec.is_async)  # what `kinds` goes by
    key = (spec.run_when, id(spec.retries), spec.timeout, spec.uses, where, spec.type, spec.tags)
    found = known.get(key)
    if found is None:
        retry = _or(spec.retries, defaults.retry)
        timeout = _or(spec.timeout, defaults.timeout)
        policy = Policy(kinds.of(spec), spec.run_when, retry, timeout, spec.uses)
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
