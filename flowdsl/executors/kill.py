"""The end of a worker process: nothing that it started lives on.

Stop the group, so that nobody starts anything more; walk the tree for what has left the group; SIGKILL; wait.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Callable, List, Sequence

import psutil

from flowdsl.executors.surroundings import MARK

GONE = (psutil.Error, OSError)
PATIENCE = 1.0  # seconds for what has been sent SIGKILL to end


def kill(process: subprocess.Popen[bytes], mark: str, is_dying: Callable[[], bool]) -> int:
    """Kill a worker with its group and its descendants, and wait; its return code, its own if it had one.

    Where the worker is dying by itself, the tree below it breaks up meanwhile: then look for what carries its `mark`
    too. That is asked when the tree has been walked: what was broken before then shows by then.
    Until the worker is waited for, its process id and that of its group cannot be given to others.
    """
    _signal_group(process.pid, signal.SIGSTOP)
    strays = _stopped_descendants(process.pid)
    if is_dying():
        strays += _marked(mark, process.pid)
    for stray in strays:
        with contextlib.suppress(*GONE):
            stray.kill()
    _signal_group(process.pid, signal.SIGKILL)
    code = process.wait()
    _wait_for_the_end_of(strays)
    return code


def _wait_for_the_end_of(strays: Sequence[psutil.Process]) -> None:
    """They are not our children: one that is dead stays a zombie until whoever has it now asks, which may be never."""
    end = time.monotonic() + PATIENCE
    while any(map(_lives, strays)) and time.monotonic() < end:
        time.sleep(0.002)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except GONE:
        return False


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody is in it any more
        os.killpg(group, number)


def _stopped_descendants(pid: int) -> List[psutil.Process]:
    """All below the worker, each stopped; looked for until there is nothing new."""
    found: List[psutil.Process] = []
    while True:
        fresh = [child for child in _children(pid) if child not in found]
        if not fresh:
            return found
        for child in fresh:
            with contextlib.suppress(*GONE):
                child.suspend()
        found += fresh


def _children(pid: int) -> List[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except GONE:
        return []


def _marked(mark: str, worker: int) -> List[psutil.Process]:
    """All that carry the mark, each stopped; looked for until there is nothing new, as they may start others."""
    found: List[psutil.Process] = []
    while True:
        fresh = [process for process in psutil.process_iter() if process not in found and process.pid != worker]
        fresh = [process for process in fresh if _carries(mark, process)]
        if not fresh:
            return found
        for process in fresh:
            with contextlib.suppress(*GONE):
                process.suspend()
        found += fresh


def _carries(mark: str, process: psutil.Process) -> bool:
    try:
        return bool(process.environ().get(MARK) == mark)
    except GONE:
        return False


def named(code: int) -> str:
    """How a process ended, in words: "SIGSEGV", "exit code 1"."""
    if code >= 0:
        return "exit code %d" % code
    try:
        return signal.Signals(-code).name
    except ValueError:
        return "signal %d" % -code
