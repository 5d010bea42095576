"""All worker processes of a pool: starts them, gives each its job, hears them, kills them.

One thread hears them all. What kills runs in threads of its own, because it waits.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Set

from flowdsl.definition.options import Retry
from flowdsl.errors import WorkerDied
from flowdsl.executors import payload, pipe
from flowdsl.executors.child import BUSY, DOOMED, IDLE, Errand, WorkerProcess
from flowdsl.executors.jobs import Job
from flowdsl.executors.kill import named
from flowdsl.executors.loop import Loop
from flowdsl.executors.outcome import Outcome, failure

CANCELLED = Outcome("cancelled", "cancel_requested")


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

    def start(self, job: Job, around: bytes) -> None:
        """Give the job to a worker with these surroundings, a new one where nobody is idle; never raises."""
        worker = self._take(job, around)
        if worker is None:
            self._loop.call(job.lost)
        elif not worker.give(job.payload, around):
            self._loop.call(partial(self._send_rest, worker))

    def stop(self, job: Job) -> None:
        """Kill the worker that has the job, unless the job has ended; where it has none yet, it gets none."""
        with self._lock:
            worker = self._jobs.get(job)
            if worker is None:
                job.unwanted = True
                return
            if worker.state == DOOMED:
                return
            worker.state = DOOMED
        _in_a_thread(self._kill, worker, CANCELLED)

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

    def _take(self, job: Job, around: bytes) -> Optional[WorkerProcess]:
        while True:
            with self._lock:
                if self._closed or job.unwanted:
                    return None
                worker = self._idle.pop() if self._idle else None
                if worker is not None:
                    if not worker.is_stale(around):
                        self._assign(worker, job)
                        return worker
                    worker.state = DOOMED
            if worker is None:
                return self._add(job)
            _in_a_thread(self._kill, worker)

    def _add(self, job: Optional[Job] = None) -> Optional[WorkerProcess]:
        """A new worker with its first job; None where none can be started."""
        with self._lock:
            self._made += 1
            name = "process-%d" % self._made
        try:
            worker = WorkerProcess(name)
        except OSError:
            return None
        with self._lock:
            too_late = self._closed or (job is not None and job.unwanted)
            if too_late:
                worker.state = DOOMED
            elif job is None:
                self._idle.insert(0, worker)  # a spare goes last: it has imported nothing yet
            else:
                self._assign(worker, job)
            self._workers.add(worker)
        if too_late:
            self._kill(worker)
            return None
        self._loop.call(partial(self._listen, worker))
        return worker

    def _assign(self, worker: WorkerProcess, job: Job) -> None:
        worker.state = BUSY
        worker.errand = Errand(job, worker.detail)
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

    def _send_rest(self, worker: WorkerProcess) -> None:
        if not worker.is_closed:
            self._loop.forget(worker.writing)
            self._loop.watch(worker.writing, partial(self._send_more, worker), writable=True)

    def _send_more(self, worker: WorkerProcess) -> None:
        if worker.flush():
            self._loop.forget(worker.writing)

    def _hear(self, worker: WorkerProcess) -> None:
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
            if worker.errand is not None:
                worker.errand.begins(pipe.STAMP.unpack(message.body)[0])
                self._loop.later(partial(self._tell_begun, worker.errand))  # short work is told of in one go
        elif message.kind == pipe.MODULES:
            worker.note_modules(message.body)
        else:
            self._finish(worker, message)

    def _tell_begun(self, errand: Errand) -> None:
        errand.tell_begun()
        if errand.job in self._jobs:
            self._prepare()

    def _finish(self, worker: WorkerProcess, message: pipe.Message) -> None:
        """The outcome is here, as a whole: from now on the job is not to be stopped any more."""
        with self._lock:
            errand = worker.errand
            if worker.state == DOOMED or errand is None:
                return
            del self._jobs[errand.job]
            worker.errand = None
            if message.kind == pipe.LEFT:
                worker.state = DOOMED
            else:
                worker.state = IDLE
                self._idle.append(worker)
        if message.kind == pipe.LEFT:
            _in_a_thread(self._kill_and_tell, worker, errand, message)
        else:
            _tell_outcome(worker, errand, message)
            if len(self._idle) > self.keep:
                self.let_go()

    def _clear(self, worker: WorkerProcess) -> None:
        for end in (worker.reading, worker.writing):
            self._loop.forget(end)
        worker.close()

    # ---- workers go, each in a thread of its own

    def _kill(self, worker: WorkerProcess, outcome: Optional[Outcome] = None) -> None:
        """End a doomed worker; what it had in hand ends with `outcome`, or else has lost its worker."""
        last_words = worker.stacks()
        code = worker.bury()
        self._loop.call(partial(self._clear, worker))
        with self._lock:
            self._workers.discard(worker)
            errand, worker.errand = worker.errand, None
            if errand is not None:
                self._jobs.pop(errand.job, None)
        if errand is None or self._closed:
            return
        if not errand.is_over():
            errand.job.lost()
        elif outcome is not None:
            errand.job.ended(outcome, "killed", {**worker.detail, **last_words})
        else:
            errand.job.ended(_died(worker.pid, code), "", {**worker.detail, **last_words})

    def _kill_and_tell(self, worker: WorkerProcess, errand: Errand, message: pipe.Message) -> None:
        """The work is done and has left child processes behind: they end with it, and their parent with them."""
        self._kill(worker)
        _tell_outcome(worker, errand, message)


def _tell_outcome(worker: WorkerProcess, errand: Errand, message: pipe.Message) -> None:
    errand.is_over()
    try:
        outcome = payload.unpack(message.body).outcome
    except BaseException as exc:
        outcome = payload.died(exc)
    errand.job.ended(outcome, "", worker.detail)


def _died(pid: int, code: int) -> Outcome:
    """The outcome of an attempt whose worker is gone; it may be retried."""
    text = "worker process %d died: %s" % (pid, named(code))
    return failure(WorkerDied(text), "worker_died", Retry(0))._replace(retryable=True)


def _in_a_thread(function: Callable[..., Any], *args: Any) -> threading.Thread:
    thread = threading.Thread(target=function, args=args, name="flowdsl-%s" % function.__name__.strip("_"), daemon=True)
    thread.start()
    return thread
