"""The code behind a task, as text and as a digest: its function, and the functions of the user that it calls."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache, partial
from hashlib import sha256
from types import CodeType, FunctionType
from typing import Any, Dict, Iterator, List, Tuple

from flowdsl.orchestrator.capsule import Code
from flowdsl.orchestrator.work import Work
from flowdsl.views.users_line import is_foreign

__all__ = ["code_of", "functions_of", "names_in", "plain_function"]

MOST = 200  # functions that are looked at for one task


def plain_function(function: Any) -> Any:
    """The function behind partials, wrappers, methods and callable objects; the object itself where there is none."""
    while isinstance(function, (partial, Work)):  # Work: a task of the queue, whose handler is meant
        function = function.function if isinstance(function, Work) else function.func
    function = inspect.unwrap(getattr(function, "__func__", function))
    if not isinstance(function, (FunctionType, type)) and isinstance(type(function).__call__, FunctionType):
        return type(function).__call__
    return function


def code_of(function: Any) -> Code:
    """The function as text and digest; a digest of its bytecode where there is no text, none for builtins."""
    plain = plain_function(function)
    name = str(getattr(plain, "__qualname__", "") or type(plain).__qualname__)
    code = getattr(plain, "__code__", None)
    if not isinstance(code, CodeType):
        return Code(name, digest=sha256(name.encode()).hexdigest()[:32])
    return Code(name, code.co_filename, code.co_firstlineno, *_text(code))


def functions_of(function: Any) -> List[Any]:
    """The function, and the user's functions and classes that it reaches by name, itself first."""
    found: Dict[int, Any] = {}
    waiting = [plain_function(function)]
    while waiting and len(found) < MOST:
        one = waiting.pop(0)
        if id(one) not in found:
            found[id(one)] = one
            waiting += [other for other in _reached(one) if _is_users(other)]
    return list(found.values())


def names_in(function: Any) -> List[Tuple[str, Any]]:
    """What a function reaches by a global name or a closure, with its name."""
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return []
    closed = zip(code.co_freevars, getattr(function, "__closure__", None) or ())
    found = [(name, cell.cell_contents) for name, cell in closed if _is_filled(cell)]
    space = getattr(function, "__globals__", {})
    return found + [(name, space[name]) for name in _names(code) if name in space]


def _reached(one: Any) -> Iterator[Any]:
    methods = [value for value in vars(one).values() if isinstance(value, FunctionType)] if type(one) is type else [one]
    for method in methods:
        for _, value in names_in(method):
            yield plain_function(getattr(getattr(value, "spec", value), "function", value))


def _is_users(value: Any) -> bool:
    if isinstance(value, FunctionType):
        return not is_foreign(value.__code__.co_filename)
    if type(value) is not type:
        return False
    methods = [one for one in vars(value).values() if isinstance(one, FunctionType)]
    return bool(methods) and not is_foreign(methods[0].__code__.co_filename)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def _names(code: CodeType) -> Tuple[str, ...]:
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const)]
    return tuple(dict.fromkeys([*code.co_names, *inner]))


@lru_cache(maxsize=4096)
def _text(code: CodeType) -> Tuple[str, str]:
    """Source and digest; many functions share one body."""
    source = _source(code)
    content = _bare(source).encode("utf-8", "surrogatepass") if source else repr(list(_parts(code))).encode()
    return source, sha256(content).hexdigest()[:32]


def _source(code: CodeType) -> str:
    """The text of the function with its decorators, without the indentation of where it stands."""
    try:
        return textwrap.dedent(inspect.getsource(code))
    except (OSError, TypeError, SyntaxError, IndexError):
        return ""


def _bare(source: str) -> str:
    """The text without decorators: what they say about retries and the like is not its code."""
    try:
        first = ast.parse(source).body[0].lineno
    except (SyntaxError, ValueError, IndexError):
        return source
    return "".join(source.splitlines(True)[first - 1 :])


def _parts(code: CodeType) -> Iterator[Any]:
    yield code.co_code
    yield code.co_names
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _parts(const)
        else:
            yield const if isinstance(const, (int, float, str, bytes, bool, type(None))) else type(const).__name__
