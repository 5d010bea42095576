"""Signals while a run goes on in the main thread: Ctrl-C, the stop button and SIGTERM end it, and wait for its end."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from types import FrameType
from typing import Any, Iterator, List, Optional

from flowdsl.runtime.crew import Slot
from flowdsl.runtime.driver import Driver

PATIENCE = 2.0  # seconds for the end of the run; a signal that comes later does what it always does


class Heard:
    """What has been heard while `listening`, and when the first of it was."""

    def __init__(self, driver: Driver, slot: Optional[Slot]) -> None:
        self.interrupted = False
        self.terminated = False
        self._driver = driver
        self._slot = slot
        self._since: Optional[float] = None

    def interrupt(self, number: int, frame: Optional[FrameType]) -> None:
        """Ctrl-C: raised at once only in a task's own code, or when the run does not come to its end."""
        late = self._is_late()
        self.interrupted = True
        self._driver.cancel("keyboard_interrupt")
        if late or (self._slot is not None and self._slot.in_user_code):
            raise KeyboardInterrupt

    def terminate(self, number: int, frame: Optional[FrameType]) -> None:
        """SIGTERM: it is passed on when the run has ended."""
        if self._is_late():
            end_as_asked()
        self.terminated = True
        self._driver.cancel("cancel_requested")

    def _is_late(self) -> bool:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since > PATIENCE


@contextmanager
def listening(driver: Driver, slot: Optional[Slot] = None) -> Iterator[Heard]:
    """Hear signals for as long as the block takes; `slot` is that of a run whose tasks are called in this thread.

    Only the main thread hears of signals, and a handler that somebody else has installed is left alone: Ctrl-C is then
    whatever that one makes of it. After SIGTERM the process ends as it was asked to, at the end of the block.
    """
    heard = Heard(driver, slot)
    before: List[Any] = []
    if threading.current_thread() is threading.main_thread():
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            before.append((signal.SIGINT, signal.signal(signal.SIGINT, heard.interrupt)))
        if slot is None and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            before.append((signal.SIGTERM, signal.signal(signal.SIGTERM, heard.terminate)))
    try:
        yield heard
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if heard.terminated:
            end_as_asked()


def end_as_asked() -> None:
    """The default action of SIGTERM: whoever sent it sees that it was obeyed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
