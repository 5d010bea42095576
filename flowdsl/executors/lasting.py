"""Whether a function that travels by value is still what it was when it was pickled, where that can be known cheaply.

It can where all that it uses is immutable (numbers, texts, other such functions) or known to another process by its
name (modules and what is in them). Then its bytes may be kept; a global that has been given another value is noticed.
"""

from __future__ import annotations

import dis
import sys
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any, FrozenSet, List, Optional, Set, Tuple

import cloudpickle

PLAIN: FrozenSet[type] = frozenset((type(None), bool, int, float, complex, str, bytes))
GLOBAL_WRITES = frozenset(("STORE_GLOBAL", "DELETE_GLOBAL"))
CELL_WRITES = frozenset(("STORE_DEREF", "DELETE_DEREF"))


def used_by(*values: Any) -> Optional[List[Any]]:
    """Everything that the pickle of these is made of, in a fixed order; None where some of it may change unnoticed."""
    found: List[Any] = []
    return found if all(_stands(value, found, set()) for value in values) else None


def is_importable(value: Any) -> bool:
    """Whether another process gets this very function, or class, by importing its module."""
    module = getattr(value, "__module__", None)
    path = getattr(value, "__qualname__", None)
    if not isinstance(path, str) or not isinstance(module, str) or _travels_by_value(module):
        return False
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found is value


def _travels_by_value(module: str) -> bool:
    """Whether what this module defines is pickled with its code: `__main__`, and what cloudpickle was told of."""
    told = cloudpickle.list_registry_pickle_by_value()
    return module == "__main__" or any(module == one or module.startswith(one + ".") for one in told)


def _stands(value: Any, found: List[Any], seen: Set[int]) -> bool:
    """Whether it does; what it is made of goes into `found`."""
    found.append(value)
    kind = type(value)
    if kind in PLAIN or id(value) in seen:
        return True
    seen.add(id(value))
    if isinstance(value, ModuleType):
        name = value.__name__
        return sys.modules.get(name) is value and not _travels_by_value(name)
    if kind is tuple or kind is frozenset:
        return all(_stands(one, found, seen) for one in value)
    if is_importable(value):
        return True
    return kind is FunctionType and _function_stands(value, found, seen)


def _function_stands(function: FunctionType, found: List[Any], seen: Set[int]) -> bool:
    code, space = function.__code__, function.__globals__
    if function.__dict__ or _keeps(code, code.co_freevars):
        return False
    parts = [code.co_filename, function.__doc__, function.__defaults__]
    for more in (function.__kwdefaults__, function.__annotations__):
        parts += (more or {}).values()
    try:
        parts += [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # a cell is empty
        return False
    parts += [space[name] for name in _names(code) if name in space]
    found.append(code)
    return all(_stands(part, found, seen) for part in parts)


@lru_cache(maxsize=1000)
def _names(code: CodeType) -> List[str]:
    """The names that the code may look for among the globals, in a fixed order."""
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const)]
    return [*code.co_names, *inner]


@lru_cache(maxsize=1000)
def _keeps(code: CodeType, outer: Tuple[str, ...]) -> bool:
    """Whether a call may leave something behind for the next one: in a global, or in one of these outer variables."""
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name in GLOBAL_WRITES or (name in CELL_WRITES and instruction.argval in outer):
            return True
    return any(_keeps(const, outer) for const in code.co_consts if isinstance(const, CodeType))
