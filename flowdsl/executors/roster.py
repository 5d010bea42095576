"""Which worker processes a pool has, and which of them are idle; whoever changes that holds `lock`."""

from __future__ import annotations

import threading
from typing import List, Sequence, Set

from flowdsl.executors.child import DOOMED, IDLE, WorkerProcess
from flowdsl.executors.jobs import Job


class Roster:
    """All workers; of those that are idle the last goes to work next, and at most `keep` and a spare one are kept."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self.lock = threading.Lock()
        self.workers: Set[WorkerProcess] = set()
        self.idle: List[WorkerProcess] = []
        self.closed = False

    @property
    def is_busy(self) -> bool:
        """Whether any worker has something in hand."""
        with self.lock:
            return any(worker.load is not None for worker in self.workers)

    def join(self, worker: WorkerProcess, jobs: Sequence[Job]) -> bool:
        """A worker has been started for these jobs, or to be the spare one; False where it is not wanted any more."""
        with self.lock:
            self.workers.add(worker)
            if self.closed or are_unwanted(jobs):
                worker.state = DOOMED
                return False
            if jobs:
                worker.assign(jobs)
            else:
                self.idle.insert(0, worker)  # a spare goes last: it has imported nothing yet
            return True

    def rest(self, worker: WorkerProcess) -> None:
        """Its work is done; under `lock`."""
        worker.load = None
        worker.state = IDLE
        worker.printed.assign(())  # what its threads print from here on is nobody's
        self.idle.append(worker)

    def doom(self, worker: WorkerProcess) -> bool:
        """It is to end; whether nobody has said so before."""
        with self.lock:
            if worker.state == DOOMED:
                return False
            if worker.state == IDLE:
                self.idle.remove(worker)
            worker.state = DOOMED
            return True

    def dismiss(self) -> List[WorkerProcess]:
        """The idle workers that are too many, which are to end; not the spare one, or each run would start its own."""
        with self.lock:
            many = max(0, len(self.idle) - self.keep - 1)
            leaving, self.idle = self.idle[:many], self.idle[many:]
            for worker in leaving:
                worker.state = DOOMED
            return leaving

    def close(self) -> List[WorkerProcess]:
        """All workers, which are to end; nobody joins any more."""
        with self.lock:
            self.closed = True
            workers = list(self.workers)
            self.workers.clear()
            self.idle.clear()
            for worker in workers:
                worker.state = DOOMED
                worker.load = None
            return workers

    def leave(self, worker: WorkerProcess) -> None:
        """It is gone."""
        with self.lock:
            self.workers.discard(worker)

    def is_short(self) -> bool:
        """Whether a spare worker would be kept."""
        with self.lock:
            return not (self.idle or self.closed or len(self.workers) > self.keep)


def are_unwanted(jobs: Sequence[Job]) -> bool:
    """Whether all of them were told to end."""
    return bool(jobs) and all(job.unwanted for job in jobs)
