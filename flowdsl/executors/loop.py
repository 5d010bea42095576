"""One thread that waits for pipes and calls what belongs to them; it starts with the first call and never raises."""

from __future__ import annotations

import contextlib
import heapq
import os
import selectors
import threading
import time
import traceback
from collections import deque
from itertools import count
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

PATIENCE = 0.001  # seconds that something put off waits while other things go on


class Loop:
    """`call` is for any thread, all else for the loop's own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: Optional[threading.Thread] = None
        self._start = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._selector.register(self._reading, selectors.EVENT_READ, self._drain)
        self._calls: Deque[Callable[[], Any]] = deque()
        self._put_off: List[Callable[[], Any]] = []
        self._since = 0.0
        self._resting: Dict[int, Callable[[], Any]] = {}
        self._rested = 0.0  # when they are listened to again
        self._timed: List[Tuple[float, int, Callable[[], Any]]] = []
        self._numbers = count()  # so that two of the same time need not be compared
        self._ended = False

    def call(self, function: Callable[[], Any]) -> None:
        """Call this in the loop's thread, soon; when the loop has ended, here and now."""
        self._calls.append(function)
        if self._ended:  # looked at after the append, as the loop looks for calls after its end: none is lost
            self._do_calls()
        elif threading.current_thread() is not self._thread:
            self._wake()

    def later(self, function: Callable[[], Any]) -> None:
        """Call this when nothing else is to be done, or after 1 ms; for the loop's own thread."""
        if not self._put_off:
            self._since = time.monotonic()
        self._put_off.append(function)

    def at(self, when: float, function: Callable[[], Any]) -> None:
        """Call this at that time of the monotonic clock; for the loop's own thread."""
        heapq.heappush(self._timed, (when, next(self._numbers), function))

    def watch(self, end: int, readable: Callable[[], Any], writable: bool = False) -> None:
        """Call `readable` whenever something can be read there, or, with `writable`, written."""
        event = selectors.EVENT_WRITE if writable else selectors.EVENT_READ
        self._selector.register(end, event, readable)

    def rest(self, end: int) -> None:
        """Pay no heed to this end, which is watched, for a millisecond: then there is more to be read in one go."""
        readable = self._selector.get_key(end).data
        self.forget(end)
        if not self._resting:
            self._rested = time.monotonic() + PATIENCE
        self._resting[end] = readable

    def forget(self, end: int) -> None:
        """Watch it no longer; it may be unknown."""
        self._resting.pop(end, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(end)

    def end(self) -> None:
        """Everything that has been asked for is done first."""
        self.call(self._end)

    def close(self) -> None:
        """Give the file descriptors back. Twice does no harm: by then their numbers may be somebody else's."""
        self._selector.close()
        ends, self._reading, self._writing = (self._reading, self._writing), -1, -1
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end)

    def _end(self) -> None:
        self._ended = True

    def _wake(self) -> None:
        if self._thread is None:
            with self._start:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    thread.start()
                    self._thread = thread
        with contextlib.suppress(OSError):  # full: it wakes anyway; closed: nobody is there
            os.write(self._writing, b"x")

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reading, 4096)

    def _run(self) -> None:
        while not self._ended:
            ready = self._selector.select(self._timeout())
            for key, _ in ready:
                self._do(key.data)
            self._do_calls()
            if self._timed:
                self._do_timed()
            if self._resting and time.monotonic() >= self._rested:
                self._listen_again()
            if self._put_off and (not ready or time.monotonic() - self._since >= PATIENCE):
                put_off, self._put_off = self._put_off, []
                for function in put_off:
                    self._do(function)
        self._do_calls()
        self.close()

    def _listen_again(self) -> None:
        resting, self._resting = self._resting, {}
        for end, readable in resting.items():
            self.watch(end, readable)

    def _do_calls(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._do(self._calls.popleft())

    def _do_timed(self) -> None:
        now = time.monotonic()
        while self._timed and self._timed[0][0] <= now:
            self._do(heapq.heappop(self._timed)[2])

    def _timeout(self) -> Optional[float]:
        if self._calls:
            return 0.0
        if self._put_off or self._resting:
            return PATIENCE
        return max(0.0, self._timed[0][0] - time.monotonic()) if self._timed else None

    @staticmethod
    def _do(function: Callable[[], Any]) -> None:
        try:
            function()
        except BaseException:  # ours; the others must not suffer
            traceback.print_exc()
