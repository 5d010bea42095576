"""Where workers are heard: one thread takes what they say, and tells jobs how they go."""

from __future__ import annotations

import contextlib
import pickle
import select
import time
from functools import partial
from typing import Any, Callable, Optional

from flowdsl.executors import payload, pipe, plain
from flowdsl.executors.burial import Burial, in_a_thread
from flowdsl.executors.child import BUSY, DOOMED, WorkerProcess
from flowdsl.executors.jobs import Job
from flowdsl.executors.load import Load, Turn, give_back
from flowdsl.executors.loop import Loop
from flowdsl.executors.roster import Roster

MANY = 4  # jobs behind the one that has begun: then what the worker says is looked at once in a millisecond
LONG = 0.1  # seconds; a whole batch is to take 0.3: when one job takes that long, those behind it go elsewhere


class Reception:
    """Hears the workers, in the thread of `loop`; `prepare` is called when work goes on."""

    def __init__(self, roster: Roster, loop: Loop, prepare: Callable[[], Any]) -> None:
        self.burial = Burial(roster, loop, self._hear_out)
        self._roster = roster
        self._loop = loop
        self._prepare = prepare

    # ---- for any thread

    def welcome(self, worker: WorkerProcess) -> None:
        """Hear this worker from now on."""
        self._loop.call(partial(self._listen, worker))

    def send_rest(self, worker: WorkerProcess) -> None:
        """Send what there was no room for, as soon as there is."""
        self._loop.call(partial(self._send_rest, worker))

    def watch(self, worker: WorkerProcess, load: Load) -> None:
        """Look after a batch: jobs behind one that takes long, and such as were told to end already, go back."""
        self._loop.call(partial(self._watch, worker, load))

    def stop(self, worker: WorkerProcess, job: Job) -> None:
        """End one job of a batch: what the worker is at is known only when all is heard that it has said."""
        self._loop.call(partial(self._stop, worker, job))

    # ---- what workers say

    def _listen(self, worker: WorkerProcess) -> None:
        if not worker.is_closed:
            self._loop.watch(worker.reading, partial(self._hear, worker))
            self._loop.watch(worker.printed.end, partial(self._read_printed, worker))

    def _read_printed(self, worker: WorkerProcess) -> None:
        try:
            worker.printed.take()
        except (EOFError, OSError):
            self._loop.forget(worker.printed.end)
        else:
            if worker.load is not None and worker.load.left > MANY:
                self._loop.rest(worker.printed.end)

    def _send_rest(self, worker: WorkerProcess) -> None:
        if not worker.is_closed:
            self._loop.forget(worker.writing)
            self._loop.watch(worker.writing, partial(self._send_more, worker), writable=True)

    def _send_more(self, worker: WorkerProcess) -> None:
        if worker.flush():
            self._loop.forget(worker.writing)

    def _hear(self, worker: WorkerProcess) -> None:
        load = worker.load
        if load is None or not load.is_batch:
            self._take_messages(worker)
        elif worker.state == DOOMED:  # what it has said is looked at when it is dead
            self._loop.forget(worker.reading)
        else:
            with load.jobs[-1].together():
                self._take_messages(worker)
                if load.left:
                    load.tell_begun()
            self._after(worker, load)

    def _after(self, worker: WorkerProcess, load: Load) -> None:
        """Of a batch something has been heard."""
        if worker.state != BUSY or worker.load is not load or not load.left:
            return
        if load.job.unwanted:
            self._stop(worker, load.job)
        elif load.left > MANY and worker.inbox.is_between:
            self._loop.rest(worker.reading)

    def _take_messages(self, worker: WorkerProcess) -> None:
        try:
            for message in worker.inbox.read():
                self._heed(worker, message)
        except (EOFError, OSError, pipe.Garbled):
            self._loop.forget(worker.reading)
            if self._roster.doom(worker):
                self.burial.begin(worker)
                self._prepare()

    def _heed(self, worker: WorkerProcess, message: pipe.Message) -> None:
        kind, body = message
        load = worker.load
        if kind == pipe.MODULES:
            worker.note_modules(body)
        elif load is None or not load.left:  # what threads of a job that is over have to say
            return
        elif kind == pipe.PLAIN or kind == pipe.DONE or kind == pipe.LEFT:
            self._finish(worker, load, message)
        elif kind == pipe.BEGUN:
            load.begun_at = pipe.STAMP.unpack(body)[0]
            if not load.is_batch:
                self._loop.later(partial(self._tell_begun, load))  # short work is told of in one go
        elif kind == pipe.NOTE:
            load.tell_begun()
            load.job.noted(*pickle.loads(body))
        elif kind == pipe.RECORD:
            load.job.logged(pickle.loads(body))

    def _tell_begun(self, load: Load) -> None:
        if load.left:
            load.tell_begun()
            self._prepare()

    def _finish(self, worker: WorkerProcess, load: Load, message: pipe.Message) -> None:
        """The outcome is here, as a whole: from now on the job is not to be stopped any more."""
        if not load.is_batch or load.left == 1:
            worker.printed.take_last()
        leaves = message.kind == pipe.LEFT
        if leaves or load.left == 1:
            with self._roster.lock:
                if worker.state == DOOMED:
                    return
                turn = load.step()
                if leaves:
                    worker.state = DOOMED
                else:
                    self._roster.rest(worker)
        else:
            turn = load.step()
        if leaves:
            give_back(load.take_back(worker.take_tickets()))
            self.burial.begin(worker, partial(self._tell_last, worker, turn, message))
            return
        _tell_end(turn, message, load)
        if len(self._roster.idle) > self._roster.keep + 1:
            for leaving in self._roster.dismiss():
                self.burial.begin(leaving)

    def _tell_last(self, worker: WorkerProcess, turn: Turn, message: pipe.Message) -> None:
        """A job has left child processes behind, which are gone now, and so is the worker."""
        worker.printed.take_last()
        _tell_end(turn, message)

    def _hear_out(self, worker: WorkerProcess) -> None:
        """What a worker said before it died: of some jobs the end, and of one more that it had begun."""
        load = worker.load
        look = select.poll()
        look.register(worker.reading, select.POLLIN)
        with contextlib.suppress(EOFError, OSError, pipe.Garbled):
            while load is not None and look.poll(0):
                for message in worker.inbox.read():
                    if message.kind == pipe.BEGUN:
                        load.begun_at = pipe.STAMP.unpack(message.body)[0]
                    elif load.left and message.kind in (pipe.PLAIN, pipe.DONE, pipe.LEFT):
                        worker.printed.take_last()
                        _tell_end(load.step(), message, load)

    # ---- batches

    def _watch(self, worker: WorkerProcess, load: Load) -> None:
        if worker.load is not load or worker.state == DOOMED:
            return
        for job in [job for job in load.jobs if job.unwanted]:
            self._stop(worker, job)
        if load.left > 1:
            since = load.begun_at
            if since is not None and time.monotonic() - since >= LONG:
                self._recall(worker, load)
            else:
                self._loop.at((since or time.monotonic()) + LONG, partial(self._watch, worker, load))

    def _recall(self, worker: WorkerProcess, load: Load) -> None:
        """Take back what the worker has not begun; it will not begin it."""
        back = load.take_back(worker.take_tickets())
        if back:
            with back[0].together():
                give_back(back)

    def _stop(self, worker: WorkerProcess, job: Job) -> None:
        """The jobs behind the one that has begun are taken back, this one among them, or its worker is killed."""
        load = job.load
        if load is None or worker.load is not load:
            return
        self._recall(worker, load)
        if load.left and load.job is job and self._roster.doom(worker):
            self.burial.begin(worker)
        # else it is about to begin: then it is looked at again


def _tell_end(turn: Turn, message: pipe.Message, load: Optional[Load] = None) -> None:
    """Tell a job that it is over; `load` goes on with the next one if the worker said so."""
    kind, body = message
    if kind == pipe.PLAIN:
        _tell_plain(turn, body, load)
    elif payload.takes_long(body):  # to be opened: meanwhile others are heard
        in_a_thread(_tell_answer, turn, body)
    else:
        _tell_answer(turn, body)


def _tell_plain(turn: Turn, body: pipe.Body, load: Optional[Load]) -> None:
    try:
        outcome, ended_at, goes_on = plain.unpack(body)
        if goes_on and load is not None:
            load.begun_at = ended_at
    except BaseException as exc:
        outcome, ended_at = payload.died(exc), time.monotonic()
    turn.tell_end(outcome, ended_at)


def _tell_answer(turn: Turn, body: pipe.Body) -> None:
    try:
        outcome, _, seconds = payload.unpack(body, turn.job.book)
        ended_at = time.monotonic() if turn.begun_at is None else turn.begun_at + seconds
    except BaseException as exc:
        outcome, ended_at = payload.died(exc), time.monotonic()
    turn.tell_end(outcome, ended_at)
