"""The main loop of a worker process: take a payload, say that it begins, perform it, answer; nothing is ever raised."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import site
import sys
import sysconfig
import time
from io import TextIOWrapper
from pathlib import Path
from typing import Dict, Set, Tuple

from flowdsl.executors import lifeline, payload, pipe, stacks, surroundings

PR_SET_CHILD_SUBREAPER = 36


def main(inlet: int, outlet: int, life: int, crash: int) -> None:
    """Work until the pipe is closed. The four file descriptors are this process's own."""
    _settle(inlet, outlet, life, crash)
    me = os.getpid()
    modules = _Modules()
    message = pipe.receive(inlet)
    while message is not None:
        if message.kind == pipe.SURROUNDINGS:
            surroundings.adopt(message.body)
        else:
            pipe.send(outlet, pipe.BEGUN, pipe.STAMP.pack(time.monotonic()))
            answer = payload.work(message.body)
            if os.getpid() != me:  # the task forked, and its child came back here
                os._exit(0)
            new = modules.new()
            if new:
                pipe.send(outlet, pipe.MODULES, pickle.dumps(new))
            pipe.send(outlet, pipe.LEFT if _has_children() else pipe.DONE, answer)
            del answer
        message = pipe.receive(inlet)


def _settle(inlet: int, outlet: int, life: int, crash: int) -> None:
    lifeline.hold(life)
    stacks.tell(crash)
    # A handler that does nothing, rather than SIG_IGN, which the programs that a task starts would inherit.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    _adopt_orphans()
    for end in (inlet, outlet, life, crash):
        os.set_inheritable(end, False)
    os.register_at_fork(after_in_child=lambda: _close(inlet, outlet))  # else a child would hide our death
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True)


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


def _has_children() -> bool:
    """Whether child processes still run; those that have ended are buried."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


class _Modules:
    """The files of imported modules that a user may change: not those of the library or of installed packages."""

    def __init__(self) -> None:
        known = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        known += [*site.getsitepackages(), site.getusersitepackages(), str(Path(__file__).parents[1])]
        self._installed: Tuple[str, ...] = tuple(path + os.sep for path in known if path)
        self._seen: Set[str] = set(sys.modules)

    def new(self) -> Dict[str, int]:
        """Those imported since the last call, with the time of their last change in ns."""
        if len(sys.modules) == len(self._seen):
            return {}
        fresh = set(sys.modules) - self._seen
        self._seen = set(sys.modules)
        found: Dict[str, int] = {}
        for name in fresh:
            file = getattr(sys.modules.get(name), "__file__", None)
            if isinstance(file, str) and not file.startswith(self._installed):
                with contextlib.suppress(OSError):
                    found[str(Path(file).absolute())] = Path(file).stat().st_mtime_ns
        return found
