"""The nearest name: what a person probably meant by a name that nothing defines."""

from __future__ import annotations

import difflib
from typing import Iterable, Optional

__all__ = ["did_you_mean", "nearest"]


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
    """The end of a message: ``; did you mean 'x'?``, else ``; `` and what to do `otherwise`."""
    near = nearest(name, known)
    if near is not None:
        return "; did you mean %r?" % near
    return "; " + otherwise if otherwise else ""
