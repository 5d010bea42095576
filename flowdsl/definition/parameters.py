"""The parameters of a callable, read once a function body however many tasks share it."""

from __future__ import annotations

import inspect
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

__all__ = [
    "KEYWORD_ONLY", "POSITIONAL_ONLY", "VARIABLE", "VAR_KEYWORD", "VAR_POSITIONAL",
    "Parameter", "as_written", "parameters_of",
]  # fmt: skip

POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD, VAR_POSITIONAL, KEYWORD_ONLY, VAR_KEYWORD = range(5)
VARIABLE = (VAR_POSITIONAL, VAR_KEYWORD)  # `*args`, `**kwargs`
AFTER_A_STAR = (VAR_POSITIONAL, KEYWORD_ONLY)
STARS = {VAR_POSITIONAL: "*", VAR_KEYWORD: "**"}


class Parameter(NamedTuple):
    """One parameter; `kind` is the number of `inspect.Parameter.kind`."""

    name: str
    kind: int
    has_default: bool
    default: Any


# What a callable that does not show its signature is taken to accept (some builtins).
ANYTHING = (Parameter("args", VAR_POSITIONAL, False, None), Parameter("kwargs", VAR_KEYWORD, False, None))


def parameters_of(function: Callable[..., Any]) -> Tuple[Parameter, ...]:
    """The parameters in the order of the signature."""
    if type(function) is FunctionType and not function.__dict__:  # no __wrapped__, no __signature__
        return _of_plain_function(function)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ANYTHING
    return tuple(
        Parameter(p.name, int(p.kind), p.default is not p.empty, None if p.default is p.empty else p.default)
        for p in signature.parameters.values()
    )


def as_written(
    parameters: Sequence[Parameter], default: Callable[[Any], str], name: Callable[[str], str] = str
) -> List[str]:
    """The parts between the parentheses of a signature, with its `/` and `*`; the functions say how to show each thing.

    >>> as_written(parameters_of(lambda a, *, b=2: None), repr)
    ['a', '*', 'b=2']
    """
    parts: List[str] = []
    for at, one in enumerate(parameters):
        if one.kind == KEYWORD_ONLY and not any(other.kind in AFTER_A_STAR for other in parameters[:at]):
            parts.append("*")
        shown = "=" + default(one.default) if one.has_default else ""
        parts.append(STARS.get(one.kind, "") + name(one.name) + shown)
        is_last = at + 1 == len(parameters)
        if one.kind == POSITIONAL_ONLY and (is_last or parameters[at + 1].kind != POSITIONAL_ONLY):
            parts.append("/")
    return parts


def _of_plain_function(function: FunctionType) -> Tuple[Parameter, ...]:
    bare = _of_code(function.__code__)
    if not function.__defaults__ and not function.__kwdefaults__:
        return bare
    defaults: Dict[str, Any] = dict(function.__kwdefaults__ or {})
    positional = [p.name for p in bare if p.kind <= POSITIONAL_OR_KEYWORD]
    given = function.__defaults__ or ()
    defaults.update(zip(positional[len(positional) - len(given) :], given))
    return tuple(p._replace(has_default=True, default=defaults[p.name]) if p.name in defaults else p for p in bare)


@lru_cache(maxsize=4096)
def _of_code(code: CodeType) -> Tuple[Parameter, ...]:
    """The parameters without their defaults (a function's own), shared by all functions with this body."""
    positional, keyword_only = code.co_argcount, code.co_kwonlyargcount
    names = code.co_varnames
    found = [
        Parameter(name, POSITIONAL_ONLY if at < code.co_posonlyargcount else POSITIONAL_OR_KEYWORD, False, None)
        for at, name in enumerate(names[:positional])
    ]
    end = positional + keyword_only
    if code.co_flags & inspect.CO_VARARGS:
        found.append(Parameter(names[end], VAR_POSITIONAL, False, None))
        end += 1
    found += [Parameter(name, KEYWORD_ONLY, False, None) for name in names[positional : positional + keyword_only]]
    if code.co_flags & inspect.CO_VARKEYWORDS:
        found.append(Parameter(names[end], VAR_KEYWORD, False, None))
    return tuple(found)
