"""When a view may paint, and what becomes of it when that fails: the one place for locks, pace and faults of a view."""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional

__all__ = ["FASTEST", "Painter"]

FASTEST = 0.2  # seconds from one paint to the next: 5 Hz
# A paint that took x seconds is followed by at least 25 x seconds of rest: with what is done once, 5 % of a core.
_SHARE = 25
_MOST_FAULTS = 3


class Painter:
    """Lets one paint happen at a time and not too often, and keeps what goes wrong to itself.

    A view never breaks the run that it shows: `fault` is the last exception, and after three there are no more
    paints. `timer` counts seconds on any clock that does not go back, `cost` those that this thread has worked: on a
    busy machine a paint waits for others, and that is not its cost.
    """

    def __init__(
        self, interval: float, timer: Callable[[], float], cost: Callable[[], float] = time.thread_time
    ) -> None:
        self._least = max(FASTEST, float(interval))
        self.interval = self._least  # the rest that the last paint asks for
        self.fault: Optional[BaseException] = None
        self._timer, self._cost = timer, cost
        self._next = float("-inf")
        self._faults = 0
        self._closed = False
        self._lock = threading.Lock()

    def open(self, act: Callable[[], None]) -> None:
        """Do what opens the view, or prepares it; that is no paint, and its cost is not counted."""
        with self._lock:
            if not self._closed and self._faults < _MOST_FAULTS:
                self._guarded(act)

    def paint(self, act: Callable[[], None]) -> None:
        """Paint with `act`, unless the view is closed or broken, somebody else paints, or the rest is not over."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._closed or self._faults >= _MOST_FAULTS or self._timer() < self._next:
                return
            spent = self._cost()
            self._guarded(act)
            self.interval = max(self._least, _SHARE * (self._cost() - spent))
            self._next = self._timer() + self.interval
        finally:
            self._lock.release()

    def close(self, act: Callable[[], None]) -> None:
        """Do what closes the view, the first time only."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._guarded(act)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as exc:
            self.fault = exc
            self._faults += 1
