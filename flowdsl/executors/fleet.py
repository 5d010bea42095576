"""All worker processes of a pool: starts them, gives each its job, hears them, kills them.

One thread hears them all. What kills runs in threads of its own, because it waits.
"""

from __future__ import annotations

import contextlib
import pickle
import select
import threading
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set

from flowdsl.definition.options import Retry
from flowdsl.errors import WorkerDied
from flowdsl.executors import payload, pipe
from flowdsl.executors.child import BUSY, DOOMED, IDLE, Errand, WorkerProcess
from flowdsl.executors.jobs import Job, Work
from flowdsl.executors.kill import named
from flowdsl.executors.loop import Loop
from flowdsl.executors.outcome import Outcome, failure

CANCELLED = Outcome("cancelled", "cancel_requested")
MANY = 4  # jobs behind the one that has begun: then what the worker says is looked at once in a millisecond


class Fleet:
    """As many workers as there are jobs; of those that are idle at most `keep` are kept for what comes next.

    Jobs are told how they go from the fleet's own threads, never from within `start` or `stop`, and with no lock held.
    """

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._lock = threading.Lock()
        self._loop = Loop("flowdsl-processes")
        self._workers: Set[WorkerProcess] = set()
        self._idle: List[WorkerProcess] = []  # the last is the next to be taken
        self._jobs: Dict[Job, WorkerProcess] = {}
        self._made = 0
        self._spare: Optional[threading.Thread] = None  # starts a worker in advance
        self._closed = False

    def start(self, work: Work, around: bytes) -> None:
        """Give the jobs to a worker with these surroundings, a new one where nobody is idle; never raises."""
        worker = self._take(work.jobs, around)
        if worker is None:
            self._loop.call(partial(_give_back_all, work.jobs))
            return
        sent = worker.give(work.kind, work.data, around)
        if len(work.jobs) > 1:
            sent = self._withdraw_unwanted(worker) and sent
        if not sent:
            self._loop.call(partial(self._send_rest, worker))

    def stop(self, job: Job) -> None:
        """Kill the worker that is at the job, unless the job has ended; one that has not begun it does not begin it."""
        with self._lock:
            job.unwanted = True
            worker = self._jobs.get(job)
            if worker is None or worker.state == DOOMED:
                return
            if len(worker.errands) == 1:
                worker.state = DOOMED
        if worker.state == DOOMED:
            _in_a_thread(self._kill, worker)
        else:
            self._loop.call(partial(self._stop_one, worker, job))

    def call(self, function: Callable[[], Any]) -> None:
        """Call this from the thread that hears the workers, soon."""
        self._loop.call(function)

    def let_go(self) -> None:
        """End idle workers that are too many."""
        with self._lock:
            many = max(0, len(self._idle) - self.keep)
            leaving, self._idle = self._idle[:many], self._idle[many:]
            for worker in leaving:
                worker.state = DOOMED
        for worker in leaving:
            _in_a_thread(self._kill, worker)

    @property
    def is_busy(self) -> bool:
        return bool(self._jobs)

    def close(self) -> None:
        """Kill every worker, whatever it does, and return when all are gone; nothing is heard of them any more."""
        with self._lock:
            self._closed = True
            workers = list(self._workers)
            self._workers.clear()
            self._idle.clear()
            self._jobs.clear()
            for worker in workers:
                worker.state = DOOMED
            spare = self._spare
        for thread in [_in_a_thread(worker.bury) for worker in workers] + ([spare] if spare else []):
            thread.join()
        for worker in workers:
            self._loop.call(partial(self._clear, worker))
        self._loop.end()

    def forget(self) -> None:
        """In a process that was forked from ours: these workers are not its own, and it must not keep their pipes."""
        self._closed = True
        for worker in list(self._workers):
            worker.process.returncode = 0  # nobody here has to wait for it
            worker.abandon()
        self._loop.close()

    # ---- workers come

    def _take(self, jobs: Sequence[Job], around: bytes) -> Optional[WorkerProcess]:
        while True:
            with self._lock:
                if self._closed or _all_unwanted(jobs):
                    return None
                worker = self._idle.pop() if self._idle else None
                if worker is not None:
                    if not worker.is_stale(around):
                        self._assign(worker, jobs)
                        return worker
                    worker.state = DOOMED
            if worker is None:
                return self._add(jobs)
            _in_a_thread(self._kill, worker)

    def _add(self, jobs: Sequence[Job] = ()) -> Optional[WorkerProcess]:
        """A new worker with its first jobs; None where none can be started."""
        with self._lock:
            self._made += 1
            name = "process-%d" % self._made
        try:
            worker = WorkerProcess(name)
        except OSError:
            return None
        with self._lock:
            too_late = self._closed or _all_unwanted(jobs)
            if too_late:
                worker.state = DOOMED
            elif jobs:
                self._assign(worker, jobs)
            else:
                self._idle.insert(0, worker)  # a spare goes last: it has imported nothing yet
            self._workers.add(worker)
        if too_late:
            self._kill(worker)
            return None
        self._loop.call(partial(self._listen, worker))
        return worker

    def _assign(self, worker: WorkerProcess, jobs: Sequence[Job]) -> None:
        worker.assign(jobs)
        for job in jobs:
            self._jobs[job] = worker

    def _prepare(self) -> None:
        """Have a warm spare, while there is work: its start is what costs time."""
        with self._lock:
            preparing = self._spare is not None and self._spare.is_alive()
            if self._idle or preparing or self._closed or len(self._workers) > self.keep:
                return
            self._spare = _in_a_thread(self._add)

    # ---- in the thread that hears them

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
            if len(worker.errands) > 1:
                self._loop.rest(worker.printed.end)

    def _send_rest(self, worker: WorkerProcess) -> None:
        if not worker.is_closed:
            self._loop.forget(worker.writing)
            self._loop.watch(worker.writing, partial(self._send_more, worker), writable=True)

    def _send_more(self, worker: WorkerProcess) -> None:
        if worker.flush():
            self._loop.forget(worker.writing)

    def _hear(self, worker: WorkerProcess) -> None:
        if len(worker.errands) > 1:
            if worker.state == DOOMED:  # what it has said is looked at when it is dead
                self._loop.forget(worker.reading)
                return
            with worker.errands[0].job.together():
                self._listen_once(worker)
            self._stop_unwanted(worker)
            if len(worker.errands) > MANY and worker.state == BUSY and worker.inbox.is_between:
                self._loop.rest(worker.reading)
        else:
            self._listen_once(worker)

    def _listen_once(self, worker: WorkerProcess) -> None:
        try:
            for message in worker.inbox.read():
                self._heed(worker, message)
        except (EOFError, OSError, pipe.Garbled):
            self._loop.forget(worker.reading)
            with self._lock:
                if worker.state == DOOMED:
                    return
                if worker.state == IDLE:
                    self._idle.remove(worker)
                worker.state = DOOMED
            _in_a_thread(self._kill, worker)
            self._prepare()

    def _heed(self, worker: WorkerProcess, message: pipe.Message) -> None:
        if message.kind == pipe.BEGUN:
            if worker.errands:
                errand = worker.errands[0]
                errand.begins(pipe.STAMP.unpack(message.body)[0])
                self._loop.later(partial(self._tell_begun, errand))  # short work is told of in one go
        elif message.kind == pipe.NOTE:
            if worker.errands:
                worker.errands[0].tell_begun()
                worker.errands[0].job.noted(*pickle.loads(message.body))
        elif message.kind == pipe.RECORD:
            if worker.errands:
                worker.errands[0].job.logged(pickle.loads(message.body))
        elif message.kind == pipe.MODULES:
            worker.note_modules(message.body)
        else:
            self._finish(worker, message)

    def _stop_one(self, worker: WorkerProcess, job: Job) -> None:
        """End one job of several: what the worker is at is known only when all is heard that it has said."""
        if self._jobs.get(job) is worker:
            self._hear(worker)
            if not self._withdraw_unwanted(worker):
                self._send_rest(worker)

    def _stop_unwanted(self, worker: WorkerProcess) -> None:
        with self._lock:
            if worker.state == DOOMED or not (worker.errands and worker.errands[0].is_stopped):
                return
            worker.state = DOOMED
        worker.withdraw_all()  # if it ends just now, the next one is not to suffer
        _in_a_thread(self._kill, worker)

    def _withdraw_unwanted(self, worker: WorkerProcess) -> bool:
        """Tell it which of its jobs not to begin; as `WorkerProcess.give`."""
        with self._lock:
            unwanted = [errand for errand in worker.errands if errand.job.unwanted and not errand.is_withdrawn]
            for errand in unwanted:
                errand.is_withdrawn = True
        for errand in unwanted:
            worker.withdraw(errand)
        return worker.flush()

    def _tell_begun(self, errand: Errand) -> None:
        errand.tell_begun()
        if errand.job in self._jobs:
            self._prepare()

    def _finish(self, worker: WorkerProcess, message: pipe.Message) -> None:
        """The outcome is here, as a whole: from now on the job is not to be stopped any more."""
        worker.printed.take_last()
        with self._lock:
            if worker.state == DOOMED or not worker.errands:
                return
            errand = worker.errands.popleft()
            self._jobs.pop(errand.job, None)
            if message.kind == pipe.LEFT:
                worker.state = DOOMED
            elif not worker.errands:
                worker.printed.assign(())  # what its threads print from here on is nobody's
                worker.state = IDLE
                self._idle.append(worker)
        if message.kind == pipe.LEFT:
            _in_a_thread(self._kill_and_tell, worker, errand, message)
        else:
            _tell_end(worker, errand, message)
            if len(self._idle) > self.keep:
                self.let_go()

    def _clear(self, worker: WorkerProcess) -> None:
        for end in (worker.reading, worker.writing, worker.printed.end):
            self._loop.forget(end)
        worker.close()

    # ---- workers go, each in a thread of its own

    def _kill(self, worker: WorkerProcess) -> None:
        """End a doomed worker; what it had in hand ends with it, what it had not begun goes back."""
        last_words = worker.stacks()
        code = worker.bury()
        if worker.errands:
            self._loop.call(partial(self._settle, worker, code, last_words))
        else:
            self._loop.call(partial(self._clear, worker))
            with self._lock:
                self._workers.discard(worker)

    def _kill_and_tell(self, worker: WorkerProcess, errand: Errand, message: pipe.Message) -> None:
        """The work is done and has left child processes behind: they end with it, and their parent with them."""
        worker.bury()
        self._loop.call(worker.printed.take_last)
        self._loop.call(partial(_tell_end, worker, errand, message))
        self._kill(worker)

    def _settle(self, worker: WorkerProcess, code: int, last_words: Mapping[str, str]) -> None:
        """In the thread that hears them: tell how it went with all that a dead worker had."""
        with worker.errands[0].job.together():
            if len(worker.errands) > 1:
                self._hear_the_last(worker)
            worker.printed.take_last()
            self._clear(worker)
            with self._lock:
                self._workers.discard(worker)
                errands = list(worker.errands)
                worker.errands.clear()
                for errand in errands:
                    self._jobs.pop(errand.job, None)
            if errands and not self._closed:
                _tell_death(worker, code, last_words, errands)

    def _hear_the_last(self, worker: WorkerProcess) -> None:
        """What it said before it died: of some jobs the end, and of one more that it had begun."""
        look = select.poll()
        look.register(worker.reading, select.POLLIN)
        with contextlib.suppress(EOFError, OSError, pipe.Garbled):
            while look.poll(0):
                for message in worker.inbox.read():
                    if message.kind == pipe.BEGUN:
                        worker.errands[0].begins(pipe.STAMP.unpack(message.body)[0])
                    elif message.kind in (pipe.DONE, pipe.LEFT, pipe.WITHDRAWN):
                        _tell_end(worker, self._pop(worker), message)

    def _pop(self, worker: WorkerProcess) -> Errand:
        """The job that has ended: from now on it is not to be stopped any more."""
        worker.printed.take_last()
        with self._lock:
            errand = worker.errands.popleft()
            self._jobs.pop(errand.job, None)
            return errand


