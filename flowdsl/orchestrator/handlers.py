"""The handlers: which function does a task of this action and type, and where it takes its arguments from."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from flowdsl.definition.function import check_function
from flowdsl.definition.options import INHERIT, Inherit, TaskOptions
from flowdsl.definition.retry import Retry
from flowdsl.errors import ConfigError, DefinitionError
from flowdsl.orchestrator.definition import TaskDefinition
from flowdsl.orchestrator.verification import check_verify
from flowdsl.task import Task

__all__ = ["Handler", "Handlers", "Source", "make_handler", "sources_of"]

RESERVED = ("target", "parameters", "results", "context", "task")
_NO_WORD = re.compile(r"\W+")


@dataclass(frozen=True)
class Handler:
    """A function that does tasks, and how its attempts are to be run where a task does not say."""

    function: Callable[..., Any]
    timeout: Union[float, Inherit, None] = INHERIT
    retries: Union[int, Retry, Inherit] = INHERIT
    isolation: Union[str, Inherit] = INHERIT
    verify: Any = None


class Source(NamedTuple):
    """Where a parameter of a handler takes its value from: `kind` is one of RESERVED, or "parameter" or "result"."""

    name: str  # "*" for the values of `*args`
    kind: str
    key: str = ""
    by_place: bool = False


def make_handler(function: Any, where: str, **options: Any) -> Handler:
    """The handler for a function, or for a `@task` of a flow with what that says of its attempts."""
    said = {name: value for name, value in options.items() if value is not INHERIT and value is not None}
    verify = check_verify(said.pop("verify", None), where)
    checked = TaskOptions.checked(where, said)
    own: Dict[str, Any] = {name: getattr(checked, name) for name in said}
    if isinstance(function, Task):
        spec = function.spec
        taken = {"timeout": spec.timeout, "retries": spec.retries, "isolation": spec.isolation, "verify": spec.verify}
        return Handler(spec.function, **{**taken, **own, **({"verify": verify} if verify is not None else {})})
    check_function(function, where)
    return Handler(function, verify=verify, **own)


class Handlers:
    """The handlers by (action, type), either of which may be "" for any; a second one replaces the first."""

    def __init__(self) -> None:
        self._found: Dict[Tuple[str, str], Handler] = {}

    def add(self, action: str, type_: str, handler: Handler) -> None:
        """Register it for the action, the type or both, in the place of an earlier one; ConfigError for neither."""
        if not action and not type_:
            raise ConfigError("handler: give the action that it is for, or a type: @orchestrator.handler('generate')")
        self._found[action, type_] = handler

    def find(self, action: str, type_: str) -> Optional[Handler]:
        """The handler for both, else for the action, else for the type."""
        for key in ((action, type_), (action, ""), ("", type_)):
            if key in self._found:
                return self._found[key]
        return None

    @property
    def actions(self) -> List[str]:
        """The actions that have a handler."""
        return sorted({action for action, _ in self._found if action})

    def of(self, task: TaskDefinition) -> Optional[Handler]:
        """The handler of a task: its own function, where it has one."""
        if task.function is not None:
            return make_handler(task.function, "task %r" % task.task_id)
        return self.find(task.action, task.type)


# ---- arguments


def identifier(action: str) -> str:
    """The name under which a parameter asks for the result of a task with this action."""
    return _NO_WORD.sub("_", action)


def sources_of(
    function: Callable[..., Any], parameters: Mapping[str, Any], dependencies: Sequence[Tuple[str, str]]
) -> Tuple[Source, ...]:
    """Where each parameter of the function takes its value from; `dependencies` are (id, action).

    In this order: the task's own `parameters`, the names target, parameters, results, context and task, the result of
    a dependency by its id or action. `*args` takes the results that nobody names, `**kwargs` the parameters.
    Raises DefinitionError for a parameter without default that nothing fills.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C: it does not say what it takes
        return tuple(Source(name, "parameter", name) for name in parameters)
    results = _results_by_name(dependencies)
    has_rest = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.parameters.values())
    found: List[Source] = []
    rest: List[Source] = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest.append(Source("*", "results"))
        elif parameter.kind is parameter.VAR_KEYWORD:
            named = set(signature.parameters)
            rest += [Source(key, "parameter", key) for key in parameters if key not in named]
        else:
            source = _source(name, parameters, results)
            if source is not None:
                before_rest = has_rest and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                found.append(source._replace(by_place=before_rest or parameter.kind is parameter.POSITIONAL_ONLY))
            elif parameter.default is parameter.empty:
                raise DefinitionError(_unfilled(name, function, parameters, results))
    return tuple(found + rest)


def _source(name: str, parameters: Mapping[str, Any], results: Mapping[str, str]) -> Optional[Source]:
    if name in parameters:
        return Source(name, "parameter", name)
    if name in RESERVED:
        return Source(name, name)
    return Source(name, "result", results[name]) if name in results else None


def _results_by_name(dependencies: Sequence[Tuple[str, str]]) -> Dict[str, str]:
    """The id of a dependency by its id and by its action, where no other dependency has that."""
    by_action: Dict[str, List[str]] = {}
    for task_id, action in dependencies:
        by_action.setdefault(identifier(action), []).append(task_id)
    found = {name: ids[0] for name, ids in by_action.items() if len(ids) == 1}
    found.update({task_id: task_id for task_id, _ in dependencies})
    return found


def _unfilled(name: str, function: Any, parameters: Mapping[str, Any], results: Mapping[str, str]) -> str:
    what = "its handler %s takes %r, which nothing gives" % (getattr(function, "__qualname__", function), name)
    there = [*parameters, *results]
    return "%s; there is: %s" % (what, ", ".join((*RESERVED, *there)))
