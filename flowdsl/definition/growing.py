"""For the building of what stays: meanwhile the garbage collector would walk all that is there, and find nothing."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import Iterator

__all__ = ["growing"]

LARGE = 1_000  # tasks; below, the collector would hardly come


@contextmanager
def growing(tasks: int) -> Iterator[None]:
    """Let the garbage collector rest while so many tasks are given their place; it is as it was when the block ends.

    In a graph of 10,000 tasks one full collection costs up to a third of the building, and one of the young half a
    microsecond a task: what is new counts as old, so the collector looks at it when it looks at everything.
    """
    rests = tasks >= LARGE and gc.isenabled()
    try:
        if rests:
            gc.disable()
        yield
    finally:
        if rests:
            _let_be()
            gc.enable()


def _let_be() -> None:
    """Count all that is there as old. Both calls join lists and look at nothing; what somebody froze stays frozen."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
