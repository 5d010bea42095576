"""The main loop of a worker process: it takes what it is sent, one thing after the other; nothing is ever raised."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from flowdsl.executors import capture, lifeline, payload, pipe, stacks, surroundings
from flowdsl.executors.desk import Desk
from flowdsl.executors.streams import Streams

PR_SET_CHILD_SUBREAPER = 36


def main(inlet: int, outlet: int, tickets: int, life: int, crash: int) -> None:
    """Work until the pipe is closed. The five file descriptors are this process's own."""
    _settle(inlet, outlet, tickets, life, crash)
    desk = Desk(inlet, outlet, tickets, Streams(), os.environ[surroundings.MARK])
    payload.scribe = desk
    capture.pass_on(desk.logged)
    heed = {pipe.SURROUNDINGS: surroundings.adopt, pipe.WORK: desk.do, pipe.BATCH: desk.do_all}
    message = desk.next()
    while message is not None:
        heed[message.kind](message.body)
        message = desk.next()


def _settle(inlet: int, outlet: int, tickets: int, life: int, crash: int) -> None:
    lifeline.hold(life)
    stacks.tell(crash)
    # A handler that does nothing, rather than SIG_IGN, which the programs that a task starts would inherit.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    _adopt_orphans()
    for end in (inlet, outlet, tickets, life, crash):
        os.set_inheritable(end, False)
    os.register_at_fork(after_in_child=lambda: _close(inlet, outlet, tickets))  # else a child would hide our death


def _close(*ends: int) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


def _adopt_orphans() -> None:
    """On Linux: whose parent dies becomes our child, so that whoever walks the tree below us finds it."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
