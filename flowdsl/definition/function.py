"""The callable behind a task: its name, its first line of documentation, and why some callables cannot be one."""

from __future__ import annotations

import inspect
from functools import lru_cache, partial
from types import FunctionType
from typing import Any, Optional

from flowdsl.definition.checks import shown
from flowdsl.errors import DefinitionError

__all__ = ["check_function", "first_line", "is_async", "name_of"]

GENERATOR = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def check_function(function: Any, where: object) -> None:
    """Raise DefinitionError for what cannot be called, a generator function, and an undecorated method."""
    if isinstance(function, classmethod):
        name = function.__func__.__name__
        raise DefinitionError(
            "%s: %s is a class method, and no class is there yet; make a task of the bound method: task(TheClass.%s)"
            % (where, name, name)
        )
    if not callable(function):
        raise DefinitionError("%s: %s cannot be called; put @task above a function" % (where, shown(function)))
    if _is_generator(function):
        raise DefinitionError("%s: it is a generator function; return a list instead of `yield`" % (where,))
    if type(function) is FunctionType and _is_method(function):
        raise DefinitionError(
            "%s: %s is a method and would be called without its object; "
            "define it outside the class, or make a task of the bound method: task(obj.%s)"
            % (where, function.__qualname__, function.__name__)
        )


def _is_generator(function: Any) -> bool:
    if type(function) is FunctionType:
        return bool(function.__code__.co_flags & GENERATOR)
    return any(inspect.isgeneratorfunction(f) or inspect.isasyncgenfunction(f) for f in _faces(function))


def _is_method(function: FunctionType) -> bool:
    outer = function.__qualname__.rpartition(".")[0]
    code = function.__code__
    if not outer or outer.endswith("<locals>") or not code.co_argcount:
        return False
    return code.co_varnames[0] in ("self", "cls")


def is_async(function: Any) -> bool:
    """Whether calling it gives a coroutine."""
    if type(function) is FunctionType and not function.__dict__:  # nobody has marked it
        return bool(function.__code__.co_flags & inspect.CO_COROUTINE)
    return any(inspect.iscoroutinefunction(face) for face in _faces(function))


def _faces(function: Any) -> Any:
    """The callable, and the `__call__` of an object that has one of its own."""
    while isinstance(function, partial):
        function = function.func
    if isinstance(function, (FunctionType, type)):
        return (function,)
    return (function, type(function).__call__)


def name_of(function: Any, where: object) -> str:
    """The name of the function, for its task."""
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or name == "<lambda>":
        what = "a lambda" if name == "<lambda>" else shown(function)
        raise DefinitionError('%s: %s has no name for its task; give one: task(name="...")(function)' % (where, what))
    return name


def first_line(function: Any) -> str:
    """The first line of its docstring, or ""."""
    while isinstance(function, partial):
        function = function.func
    text: Optional[str] = getattr(function, "__doc__", None)
    return _first_line(text) if isinstance(text, str) else ""


@lru_cache(maxsize=4096)
def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip()
