"""What `depends_on` says: a task, a name, an item of a result, a list of those, or ``{parameter: one of those}``."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from flowdsl.definition.checks import refuse
from flowdsl.definition.parameters import VAR_KEYWORD, VAR_POSITIONAL, Parameter
from flowdsl.definition.spec import Dependency
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import ConfigError, CycleError

__all__ = ["fit", "read_depends_on"]

FORMS = "give a task, the name of one, a list of those, or {parameter: task}"


def read_depends_on(value: Any, where: object) -> Tuple[Dependency, ...]:
    """The dependencies as written; a str is one name, never its characters."""
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(dependency for item in value for dependency in _read(item, where))
    return tuple(_read(value, where))


def _read(item: Any, where: object) -> Iterator[Dependency]:
    if not isinstance(item, Mapping):
        yield _one(item, where)
        return
    for parameter, source in item.items():
        if not isinstance(parameter, str):
            refuse(where, "depends_on", item, "has a key that is not the name of a parameter; write {parameter: task}")
        yield _one(source, where)._replace(parameter=parameter)


def _one(item: Any, where: object) -> Dependency:
    if isinstance(item, str):
        return Dependency(item)
    as_dependency = getattr(type(item), "as_dependency", None)  # a Task, or an item of one
    if as_dependency is not None:
        dependency: Dependency = as_dependency(item)
        return dependency
    why = "is a function but not a task; put @task above it" if callable(item) else "is not a dependency; " + FORMS
    return refuse(where, "depends_on", item, why)


def fit(
    written: Sequence[Dependency], parameters: Sequence[Parameter], name: str, home: Any, where: object
) -> Tuple[Dependency, ...]:
    """The dependencies of the task `name` of flow `home`, each with the parameter that takes it and none twice."""
    named = {parameter.name for parameter in parameters if parameter.kind not in (VAR_POSITIONAL, VAR_KEYWORD)}
    _refuse_itself(name, named, written, parameters, home)
    if not written:
        return ()
    star = next(("*" + parameter.name for parameter in parameters if parameter.kind == VAR_POSITIONAL), None)
    keywords = any(parameter.kind == VAR_KEYWORD for parameter in parameters)
    fitted = [_fit(dependency, named, star, keywords, where) for dependency in written]
    return _once([d._replace(owner=None) if d.owner is home else d for d in fitted], where)


def _fit(dependency: Dependency, named: Any, star: Optional[str], keywords: bool, where: object) -> Dependency:
    task, parameter, path, _ = dependency
    if parameter is not None:
        if parameter in named or keywords:
            return dependency
        advice = "its parameters are: " + ", ".join(sorted(named)) if named else "it takes no parameters"
        raise ConfigError(
            "%s: depends_on names a parameter %r, which the function does not have%s"
            % (where, parameter, did_you_mean(parameter, named, advice))
        )
    taker = task if task in named else star or (task if keywords else None)
    if taker is None and path:
        item = "%s[%r]" % (task, path[0])
        raise ConfigError("%s: nothing takes %s; write depends_on={parameter: %s}" % (where, item, item))
    return dependency._replace(parameter=taker)


def _once(fitted: Sequence[Dependency], where: object) -> Tuple[Dependency, ...]:
    """Without what is said twice, and without order alone where a value comes from the same task."""
    takers: Dict[str, Dependency] = {}
    passing = {(d.task, id(d.owner)) for d in fitted if d.parameter is not None}
    found: List[Dependency] = []
    for dependency in fitted:
        parameter = dependency.parameter
        if dependency in found or (parameter is None and (dependency.task, id(dependency.owner)) in passing):
            continue
        if parameter is not None and not parameter.startswith("*"):
            other = takers.setdefault(parameter, dependency)
            if other is not dependency:
                raise ConfigError(
                    "%s: parameter %r cannot take both %r and %r; take one of them out of depends_on"
                    % (where, parameter, other.task, dependency.task)
                )
        found.append(dependency)
    return tuple(found)


def _refuse_itself(
    name: str, named: Any, written: Sequence[Dependency], parameters: Sequence[Parameter], home: Any
) -> None:
    for dependency in written:
        if dependency.task == name and (dependency.owner is None or dependency.owner is home):
            raise CycleError("task %r depends on itself; take it out of depends_on" % name, (name, name))
    if name not in named or any(d.parameter == name for d in written):
        return
    if not next(p.has_default for p in parameters if p.name == name):
        advice = "rename the parameter, or say where it comes from: depends_on={%r: ...}" % name
        raise CycleError("task %r depends on itself: its parameter has its name; %s" % (name, advice), (name, name))
