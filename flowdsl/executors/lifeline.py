"""The lifeline: a pipe that only we hold open, and whose end is the end of the worker and its process group.

On Linux the system itself sends SIGKILL to the group when the pipe closes, so that neither C code that keeps the
interpreter's lock nor a stuck worker can live on. Elsewhere a thread of the worker waits for it, which code that keeps
the lock can delay. PR_SET_PDEATHSIG would not do: it follows the thread that started the worker, not the process.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import threading


def hold(end: int) -> None:
    """In the worker: die, and the whole process group with it, when the other end of the pipe closes."""
    if sys.platform == "linux":
        fcntl.fcntl(end, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(end, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)
    else:
        threading.Thread(target=_wait, args=(end,), name="flowdsl-lifeline", daemon=True).start()
    if _is_cut(end):  # before we held it
        _die()


def _is_cut(end: int) -> bool:
    look = select.poll()
    look.register(end, select.POLLIN)
    return bool(look.poll(0))


def _wait(end: int) -> None:
    os.read(end, 1)
    _die()


def _die() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)
