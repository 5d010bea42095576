"""What `@task(...)` is before it meets its function: options, checked at once, for one task or for many."""

from __future__ import annotations

import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Sequence, TypeVar

from flowdsl.definition.checks import check_name
from flowdsl.definition.define import Where
from flowdsl.definition.dependencies import read_depends_on
from flowdsl.definition.edge import Edge
from flowdsl.definition.options import TaskOptions
from flowdsl.definition.place import Here
from flowdsl.errors import DefinitionError, at_the_users_line
from flowdsl.task import Task

if TYPE_CHECKING:
    from flowdsl.flow import Flow
    from flowdsl.task import P

R = TypeVar("R")

__all__ = ["Decorator", "decorate"]

DEFAULTS = TaskOptions()
UNSAID: Mapping[str, Any] = {**DEFAULTS._asdict(), "depends_on": None, "map": None, "uses": None}


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


def decorate(find: Callable[[FrameType], Flow], name: Any, options: Mapping[str, Any], frame: FrameType) -> Any:
    """The task of a function that was given in the place of the name, else the decorator.

    `options` are those of `task`, in any number; names that are no option raise ConfigError.
    """
    __tracebackhide__ = True  # IPython and pytest leave such frames out
    function: Any = None
    if isinstance(name, staticmethod):  # which cannot be called before Python 3.10
        name = name.__func__
    if isinstance(name, classmethod) or (name is not None and not isinstance(name, str) and callable(name)):
        function, name = name, None
    said = {option: value for option, value in options.items() if value is not UNSAID.get(option, UNSAID)}
    try:
        decorator = Decorator(find) if name is None and not said else _said(find, name, said, Here(frame, function))
    except DefinitionError as exc:
        raise at_the_users_line(exc) from exc.__cause__
    return decorator if function is None else decorator.apply(function, frame)


def _said(find: Callable[[FrameType], Flow], name: Any, said: Dict[str, Any], here: Here) -> Decorator:
    where = Where(name if isinstance(name, str) else None, here)
    if name is not None:
        check_name(name, where)
    written = read_depends_on(said.pop("depends_on", None), where)
    return Decorator(find, name, TaskOptions.checked(where, said) if said else DEFAULTS, written)
