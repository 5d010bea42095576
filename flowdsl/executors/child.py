"""A worker process as we see it: started, given work, heard, and buried."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from flowdsl.executors import pipe, stacks
from flowdsl.executors.jobs import Job, Work
from flowdsl.executors.kill import kill
from flowdsl.executors.load import Load
from flowdsl.executors.printed import Printed
from flowdsl.executors.surroundings import MARK

# Not `-m`: the worker has to find flowdsl the way we found it. Nothing of `__main__` is imported there.
BOOT = "import sys; sys.path[:] = %r; from flowdsl.executors.worker import main; main(%d, %d, %d, %d, %d)"
HOME = str(Path(__file__).parents[2])  # where flowdsl is

IDLE, BUSY, DOOMED = "idle", "busy", "doomed"


class WorkerProcess:
    """A fresh interpreter in a session of its own, with its pipes; `state` and `load` are under the fleet's lock.

    Raises OSError where no process can be started.
    """

    def __init__(self, name: str) -> None:
        self.mark = uuid.uuid4().hex
        work, answers, life = pipe.make_pair(), pipe.make_pair(), pipe.make_pair()
        tickets = pipe.Pair(*os.pipe())  # for the members of a batch: whoever takes one may begin it
        streams = pipe.Pair(*os.pipe())
        crash = pipe.Pair(*os.pipe())  # where it says where it is, at its end
        for end in (crash.reading, *tickets):
            os.set_blocking(end, False)
        theirs = (work.reading, answers.writing, tickets.reading, life.reading, crash.writing)
        self._ours = (work.writing, answers.reading, *tickets, life.writing, crash.reading, streams.reading)
        try:
            self.process = _start(theirs, streams.writing, self.mark)
        except BaseException:
            _close(*self._ours)
            raise
        finally:
            _close(*(end for end in theirs if end not in tickets), streams.writing)
        self.pid = self.process.pid
        self.detail = {"worker": name, "pid": self.pid}
        self.writing, self.reading = work.writing, answers.reading
        self._stacks = crash.reading
        self._tickets = tickets
        self.printed = Printed(streams.reading, self.mark)
        self.inbox = pipe.Inbox(self.reading)
        self.state = IDLE
        self.load: Optional[Load] = None  # what it is at
        self.is_closed = False
        self._outbox = pipe.Outbox(self.writing)
        self._writes = threading.Lock()
        self._burial = threading.Lock()  # once it is buried, its process id may be somebody else's
        self._told: Optional[bytes] = None  # its surroundings
        self._modules: Dict[str, int] = {}

    def assign(self, jobs: Sequence[Job]) -> None:
        """These are its jobs now."""
        self.state = BUSY
        self.printed.assign(jobs)
        self.load = Load(self, jobs)

    def give(self, work: Work, around: bytes) -> bool:
        """Send it work; whether all of it is sent, else `flush` sends the rest. If it is dead, its pipe will say so."""
        with self._writes:
            if len(work.jobs) > 1 and not self.is_closed:
                os.write(self._tickets.writing, bytes(len(work.jobs) - 1))
            if self._told is not around:
                self._outbox.put(pipe.SURROUNDINGS, around)
                self._told = around
            self._outbox.put(work.kind, work.data)
        return self.flush()

    def take_tickets(self) -> int:
        """Take what has not begun of its batch back: how many jobs, the last ones, it will not begin any more."""
        try:
            return 0 if self.is_closed else len(os.read(self._tickets.reading, pipe.SMALL))
        except BlockingIOError:
            return 0

    def flush(self) -> bool:
        """Send what there is room for; whether nothing is left to send."""
        with self._writes:
            try:
                return self.is_closed or self._outbox.flush()
            except OSError:
                return True

    def note_modules(self, message: pipe.Body) -> None:
        """Remember which files of the user it has imported."""
        self._modules.update(pickle.loads(message))

    def is_stale(self, around: bytes) -> bool:
        """Whether it would run old code, because a file that it imported has changed; looked at once in a run."""
        if self._told is None or self._told is around:
            return False
        return any(_changed(file, at) for file, at in self._modules.items())

    def stacks(self) -> Dict[str, str]:
        """Where all of its threads are now, or were when it crashed, as an entry for the log; empty if it cannot say.

        To be asked before it is buried.
        """
        begun = self.load is not None and self.load.begun_at is not None
        text = stacks.ask(self.pid, self._stacks) if begun and not self._has_died() else stacks.last_words(self._stacks)
        return {"stacks": text} if text else {}

    def bury(self) -> int:
        """Kill it and all that it started, wait for the end; its return code, its own if it had one."""
        with self._burial:
            if self.process.returncode is None:
                kill(self.process, self.mark, self._is_dying)
            return self.process.returncode

    def close(self) -> None:
        """Give our ends of its pipes back."""
        with self._writes:
            if not self.is_closed:
                self.is_closed = True
                _close(*self._ours)

    def abandon(self) -> None:
        """Close the pipes in a forked process, where nobody else runs and a lock may be held for ever."""
        if not self.is_closed:
            _close(*self._ours)

    def _is_dying(self) -> bool:
        """Whether it has come to its end by itself: before its children become somebody else's, its pipes close."""
        return self.is_closed or pipe.is_cut(self.reading) or self._has_died()

    def _has_died(self) -> bool:
        if not hasattr(os, "waitid"):
            return True
        ended = os.WEXITED | os.WNOHANG | os.WNOWAIT  # it stays unburied, so that its process id stays its own
        return os.waitid(os.P_PID, self.pid, ended) is not None


def _start(theirs: Tuple[int, ...], streams: int, mark: str) -> subprocess.Popen[bytes]:
    path = list(map(str, sys.path))
    if HOME not in path:
        path.append(HOME)
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return subprocess.Popen(
        [sys.executable, *flags, "-c", BOOT % (path, *theirs)],
        stdin=subprocess.DEVNULL,
        stdout=streams,
        stderr=streams,
        pass_fds=theirs,
        env={**os.environ, MARK: mark},
        start_new_session=True,
    )


def _changed(file: str, at: int) -> bool:
    try:
        return Path(file).stat().st_mtime_ns != at
    except OSError:
        return True


def _close(*ends: int) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)
