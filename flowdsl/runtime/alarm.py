"""The bell of the thread that keeps time: anybody may ring it, at any moment."""

from __future__ import annotations

import queue
from functools import partial
from typing import Callable, Optional


class Alarm:
    """Like a `threading.Event` that is cleared by whoever waits for it.

    `set()` is one call into C: an asynchronous exception in the thread that rings cannot leave a lock behind, as it can
    in an Event, whose lock is taken in Python.
    """

    def __init__(self) -> None:
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.set: Callable[[], None] = partial(self._rings.put, None)

    def wait(self, timeout: Optional[float] = None) -> None:
        """Until it rings or the time is over; all rings so far are one."""
        try:
            self._rings.get(timeout=timeout)
            while True:
                self._rings.get_nowait()
        except queue.Empty:
            return
