"""The stacks of all threads of a worker process just before it is killed, and that of a thread that is left behind.

`faulthandler` writes them from a signal handler in C: a worker says where it is also when C code keeps the
interpreter's lock. No frame's variables are in them.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import sys
import time
import traceback
from types import FrameType
from typing import List, Optional, Tuple

# Not one of those that users' programs like to handle: realtime signals come in dozens where there are any.
SIGNAL: int = signal.SIGRTMIN + 7 if hasattr(signal, "SIGRTMIN") else getattr(signal, "SIGUSR2", 0)
PATIENCE = 0.05  # seconds until the first byte; a worker that handles no signals is killed without last words
QUIET = 0.005  # seconds without another byte, after which it has said everything
LONGEST = 0.1  # seconds for all of it: a kill keeps its promise
ROOM = 1 << 16  # bytes of it that are kept


def tell(end: int) -> None:
    """In a worker: write the stacks of all threads to `end` when asked to, and when the interpreter crashes."""
    faulthandler.register(SIGNAL, end, all_threads=True)
    faulthandler.enable(end, all_threads=True)


def ask(pid: int, end: int) -> str:
    """What the worker says when asked now, from our end of its pipe; empty where it does not answer in time."""
    said = hear(end)
    with contextlib.suppress(OSError):  # it has just died
        os.kill(pid, SIGNAL)
    deadline = time.monotonic() + LONGEST
    said += _heard_within(end, PATIENCE)
    while said and time.monotonic() < deadline:
        more = _heard_within(end, QUIET)
        if not more:
            break
        said += more
    return _text(said)


def last_words(end: int) -> str:
    """What a worker has written before it crashed; empty where it did not."""
    return _text(hear(end))


def hear(end: int) -> bytes:
    """The bytes that are there; `end` does not block."""
    pieces: List[bytes] = []
    with contextlib.suppress(OSError):  # nothing is there (any more)
        piece = os.read(end, ROOM)
        while piece:
            pieces.append(piece)
            piece = os.read(end, ROOM)
    return b"".join(pieces)


def _heard_within(end: int, seconds: float) -> bytes:
    look = select.poll()
    look.register(end, select.POLLIN)
    return hear(end) if look.poll(seconds * 1000) else b""


def _text(said: bytes) -> str:
    return said[:ROOM].decode("utf-8", "replace").rstrip()


def of_thread(ident: Optional[int]) -> str:
    """The stack of a thread of this process, from the user's code on, the latest call last; empty for none."""
    frame = sys._current_frames().get(ident or 0)
    frames: List[Tuple[FrameType, int]] = list(traceback.walk_stack(frame))[::-1] if frame is not None else []
    while frames and _module(frames[0][0]) in ("flowdsl", "threading"):
        frames.pop(0)
    return "".join(traceback.StackSummary.extract(iter(frames)).format()).rstrip()


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
