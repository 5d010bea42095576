"""The nearest name: what a person probably meant by a name that nothing defines."""

from __future__ import annotations

import difflib
from typing import Iterable, Optional, Sequence

__all__ = ["did_you_mean", "nearest"]

SHOWN = 5  # names that a message spells out


def nearest(name: object, known: Iterable[str]) -> Optional[str]:
    """The known name that is most like `name`, or None where none is like it."""
    if not isinstance(name, str):
        return None
    choices = list(known)
    found = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if found:
        return found[0]
    folded = name.casefold()
    return next((choice for choice in choices if choice.casefold() == folded), None)


def did_you_mean(name: object, known: Iterable[str], otherwise: str = "") -> str:
    """The end of a message: ``; did you mean 'x'?``, else ``; `` and what to do `otherwise`, or what there is."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return "; did you mean %r?" % near
    return "; " + (otherwise or "there is " + _listed(names))


def _listed(names: Sequence[str]) -> str:
    more = " and %d more" % (len(names) - SHOWN) if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more if names else "none"
