"""Whether a task is tried again after an attempt that did not succeed, and how long it waits for that."""

from __future__ import annotations

from typing import Callable, Dict, Optional

from flowdsl.engine.standing import Standing
from flowdsl.engine.table import TaskTable


class Retries:
    """`draw` returns a float in [0, 1) for jitter."""

    def __init__(self, standing: Standing, table: TaskTable, draw: Callable[[], float]) -> None:
        self._standing = standing
        self._table = table
        self._draw = draw
        self._first_begun: Dict[int, float] = {}  # only where `max_elapsed` counts from there

    def begins(self, number: int, now: float) -> None:
        """An attempt begins of a task with a `max_elapsed`."""
        self._first_begun.setdefault(number, now)

    def delay(self, number: int, now: float) -> Optional[float]:
        """Seconds until the next attempt; None where there is to be none."""
        retry = self._table.policies[number].retry
        attempt = self._table.attempts[number]
        if self._standing.halt is not None or attempt > retry.retries:
            return None
        delay = retry.wait(attempt, 2.0 * self._draw() - 1.0)
        if retry.max_elapsed is not None and now + delay - self._first_begun[number] > retry.max_elapsed:
            return None
        return delay
