"""What `depends_on` says: a task, a name, an item of a result, a list of those, or ``{parameter: one of those}``."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from flowdsl.definition.checks import refuse
from flowdsl.definition.edge import Edge
from flowdsl.definition.parameters import VAR_KEYWORD, VAR_POSITIONAL, VARIABLE, Parameter
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import ConfigError, CycleError

__all__ = ["fit", "read_depends_on"]

Named = Mapping[str, Parameter]

FORMS = "give a task, the name of one, a list of those, or {parameter: task}"


def read_depends_on(value: Any, where: object) -> List[Edge]:
    """The dependencies as written; a str is one name, never its characters."""
    found: List[Edge] = []
    if value is not None:
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(item, dict):
                found += [_taken_by(parameter, source, where) for parameter, source in item.items()]
            else:
                found.append(_one(item, where))
    return found


def _taken_by(parameter: Any, source: Any, where: object) -> Edge:
    if not isinstance(parameter, str):
        refuse(where, "depends_on", {parameter: source}, "has a key that is no parameter; write {parameter: task}")
    return _one(source, where)._replace(parameter=parameter)


def _one(item: Any, where: object) -> Edge:
    if isinstance(item, str):
        return Edge(item)
    as_dependency = getattr(type(item), "as_dependency", None)  # a Task, or an item of one
    if as_dependency is not None:
        dependency: Edge = as_dependency(item)
        return dependency
    why = "is a function but not a task; put @task above it" if callable(item) else "is not a dependency; " + FORMS
    return refuse(where, "depends_on", item, why)


def fit(
    written: Sequence[Edge], parameters: Sequence[Parameter], name: str, home: Any, where: object
) -> Tuple[Edge, ...]:
    """The dependencies of the task `name` of flow `home`, each with the parameter that takes it and none twice."""
    named = {parameter.name: parameter for parameter in parameters if parameter.kind not in VARIABLE}
    _refuse_itself(name, named, written, home)
    if not written:
        return ()
    star = next(("*" + parameter.name for parameter in parameters if parameter.kind == VAR_POSITIONAL), None)
    keywords = any(parameter.kind == VAR_KEYWORD for parameter in parameters)
    found = _Fitted(where)
    for task, parameter, path, owner in written:
        taker = _taker(task, parameter, path, named, star, keywords, where)
        found.add(Edge(task, taker, path, None if owner is home else owner))
    return found.without_doubles()


def _taker(
    task: str, parameter: Optional[str], path: Any, named: Named, star: Optional[str], keywords: bool, where: object
) -> Optional[str]:
    """The parameter that takes the result, in the form of `Edge.parameter`."""
    if parameter is not None:
        if parameter in named or keywords:
            return parameter
        advice = "its parameters are: " + ", ".join(named) if named else "it takes no parameters"
        raise ConfigError(
            "%s: depends_on names a parameter %r, which the function does not have%s"
            % (where, parameter, did_you_mean(parameter, named, advice))
        )
    taker = task if task in named else star or (task if keywords else None)
    if taker is None and path:
        item = "%s[%r]" % (task, path[0])
        raise ConfigError("%s: nothing takes %s; write depends_on={parameter: %s}" % (where, item, item))
    return taker


class _Fitted:
    """Dependencies without what is said twice, and without order alone where a value comes from the same task."""

    def __init__(self, where: object) -> None:
        self.where = where
        self.takers: Dict[str, Edge] = {}
        self.found: Dict[Any, Edge] = {}
        self.passing: Set[Any] = set()  # tasks whose results some parameter takes

    def add(self, dependency: Edge) -> None:
        task, parameter, path, owner = dependency
        source = (task, id(owner))
        if parameter is None:
            self.found.setdefault(source, dependency)
            return
        self.passing.add(source)
        if not parameter.startswith("*"):
            other = self.takers.setdefault(parameter, dependency)
            if other != dependency:
                raise ConfigError(
                    "%s: parameter %r cannot take both %r and %r; take one of them out of depends_on"
                    % (self.where, parameter, other.source, task)
                )
        self.found.setdefault((source, parameter, repr(path) if path else ""), dependency)

    def without_doubles(self) -> Tuple[Edge, ...]:
        return tuple(d for key, d in self.found.items() if d.parameter is not None or key not in self.passing)


def _refuse_itself(name: str, named: Named, written: Sequence[Edge], home: Any) -> None:
    for task, _, _, owner in written:
        if task == name and (owner is None or owner is home):
            raise CycleError("task %r depends on itself; take it out of depends_on" % name, (name, name))
    if name not in named or named[name].has_default or any(dependency.parameter == name for dependency in written):
        return
    advice = "rename the parameter, or say where it comes from: depends_on={%r: ...}" % name
    raise CycleError("task %r depends on itself: its parameter has its name; %s" % (name, advice), (name, name))
