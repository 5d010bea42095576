"""What `@task(...)` is before it meets its function: options, checked at once, for one task or for many."""

from __future__ import annotations

import sys
from inspect import Parameter, Signature
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, TypeVar

from flowdsl.definition.checks import check_name, shown
from flowdsl.definition.define import Where
from flowdsl.definition.dependencies import read_depends_on
from flowdsl.definition.edge import Edge
from flowdsl.definition.options import TaskOptions
from flowdsl.definition.place import Here
from flowdsl.errors import ConfigError, DefinitionError, at_the_users_line
from flowdsl.task import Task

if TYPE_CHECKING:
    from flowdsl.flow import Flow
    from flowdsl.task import P

F = TypeVar("F")
R = TypeVar("R")

__all__ = ["Decorator", "decorate", "shows_options"]

DEFAULTS = TaskOptions()
UNSAID: Mapping[str, Any] = {**DEFAULTS._asdict(), "depends_on": None, "map": None, "uses": None}
NAMES = "depends_on map retries timeout isolation run_when verify uses priority cache tags type"  # in reading order


def shows_options(method: bool) -> Callable[[F], F]:
    """Give a function `task`, which looks at its arguments itself, the signature that readers need."""
    given = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)] if method else []
    given.append(Parameter("name", Parameter.POSITIONAL_OR_KEYWORD, default=None))
    given += [Parameter(name, Parameter.KEYWORD_ONLY, default=UNSAID[name]) for name in NAMES.split()]

    def show(function: Any) -> Any:
        function.__signature__ = Signature(given)
        return function

    return show


class Decorator:
    """Makes a task of each function that it is called with, in the flow that `find` says for the calling frame."""

    __slots__ = ("_find", "_name", "_options", "_written")

    def __init__(
        self,
        find: Callable[[FrameType], Flow],
        name: Optional[str] = None,
        options: TaskOptions = DEFAULTS,
        written: Sequence[Edge] = (),
    ) -> None:
        self._find = find
        self._name = name
        self._options = options
        self._written = written

    def __call__(self, function: Callable[P, R]) -> Task[P, R]:
        __tracebackhide__ = True
        return self.apply(function, sys._getframe(1))

    def apply(self, function: Callable[P, R], frame: FrameType) -> Task[P, R]:
        """The task that this function becomes, defined by the code of `frame`."""
        __tracebackhide__ = True
        members = self._find(frame).members
        try:
            return members.add(function, self._name, self._options, self._written, frame)
        except DefinitionError as exc:
            raise at_the_users_line(exc) from exc.__cause__

    def __repr__(self) -> str:
        return "@task: put it above a function"


def decorate(find: Callable[[FrameType], Flow], given: Sequence[Any], options: Dict[str, Any], frame: FrameType) -> Any:
    """The task of a function that was given in the place of the name, else the decorator.

    `given` and `options` are the arguments of `task` as they were written; names that are no option raise ConfigError.
    """
    __tracebackhide__ = True  # IPython and pytest leave such frames out
    try:
        function, name = _function_and_name(given, options, frame)
        said = {option: value for option, value in options.items() if value is not UNSAID.get(option, UNSAID)}
        decorator = Decorator(find) if name is None and not said else _said(find, name, said, Here(frame, function))
    except DefinitionError as exc:
        raise at_the_users_line(exc) from exc.__cause__
    return decorator if function is None else decorator.apply(function, frame)


def _function_and_name(given: Sequence[Any], options: Dict[str, Any], frame: FrameType) -> Tuple[Any, Any]:
    """Each None where it was not said; `name=` is taken out of the options."""
    if len(given) > 1:
        why = "takes one argument without a name: the task's name above a function, or the function"
        raise ConfigError("%s: %s; write task(function, name='x')" % (Where(None, Here(frame, None)), why))
    first = given[0] if given else options.pop("name", None)
    if isinstance(first, staticmethod):  # which cannot be called before Python 3.10
        first = first.__func__
    if isinstance(first, classmethod) or (first is not None and not isinstance(first, str) and callable(first)):
        return first, options.pop("name", None)
    name = options.pop("name", None)
    if first is not None and name is not None:
        where = Where(None, Here(frame, None))
        raise ConfigError(
            "%s: the name is given twice, %s and name=%s; leave one out" % (where, shown(first), shown(name))
        )
    return None, name if first is None else first


def _said(find: Callable[[FrameType], Flow], name: Any, said: Dict[str, Any], here: Here) -> Decorator:
    where = Where(name if isinstance(name, str) else None, here)
    if name is not None:
        check_name(name, where)
    written = read_depends_on(said.pop("depends_on", None), where)
    return Decorator(find, name, TaskOptions.checked(where, said) if said else DEFAULTS, written)
