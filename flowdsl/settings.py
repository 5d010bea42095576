"""What holds for everything in this process: `flowdsl.options`."""

from __future__ import annotations

import os

__all__ = ["Options", "options"]

_TRUE = frozenset(("1", "true", "yes", "on"))


class Options:
    """Settings of this process.

    `stable_repr` (False, or what the environment variable FLOWDSL_STABLE_REPR says: 1 or 0) leaves out of every repr,
    summary, message and picture what is another in each execution: times, durations, run ids, workers and process
    ids. A notebook that shows runs can then be checked by nbval. Frames and logs always have all of it.
    """

    __slots__ = ("_stable_repr",)

    def __init__(self) -> None:
        self._stable_repr = os.environ.get("FLOWDSL_STABLE_REPR", "").strip().lower() in _TRUE

    @property
    def stable_repr(self) -> bool:
        """Whether what is another in each execution is left out."""
        return self._stable_repr

    @stable_repr.setter
    def stable_repr(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError("flowdsl.options.stable_repr=%r is neither True nor False" % (value,))
        self._stable_repr = value

    def __repr__(self) -> str:
        return "<options: stable_repr=%r>" % self._stable_repr


#: What holds for everything in this process.
options = Options()
