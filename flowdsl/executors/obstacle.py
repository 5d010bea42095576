"""What keeps a value from being pickled: the innermost part of it that cannot be, and how it is reached."""

from __future__ import annotations

import dis
from functools import lru_cache, partial
from inspect import Parameter, signature
from itertools import islice
from types import CodeType, FunctionType, MethodType
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from flowdsl.executors import pickling
from flowdsl.executors.lasting import is_importable
from flowdsl.executors.outcome import Call, text_of

MANY = 1000  # parts of one value that are tried: each is pickled by itself
DEEP = 12  # parts of parts
GLOBALS = frozenset(("LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL"))
CACHED = type(lru_cache(int))
INSTEAD = "make it inside the function, or run the task in a thread"

Part = Tuple[str, Any]  # how it is called in the whole, and itself


class Obstacle(NamedTuple):
    """What is at fault, in words, and what pickling it raised."""

    where: str  # "global 'lock' (lock) of its function"
    why: str


def of_call(call: Call) -> Optional[Obstacle]:
    """The first part of a call that cannot be pickled; None where each of them can by itself."""
    for name, value in _parts_of_call(call):
        found = of_value(_with_type(name, value), value)
        if found is not None:
            return found
    return None


def of_value(where: str, value: Any) -> Optional[Obstacle]:
    """The innermost part of the value that cannot be pickled, which may be all of it; None where it can be."""
    fault, seen = _refusal(value), {id(value)}
    if fault is None:
        return None
    for _ in range(DEEP):
        found = None if _is_too_deep(fault) else _part_at_fault(value, seen)
        if found is None:
            break
        name, value, fault = found
        where = "%s of %s" % (_with_type(name, value), where)
    return Obstacle(where, text_of(fault) or type(fault).__name__)


def _refusal(value: Any) -> Optional[Exception]:
    try:
        pickling.dumped(value)
    except Exception as exc:
        return exc
    return None


def _is_too_deep(fault: Exception) -> bool:
    """Whether it is no single part that is at fault; cloudpickle says so in an error of its own."""
    return isinstance(fault, RecursionError) or isinstance(fault.__cause__, RecursionError)


def _part_at_fault(value: Any, seen: Set[int]) -> Optional[Tuple[str, Any, Exception]]:
    """The first part of the value that cannot be pickled, and what that raised."""
    for name, part in islice(_parts(value), MANY):
        fault = None if id(part) in seen else _refusal(part)
        if fault is not None:
            seen.add(id(part))
            return name, part, fault
    return None


def _with_type(name: str, value: Any) -> str:
    return name if type(value) is FunctionType else "%s (%s)" % (name, type(value).__qualname__)


def _parts_of_call(call: Call) -> Iterator[Part]:
    yield "its function", call.function
    yield "verify", call.verify
    yield "retry_on", call.retry.retry_on
    yield "give_up_on", call.retry.give_up_on
    names = _positional(call.function)
    for at, value in enumerate(call.args):
        yield "argument %s" % (repr(names[at]) if at < len(names) else at + 1), value
    for name, value in call.kwargs.items():
        yield "argument %r" % name, value


def _positional(function: Callable[..., Any]) -> List[str]:
    """The names of the parameters that a call fills in turn, before `*args`."""
    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):  # made in C, and says nothing of them
        return []
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter.name for parameter in parameters if parameter.kind in kinds]


def _parts(value: Any) -> Iterator[Part]:
    """What the pickle of the value is made of, as far as that has names."""
    kind = type(value)
    if kind is FunctionType:
        yield from _parts_of_function(value)
    elif isinstance(value, dict):
        yield from (("item %s" % _short(key), one) for key, one in value.items())
    elif isinstance(value, (list, tuple)):
        yield from (("item %d" % at, one) for at, one in enumerate(value))
    elif isinstance(value, (set, frozenset)):
        yield from (("member", one) for one in value)
    elif isinstance(value, partial):
        yield "the function", value.func
        yield from (("argument %d" % (at + 1), one) for at, one in enumerate(value.args))
        yield from (("argument %r" % name, one) for name, one in value.keywords.items())
    elif kind is MethodType:
        yield "the object", value.__self__
        yield "the function", value.__func__
    elif kind is CACHED:
        yield "the function", value.__wrapped__
    elif isinstance(value, type):
        if not is_importable(value):
            yield from (("attribute %r" % name, _plain(one)) for name, one in list(vars(value).items()))
    elif _goes_by_attributes(kind):
        yield from (("attribute %r" % name, one) for name, one in list(vars(value).items()))


def _parts_of_function(function: FunctionType) -> Iterator[Part]:
    code, space = function.__code__, function.__globals__
    yield from (("global %r" % name, space[name]) for name in _globals(code) if name in space)
    for name, cell in zip(code.co_freevars, function.__closure__ or ()):
        try:
            yield "outer variable %r" % name, cell.cell_contents
        except ValueError:  # nothing is in it yet
            continue
    defaults = function.__defaults__ or ()
    takes = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    for name, value in (*zip(takes, defaults), *(function.__kwdefaults__ or {}).items()):
        yield "default of parameter %r" % name, value
    yield from (("attribute %r" % name, value) for name, value in vars(function).items())


def _globals(code: CodeType) -> Sequence[str]:
    """The globals that the code, and what is defined in it, names; in the order of the lines."""
    names = [one.argval for one in dis.get_instructions(code) if one.opname in GLOBALS]
    for const in code.co_consts:
        if isinstance(const, CodeType):
            names += _globals(const)
    return list(dict.fromkeys(names))


def _goes_by_attributes(kind: type) -> bool:
    """Whether objects of that class are pickled as their attributes, and not in a way of their own."""
    own = ("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")
    return kind.__dictoffset__ != 0 and all(getattr(kind, name, None) is getattr(object, name, None) for name in own)


def _plain(value: Any) -> Any:
    """Of what a class holds, what is pickled: the function in a static or a class method."""
    return value.__func__ if isinstance(value, (staticmethod, classmethod)) else value


def _short(key: Any) -> str:
    text = repr(key) if isinstance(key, (str, int)) else "under a key of type %s" % type(key).__qualname__
    return text if len(text) <= 60 else text[:59] + "…"
