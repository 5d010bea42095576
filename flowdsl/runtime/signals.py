"""Signals while runs go on: Ctrl-C, the stop button and SIGTERM end the one that is waited for, SIGTERM all others."""

from __future__ import annotations

import _thread
import os
import signal
import threading
import time
from contextlib import contextmanager
from types import FrameType
from typing import Any, Iterator, List, Optional
from weakref import WeakSet

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
        behind.cancel()

    def _is_late(self) -> bool:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since > PATIENCE


class Behind:
    """The runs that go on while the main thread does something else: SIGTERM cancels them before it ends the process.

    The handler does not wait: what it interrupted may hold what the end of the runs needs. A thread waits, and sends
    the signal again.
    """

    def __init__(self) -> None:
        self._drivers: WeakSet[Driver] = WeakSet()
        self._pid = 0
        self._since: Optional[float] = None  # when it was heard

    def add(self, driver: Driver) -> None:
        """Look after a run that is started and not waited for; a handler that somebody else has installed stays."""
        self._drivers.add(driver)
        self._pid = os.getpid()
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self.hear)

    def hear(self, number: int, frame: Optional[FrameType]) -> None:
        """SIGTERM; once more when the runs have ended, or will not."""
        if os.getpid() != self._pid or not self.cancel():  # a forked process has no run
            end_as_asked()
        elif self._since is None:
            self._since = time.monotonic()
            # Not by `threading`: it takes locks, in which the main thread may have been interrupted.
            _thread.start_new_thread(self._see_out, ())
        elif time.monotonic() - self._since > PATIENCE:
            end_as_asked()

    def cancel(self) -> bool:
        """Ask for the end of all of them; whether there are some."""
        going = [driver for driver in list(self._drivers) if not driver.finished.is_set()]
        for driver in going:
            driver.cancel("cancel_requested")
        return bool(going)

    def wait(self) -> None:
        """Until all have ended, but not for ever."""
        end = time.monotonic() + PATIENCE
        for driver in list(self._drivers):
            driver.finished.wait(max(0.0, end - time.monotonic()))

    def _see_out(self) -> None:
        self.wait()
        while True:  # until the main thread hears it
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(PATIENCE / 10)


behind = Behind()


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
        if slot is None and signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, behind.hear):
            before.append((signal.SIGTERM, signal.signal(signal.SIGTERM, heard.terminate)))
    try:
        yield heard
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if heard.terminated:
            behind.wait()
            end_as_asked()


def end_as_asked() -> None:
    """The default action of SIGTERM: whoever sent it sees that it was obeyed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