def _tell_death(worker: WorkerProcess, code: int, last_words: Mapping[str, str], errands: List[Errand]) -> None:
    """The first is charged if it had begun; the others had not."""
    first = errands[0]
    if first.is_over():
        outcome, how = (CANCELLED, "killed") if first.job.unwanted else (_died(worker.pid, code), "")
        first.job.ended(outcome, how, {**worker.detail, **last_words})
    else:
        # Between two members it died of something that an earlier one did, or was ended for one.
        _give_back(first.job, first.job.returned if first.number else first.job.lost)
    for errand in errands[1:]:
        _give_back(errand.job, errand.job.returned)


def _tell_end(worker: WorkerProcess, errand: Errand, message: pipe.Message) -> None:
    if message.kind == pipe.WITHDRAWN:
        _give_back(errand.job, errand.job.returned)
        return
    try:
        outcome, _, seconds = payload.unpack(message.body, errand.job.book)
    except BaseException as exc:
        outcome, seconds = payload.died(exc), 0.0
    if errand.is_one_of_many:  # they are told of together as it is
        errand.is_over()
        errand.job.ended(outcome, "", None, errand.ago(seconds))
    else:
        with errand.job.together():
            errand.is_over()
            errand.job.ended(outcome, "", None)


def _give_back_all(jobs: Sequence[Job]) -> None:
    """Jobs that no worker could be had for."""
    for place, job in enumerate(jobs):
        _give_back(job, job.returned if place else job.lost)


def _give_back(job: Job, how: Callable[[], None]) -> None:
    if job.unwanted:
        job.ended(CANCELLED, "withdrawn", None)
    else:
        how()


def _all_unwanted(jobs: Sequence[Job]) -> bool:
    return bool(jobs) and all(job.unwanted for job in jobs)


def _died(pid: int, code: int) -> Outcome:
    """The outcome of an attempt whose worker is gone; it may be retried."""
    text = "worker process %d died: %s" % (pid, named(code))
    return failure(WorkerDied(text), "worker_died", Retry(0))._replace(retryable=True)


def _in_a_thread(function: Callable[..., Any], *args: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, name="flowdsl-%s" % function.__name__.strip("_"), daemon=True)
    thread.start()
    return thread
