"""All worker processes of a pool: starts them, gives each its work, and ends them."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Callable, Optional, Sequence

from flowdsl.executors.burial import in_a_thread
from flowdsl.executors.child import DOOMED, WorkerProcess
from flowdsl.executors.jobs import Job, Work
from flowdsl.executors.load import give_up
from flowdsl.executors.loop import Loop
from flowdsl.executors.reception import Reception
from flowdsl.executors.roster import Roster, are_unwanted


class Fleet:
    """As many workers as there is work; of those that are idle at most `keep` are kept for what comes next.

    Jobs are told how they go from the fleet's own threads, never from within `start` or `stop`, and with no lock held.
    """

    def __init__(self, keep: int) -> None:
        self._roster = Roster(keep)
        self._loop = Loop("flowdsl-processes")
        self._reception = Reception(self._roster, self._loop, self._prepare)
        self._made = 0
        self._spare: Optional[threading.Thread] = None  # starts a worker in advance

    def start(self, work: Work, around: bytes) -> None:
        """Give the jobs to a worker with these surroundings, a new one where nobody is idle; never raises."""
        worker = self._take(work.jobs, around)
        if worker is None:
            self._loop.call(partial(give_up, work.jobs))
            return
        load = worker.load
        if not worker.give(work, around):
            self._reception.send_rest(worker)
        if load is not None and load.is_batch:
            self._reception.watch(worker, load)

    def stop(self, job: Job) -> None:
        """Kill the worker that is at the job, unless the job has ended; one that has not begun it does not begin it."""
        with self._roster.lock:
            job.unwanted = True
            load = job.load
            if load is None or load.worker.state == DOOMED:
                return
            if not load.is_batch:
                load.worker.state = DOOMED
        if load.is_batch:
            self._reception.stop(load.worker, job)
        else:
            self._reception.burial.begin(load.worker)

    def call(self, function: Callable[[], Any]) -> None:
        """Call this from the thread that hears the workers, soon."""
        self._loop.call(function)

    def keep(self, many: int) -> None:
        """Keep so many idle workers from now on."""
        self._roster.keep = many

    def let_go(self) -> None:
        """End idle workers that are too many."""
        for worker in self._roster.dismiss():
            self._reception.burial.begin(worker)

    @property
    def is_busy(self) -> bool:
        """Whether any worker has something in hand."""
        return self._roster.is_busy

    def close(self) -> None:
        """Kill every worker, whatever it does, and return when all are gone; nothing is heard of them any more."""
        workers = self._roster.close()
        spare = self._spare
        for thread in [in_a_thread(worker.bury) for worker in workers] + ([spare] if spare else []):
            thread.join()
        for worker in workers:
            self._loop.call(partial(self._reception.burial.clear, worker))
        self._loop.end()

    def forget(self) -> None:
        """In a process that was forked from ours: these workers are not its own, and it must not keep their pipes."""
        self._roster.closed = True
        for worker in list(self._roster.workers):
            worker.process.returncode = 0  # nobody here has to wait for it
            worker.abandon()
        self._loop.close()

    # ---- workers come

    def _take(self, jobs: Sequence[Job], around: bytes) -> Optional[WorkerProcess]:
        """A worker that has these jobs now; None where none can be started, or nobody wants them."""
        while True:
            with self._roster.lock:
                if self._roster.closed or are_unwanted(jobs):
                    return None
                worker = self._roster.idle.pop() if self._roster.idle else None
                if worker is not None:
                    if not worker.is_stale(around):
                        worker.assign(jobs)
                        return worker
                    worker.state = DOOMED
            if worker is None:
                return self._add(jobs)
            self._reception.burial.begin(worker)

    def _add(self, jobs: Sequence[Job] = ()) -> Optional[WorkerProcess]:
        """A new worker with its first jobs; None where none can be started."""
        with self._roster.lock:
            self._made += 1
            name = "process-%d" % self._made
        try:
            worker = WorkerProcess(name)
        except OSError:
            return None
        if not self._roster.join(worker, jobs):
            self._reception.burial.bury(worker)
            return None
        self._reception.welcome(worker)
        return worker

    def _prepare(self) -> None:
        """Have a warm spare, while there is work: its start is what costs time."""
        preparing = self._spare is not None and self._spare.is_alive()
        if not preparing and self._roster.is_short():
            self._spare = in_a_thread(self._add)
