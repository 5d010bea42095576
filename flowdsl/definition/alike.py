"""Whether two definitions of a task do the same: what a cell that was run again unchanged is told by."""

from __future__ import annotations

from types import CodeType
from typing import Any, Tuple

from flowdsl.definition.spec import TaskSpec

__all__ = ["alike"]

_PLAIN = (type(None), bool, int, float, complex, str, bytes)  # values of these types can be compared safely


def alike(one: TaskSpec, other: TaskSpec) -> bool:
    """Whether both would compute the same from the same arguments, as far as their own code tells.

    Lines and comments do not count. Helpers and globals that the code names are not looked at.
    """
    same = one.map == other.map and _same(one.function, other.function)
    return one is other or (same and _same(one.verify, other.verify))


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    codes = getattr(one, "__code__", None), getattr(other, "__code__", None)
    if not all(isinstance(code, CodeType) for code in codes):
        return False
    return _essence(codes[0]) == _essence(codes[1]) and _same_values(_carried(one), _carried(other))


def _essence(code: Any) -> Tuple[Any, ...]:
    """What the code does, without where it stands. Constants go with their types: 1, 1.0 and True are equal."""
    constants = tuple(
        _essence(constant) if isinstance(constant, CodeType) else (type(constant).__name__, repr(constant))
        for constant in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    caught = getattr(code, "co_exceptiontable", b"")  # from 3.11 on only this says what stands in a `try`
    return (code.co_code, caught, constants, names, code.co_argcount, code.co_kwonlyargcount, code.co_flags)


def _carried(function: Any) -> Tuple[Any, ...]:
    """The values that a function brings along: defaults, and what it closes over."""
    named = sorted((getattr(function, "__kwdefaults__", None) or {}).items())
    return (*(function.__defaults__ or ()), *(value for _, value in named), *map(_content, function.__closure__ or ()))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _same_values(some: Tuple[Any, ...], others: Tuple[Any, ...]) -> bool:
    return len(some) == len(others) and all(map(_same_value, some, others))


def _same_value(one: Any, other: Any) -> bool:
    plain = type(one) is type(other) and type(one) in _PLAIN
    return one is other or (plain and repr(one) == repr(other)) or (callable(one) and _same(one, other))
