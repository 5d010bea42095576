"""A worker process as we see it: started, given work, heard, and buried."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Deque, Dict, Mapping, Optional, Sequence, Tuple

from flowdsl.executors import pipe, stacks
from flowdsl.executors.jobs import Job
from flowdsl.executors.kill import kill
from flowdsl.executors.printed import Printed
from flowdsl.executors.surroundings import MARK

# Not `-m`: the worker has to find flowdsl the way we found it. Nothing of `__main__` is imported there.
BOOT = "import sys; sys.path[:] = %r; from flowdsl.executors.worker import main; main(%d, %d, %d, %d)"
HOME = str(Path(__file__).parents[2])  # where flowdsl is

IDLE, BUSY, DOOMED = "idle", "busy", "doomed"


class Errand:
    """A job with the worker that has it: its begin is told once, and never after its end."""

    def __init__(self, job: Job, number: int, is_one_of_many: bool, detail: Mapping[str, object]) -> None:
        self.job = job
        self.number = number  # its place in the message that brought it
        self.is_one_of_many = is_one_of_many
        self.is_withdrawn = False  # the worker has been told not to begin it
        self._detail = detail
        self._begun_at: Optional[float] = None
        self._told = False
        self._over = False
        self._guard = threading.Lock()

    def begins(self, at: float) -> None:
        """The worker says that it began at that time of the monotonic clock."""
        self._begun_at = at

    @property
    def has_begun(self) -> bool:
        """Whether the worker has said so."""
        return self._begun_at is not None

    @property
    def is_stopped(self) -> bool:
        """Whether it has begun, and is to end."""
        return self._begun_at is not None and self.job.unwanted

    def ago(self, seconds: float) -> float:
        """How long ago it ended, if it took that long."""
        return 0.0 if self._begun_at is None else max(0.0, time.monotonic() - self._begun_at - seconds)

    def tell_begun(self) -> None:
        """Pass it on, if nobody has yet."""
        with self._guard:
            if self._begun_at is not None and not self._told and not self._over:
                self._told = True
                self.job.begun(self._detail, max(0.0, time.monotonic() - self._begun_at))

    def is_over(self) -> bool:
        """Nothing more will come; whether it had begun."""
        self.tell_begun()
        with self._guard:
            self._over = True
            return self._told


class WorkerProcess:
    """A fresh interpreter in a session of its own, with its pipes; `state` and `errands` are under the fleet's lock.

    Raises OSError where no process can be started.
    """

    def __init__(self, name: str) -> None:
        self.mark = uuid.uuid4().hex
        work, answers, life = pipe.make_pair(), pipe.make_pair(), pipe.make_pair()
        streams = pipe.Pair(*os.pipe())
        crash = pipe.Pair(*os.pipe())  # where it says where it is, at its end
        os.set_blocking(crash.reading, False)
        theirs = (work.reading, answers.writing, life.reading, crash.writing)
        self._ours = (work.writing, answers.reading, life.writing, crash.reading, streams.reading)
        try:
            self.process = _start(theirs, streams.writing, self.mark)
        except BaseException:
            _close(*self._ours)
            raise
        finally:
            _close(*theirs, streams.writing)
        self.pid = self.process.pid
        self.detail = {"worker": name, "pid": self.pid}
        self.writing, self.reading = work.writing, answers.reading
        self._stacks = crash.reading
        self.printed = Printed(streams.reading, self.mark)
        self.inbox = pipe.Inbox(self.reading)
        self.state = IDLE
        self.errands: Deque[Errand] = deque()  # the first is the one that has begun, or will next
        self.is_closed = False
        self._outbox = pipe.Outbox(self.writing)
        self._writes = threading.Lock()
        self._burial = threading.Lock()  # once it is buried, its process id may be somebody else's
        self._told: Optional[bytes] = None  # its surroundings
        self._modules: Dict[str, int] = {}

    def assign(self, jobs: Sequence[Job]) -> None:
        """These are its jobs now."""
        self.state = BUSY
        many = len(jobs) > 1
        self.printed.assign(jobs)
        self.errands.extend(Errand(job, number, many, self.detail) for number, job in enumerate(jobs))

    def give(self, kind: bytes, data: bytes, around: bytes) -> bool:
        """Send it work; whether all of it is sent, else `flush` sends the rest. If it is dead, its pipe will say so."""
        with self._writes:
            if self._told is not around:
                self._outbox.put(pipe.SURROUNDINGS, around)
                self._told = around
            self._outbox.put(kind, data)
        return self.flush()

    def withdraw(self, errand: Errand) -> None:
        """Tell it not to begin that one, with the next `flush`."""
        with self._writes:
            self._outbox.put(pipe.WITHDRAW, b"%d" % errand.number)

    def withdraw_all(self) -> None:
        """Tell it to begin nothing more, if there is room to tell it."""
        with self._writes:
            self._outbox.put(pipe.WITHDRAW, b"")
        self.flush()

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
        begun = bool(self.errands) and self.errands[0].has_begun
        text = stacks.ask(self.pid, self._stacks) if begun and not self._has_died() else stacks.last_words(self._stacks)
        return {"stacks": text} if text else {}

    def bury(self) -> int:
        """Kill it and all that it started, wait for the end; its return code, its own if it had one."""
        with self._burial:
            if self.process.returncode is None:
                kill(self.process, self.mark if self._has_died() else None)
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
