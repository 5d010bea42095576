"""From names to edges: which task of which flow every dependency and every parameter means.

This is on the way to each run, so the loop over the tasks does as little as it can.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Collection, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple, Union

from flowdsl.definition.edge import Edge
from flowdsl.definition.options import INHERIT, Inherit, OfFlow, Retry
from flowdsl.definition.parameters import VARIABLE, Parameter
from flowdsl.definition.spec import TaskSpec
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import GraphError

__all__ = ["Resolution", "Scope"]

MAX_TASKS = 1_000_000
_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor, once an edge


class Scope(NamedTuple):
    """A flow as the graph sees it: where names have a meaning. Scopes with one `specs` mapping are one flow."""

    flow: str
    specs: Mapping[str, TaskSpec]  # in the order of definition
    limits: Optional[Mapping[str, int]] = None  # None: not checked
    retries: Union[Retry, Inherit] = INHERIT
    timeout: Union[float, Inherit, None] = INHERIT
    isolation: Optional[str] = None
    settled: Optional[Dict[str, Tuple[TaskSpec, TaskSpec]]] = None  # as defined, as settled; to be the same each time


class Resolution:
    """The tasks found so far, their edges, and who takes which input."""

    def __init__(self, home: Scope, given: Collection[str] = ()) -> None:
        self.home = home
        self.given = given
        self.specs: Dict[str, TaskSpec] = {}
        self.edges: Dict[str, Tuple[Edge, ...]] = {}
        self.takers: Dict[str, List[Tuple[str, Parameter]]] = {}
        self.limits: Dict[str, int] = dict(home.limits or {})
        self.mapped: Set[str] = set()
        self.scopes: List[Scope] = []  # other flows, as they are met
        self._strangers: Dict[str, Scope] = {}  # name of a task of another flow -> that flow
        self._waiting: List[Tuple[str, TaskSpec, Scope]] = []

    def add(self, names: Iterable[str]) -> None:
        """Take these tasks of the home flow, and everything upstream of them, into the graph."""
        for name in names:
            self._reach(name, self.home)
        waiting = self._waiting
        while waiting:
            name, spec, scope = waiting.pop()
            self.edges[name] = () if name in self.given else self._incoming(name, spec, scope)

    def add_all(self) -> None:
        """Take every task of the home flow into the graph, and what they need of other flows."""
        home, given = self.home, self.given
        if len(home.specs) > MAX_TASKS:
            raise _too_large(home.flow)
        self.specs.update(home.specs)
        for name, spec in home.specs.items():
            self.edges[name] = () if name in given else self._incoming(name, spec, home)
        self.add(())

    def defined(self) -> List[str]:
        """The names in the order of definition: other flows in the order they were met, then the home flow."""
        found, strangers = self.specs, self._strangers
        names = [name for scope in self.scopes for name in scope.specs if strangers.get(name) is scope]
        return names + [name for name in self.home.specs if name in found and name not in strangers]

    def _incoming(self, name: str, spec: TaskSpec, scope: Scope) -> Tuple[Edge, ...]:
        """The edges into one task; its other parameters are inputs."""
        written = spec.depends_on
        found: List[Edge] = []
        bound: Collection[Optional[str]] = ()
        known, specs = scope.specs, self.specs
        if spec.uses:
            self._check_limits(spec, scope)
        if spec.map:
            self.mapped.add(name)
        if written:
            for source, _, _, owner in written:
                if source not in specs or source not in known or owner is not None or self._strangers:
                    self._reach_written(source, owner, spec, scope)
            bound = {edge[1] for edge in written}
        for parameter in spec.parameters:
            source, kind, has_default, _ = parameter
            if source in bound or kind in VARIABLE:
                continue
            if has_default or source not in known:
                self.takers.setdefault(source, []).append((name, parameter))
                continue
            if source not in specs or self._strangers:
                self._reach(source, scope)
            found.append(_new(Edge, (source, source, (), None)))
        return (*written, *found) if found else written

    def _reach_written(self, source: str, owner: Any, spec: TaskSpec, scope: Scope) -> None:
        """The task that `depends_on` of another one names, in the flow `owner` if it says so."""
        if owner is not None:
            scope = self._scope_of(owner.scope)
        if source not in scope.specs:
            raise _unknown(spec, source, scope, foreign=owner is not None)
        self._reach(source, scope)

    def _scope_of(self, scope: Scope) -> Scope:
        if scope.specs is self.home.specs:
            return self.home
        for met in self.scopes:
            if met.specs is scope.specs:
                return met
        self.scopes.append(scope)
        return scope

    def _reach(self, name: str, scope: Scope) -> None:
        """Take one task into the graph, once; its edges are looked up later."""
        if name in self.specs:
            if self._strangers.get(name, self.home) is not scope:
                raise self._clash(name, scope)
            return
        if name not in scope.specs:
            raise GraphError("flow %r has no task %r%s" % (scope.flow, name, did_you_mean(name, scope.specs)))
        spec = scope.specs[name]
        if scope is not self.home:
            spec = _settled(spec, scope)
            self._strangers[name] = scope
        self.specs[name] = spec
        self._waiting.append((name, spec, scope))
        if len(self.specs) > MAX_TASKS:
            raise _too_large(self.home.flow)

    def _clash(self, name: str, scope: Scope) -> GraphError:
        other = self._strangers.get(name, self.home)
        places = sorted([(other.flow, str(other.specs[name].place)), (scope.flow, str(scope.specs[name].place))])
        return GraphError(
            "flow %r (%s) and flow %r (%s) both have a task %r in this graph; give one of them another name"
            % (*places[0], *places[1], name)
        )

    def _check_limits(self, spec: TaskSpec, scope: Scope) -> None:
        if scope.limits is None:
            return
        for limit in spec.uses:
            if limit not in scope.limits:
                advice = "write Flow(%r, limits={%r: 1})" % (scope.flow, limit)
                raise GraphError(
                    "%s uses %r, which flow %r does not limit%s"
                    % (spec, limit, scope.flow, did_you_mean(limit, scope.limits, advice))
                )
            most = scope.limits[limit]
            self.limits[limit] = min(most, self.limits.get(limit, most))


def _settled(spec: TaskSpec, scope: Scope) -> TaskSpec:
    """A task of another flow, with the values of that flow where it leaves them open."""
    if INHERIT not in (spec.retries, spec.timeout, spec.isolation):
        return spec
    retries = scope.retries if spec.retries is INHERIT else spec.retries
    timeout = scope.timeout if spec.timeout is INHERIT else spec.timeout
    isolation = spec.isolation
    if isolation is INHERIT and scope.isolation is not None:
        isolation = OfFlow(scope.isolation)
    defined, settled = (scope.settled or {}).get(spec.name, (None, spec))
    if defined is spec and (settled.retries, settled.timeout, settled.isolation) == (retries, timeout, isolation):
        return settled
    settled = replace(spec, retries=retries, timeout=timeout, isolation=isolation)
    if scope.settled is not None:
        scope.settled[spec.name] = (spec, settled)
    return settled


def _unknown(spec: TaskSpec, source: str, scope: Scope, foreign: bool) -> GraphError:
    if foreign:
        what = "task %r depends on %r of flow %r, which is not defined there any more" % (spec.name, source, scope.flow)
    else:
        what = "task %r depends on %r, which flow %r does not define" % (spec.name, source, scope.flow)
    return GraphError(what + did_you_mean(source, scope.specs, "define it, or take it out of depends_on"))


def _too_large(flow: str) -> GraphError:
    return GraphError("flow %r makes a graph of more than %d tasks; split it" % (flow, MAX_TASKS))
