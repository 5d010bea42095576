"""What a worker has in hand: the jobs of one message, which begin and end in their order; and what they are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Callable, Iterable, List, Mapping, NamedTuple, Optional, Sequence

from flowdsl.definition.options import Retry
from flowdsl.errors import WorkerDied
from flowdsl.executors.jobs import Job
from flowdsl.executors.kill import named
from flowdsl.executors.outcome import Outcome, failure

if TYPE_CHECKING:
    from flowdsl.executors.child import WorkerProcess

CANCELLED = Outcome("cancelled", "cancel_requested")


class Turn(NamedTuple):
    """A job that has had its turn; `begun_at` is None where nobody heard that it began."""

    job: Job
    begun_at: Optional[float]
    is_told: bool  # that it began
    detail: Mapping[str, object]  # of its worker

    def tell_end(self, outcome: Outcome, ended_at: float) -> None:
        """It is over since then, by the monotonic clock."""
        if self.is_told or self.begun_at is None:
            self.job.ended(outcome, "", None, max(0.0, time.monotonic() - ended_at))
        else:
            self.job.ran(outcome, self.detail, self.begun_at, max(self.begun_at, ended_at))


class Load:
    """Jobs in the hands of one worker; for the thread that hears the workers alone."""

    __slots__ = ("_is_told", "at", "begun_at", "is_batch", "jobs", "worker")

    def __init__(self, worker: WorkerProcess, jobs: Sequence[Job]) -> None:
        self.worker = worker
        self.jobs: List[Job] = list(jobs)
        self.at = 0  # the first that has not ended: it has begun, or will next
        self.begun_at: Optional[float] = None  # that one, by the monotonic clock, as the worker said
        self.is_batch = len(jobs) > 1
        self._is_told = False
        for job in jobs:
            job.load = self

    @property
    def job(self) -> Job:
        """The one whose turn it is."""
        return self.jobs[self.at]

    @property
    def left(self) -> int:
        """How many have not ended."""
        return len(self.jobs) - self.at

    def tell_begun(self) -> None:
        """Pass on that the job whose turn it is has begun, if it has and nobody has yet."""
        if self.begun_at is not None and not self._is_told:
            self._is_told = True
            self.job.begun(self.worker.detail, max(0.0, time.monotonic() - self.begun_at))

    def step(self) -> Turn:
        """That job is over: from now on it is not to be stopped any more, and it is the turn of the next."""
        turn = Turn(self.jobs[self.at], self.begun_at, self._is_told, self.worker.detail)
        turn.job.load = None
        self.at += 1
        self.begun_at, self._is_told = None, False
        return turn

    def take_back(self, count: int) -> List[Job]:
        """The last so many of them, which the worker has given up."""
        begin = max(self.at, len(self.jobs) - count)
        back, self.jobs[begin:] = self.jobs[begin:], []
        for job in back:
            job.load = None
        return back

    def tell_death(self, code: int, last_words: Mapping[str, object]) -> None:
        """The worker is dead: the job whose turn it was is charged if it had begun; those behind it had not."""
        self.tell_begun()
        is_first, has_begun = self.at == 0, self.begun_at is not None
        job, *others = self.take_back(self.left)
        if has_begun:
            outcome, how = (CANCELLED, "killed") if job.unwanted else (_died(self.worker.pid, code), "")
            job.ended(outcome, how, {**self.worker.detail, **last_words})
        else:
            # Between two members it died of something that an earlier one did, or was ended for one.
            _give_back(job, job.lost if is_first else job.returned)
        give_back(others)


def give_back(jobs: Iterable[Job]) -> None:
    """Jobs that have not begun, and whose worker has something else to do."""
    for job in jobs:
        _give_back(job, job.returned)


def give_up(jobs: Sequence[Job]) -> None:
    """Jobs that no worker could be had for."""
    _give_back(jobs[0], jobs[0].lost)
    give_back(jobs[1:])


def _give_back(job: Job, how: Callable[[], None]) -> None:
    if job.unwanted:
        job.ended(CANCELLED, "withdrawn", None)
    else:
        how()


def _died(pid: int, code: int) -> Outcome:
    """The outcome of an attempt whose worker is gone; it may be retried."""
    text = "worker process %d died: %s" % (pid, named(code))
    return failure(WorkerDied(text), "worker_died", Retry(0))._replace(retryable=True)
