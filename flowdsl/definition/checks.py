"""The checks of option values: each returns the value to store, or raises ConfigError with the next step.

`where` is whatever names the place to a reader, such as ``task 'clean' (etl.py, line 12)``; it is turned into text
only when there is something to complain about.
"""

from __future__ import annotations

import inspect
import math
import numbers
import operator
import reprlib
from typing import Any, Callable, Iterable, Mapping, NoReturn, Optional, Sequence, Tuple

from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import ConfigError

__all__ = [
    "check_callable",
    "check_choice",
    "check_count",
    "check_flag",
    "check_limits",
    "check_name",
    "check_names",
    "check_number",
    "check_timeout",
    "refuse",
    "refuse_unknown",
    "shown",
]

NAME_LIMIT = 200
SHOWN = 160  # characters of a value in a message
LATER = "is not available in this version"


def refuse(where: object, option: str, value: Any, why: str) -> NoReturn:
    """Raise the ConfigError for one option: where, which option, the value met, why not and what instead."""
    raise ConfigError("%s: %s=%s %s" % (where, option, shown(value), why))


def shown(value: Any) -> str:
    """The value as a message shows it, cut where it is long; never an error."""
    text = _shown.repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = 80


def refuse_unknown(unknown: Iterable[str], known: Sequence[str], where: object) -> None:
    """Raise for the first name among `unknown` options; return where there is none."""
    for name in unknown:
        ending = did_you_mean(name, known, "the options are " + ", ".join(known))
        raise ConfigError("%s: there is no option %r%s" % (where, name, ending))


def check_count(value: Any, option: str, where: object, *, least: int, hint: str) -> int:
    """A whole number of at least `least`; bool, float and str are refused."""
    if isinstance(value, bool):
        refuse(where, option, value, "is not a whole number; " + hint)
    try:
        number = operator.index(value)
    except TypeError:
        refuse(where, option, value, "is not a whole number; " + hint)
    if number < least:
        refuse(where, option, value, "is less than %d; %s" % (least, hint))
    return number


def check_number(
    value: Any,
    option: str,
    where: object,
    *,
    hint: str,
    least: Optional[float] = None,
    above: Optional[float] = None,
    most: Optional[float] = None,
) -> float:
    """A finite number within the bounds, as a float; bool and str are refused."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        refuse(where, option, value, "is not a number; " + hint)
    number = _float(value)
    if not math.isfinite(number):
        refuse(where, option, value, "is not a finite number; " + hint)
    if above is not None and number <= above:
        refuse(where, option, value, "is not more than %g; %s" % (above, hint))
    if least is not None and number < least:
        refuse(where, option, value, "is less than %g; %s" % (least, hint))
    if most is not None and number > most:
        refuse(where, option, value, "is more than %g; %s" % (most, hint))
    return number


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def check_timeout(value: Any, option: str, where: object) -> Optional[float]:
    """Seconds as a float, or None for no limit."""
    if value is None:
        return None
    return check_number(value, option, where, above=0, hint="give seconds, or None for no limit")


def check_flag(value: Any, option: str, where: object) -> bool:
    """True or False, and nothing that merely looks like it."""
    if not isinstance(value, bool):
        refuse(where, option, value, "is neither True nor False")
    return value


def check_choice(value: Any, option: str, where: object, choices: Sequence[str]) -> str:
    """One of `choices`."""
    if isinstance(value, str) and value in choices:
        return value
    others = " or ".join(repr(choice) for choice in choices)
    refuse(where, option, value, "is not a choice" + did_you_mean(value, choices, "use " + others))


def check_callable(value: Any, option: str, where: object) -> Optional[Callable[..., Any]]:
    """A callable, or None."""
    if value is not None and not callable(value):
        refuse(where, option, value, "cannot be called; give a function of the result")
    if inspect.iscoroutinefunction(value):
        refuse(where, option, value, "is a coroutine function, which nobody awaits; give a plain function")
    return value  # type: ignore[no-any-return]


def check_names(value: Any, option: str, where: object) -> Tuple[str, ...]:
    """One name or a list of names, as a tuple without duplicates; None is no name."""
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) and name for name in names):
        refuse(where, option, value, "is not a name or a list of names")
    return tuple(dict.fromkeys(names))


def check_limits(value: Any, where: object) -> Mapping[str, int]:
    """Named limits: ``{"db": 2}``; None is no limit."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        refuse(where, "limits", value, 'is not a dict; write limits={"db": 2}')
    hint = "it is how many attempts may hold it at once, 1 or more"
    return {
        check_name(name, where, "limits"): check_count(number, "limits[%r]" % (name,), where, least=1, hint=hint)
        for name, number in value.items()
    }


def check_name(name: Any, where: object, option: str = "name") -> str:
    """A name of 1 to 200 printable characters without ``[ ] /``."""
    if not isinstance(name, str):
        refuse(where, option, name, "is not a str; give 1 to %d characters" % NAME_LIMIT)
    if not 1 <= len(name) <= NAME_LIMIT:
        refuse(where, option, name, "has %d characters; give 1 to %d" % (len(name), NAME_LIMIT))
    if not name.isprintable():
        refuse(where, option, name, "has characters that cannot be printed; leave them out")
    if "/" in name or "[" in name or "]" in name:
        refuse(where, option, name, "has one of the characters [ ] / in it; leave them out")
    return name
