"""Attempts in worker processes of our own: a pool that is a `concurrent.futures.Executor` and serves runs besides.

A run launches as many attempts as its machine allows, and each has a worker of its own: a fresh interpreter, which is
killed with all that it started when the attempt is to end early.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Protocol, Sequence, Set, Tuple

from flowdsl.definition.options import Retry
from flowdsl.engine.policy import Kind
from flowdsl.executors import batch, buffers, payload, pipe, surroundings
from flowdsl.executors.base import Listener, Member
from flowdsl.executors.burial import in_a_thread
from flowdsl.executors.fleet import Fleet
from flowdsl.executors.jobs import AttemptJob, FutureJob, Work
from flowdsl.executors.outcome import Call, Outcome, failure
from flowdsl.executors.sharing import Book
from flowdsl.executors.space import Space

# A process can be killed: an attempt that is told to end does end, and may be retried.
KIND = Kind("processes", begins_at_launch=False, grace=None, replaces=False, retries_timeouts=True, batches=True)

Key = Tuple[str, int]


class Packed(Protocol):
    """One or several attempts, pickled."""

    @property
    def is_large(self) -> bool:
        """Whether arguments are to be put into files."""

    def seal(self, places: Sequence[str]) -> Mapping[int, str]:
        """Do so, where there is room; the files, by the number of the attempt."""

    def data(self) -> bytes:
        """What is sent."""


class ProcessPool(Executor):
    """At most `max_workers` submitted calls at once, by default as many as there are processors."""

    def __init__(self, max_workers: Optional[int] = None) -> None:
        self._max_workers = max_workers or os.cpu_count() or 1
        self._fleet = Fleet(self._max_workers)
        self._lock = threading.Lock()
        self._waiting: Deque[FutureJob] = deque()
        self._running = 0
        self._around = surroundings.here()
        self._closed = False
        self._ended = threading.Event()
        _pools.add(self)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self._closed:
            raise RuntimeError("this executor has been shut down")
        try:
            data = payload.pack("", 0, Call(fn, args, kwargs))
        except payload.Unpicklable as exc:
            future.set_exception(exc)
            return future
        self._waiting.append(FutureJob(data, future, self._one_less, self._start))
        self._feed()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more work is taken; the workers end when what was submitted has ended."""
        self._closed = True
        while cancel_futures and self._waiting:
            self._waiting.popleft().future.cancel()
        self._end_if_done()
        if wait:
            self._ended.wait()

    def flowdsl_backend(self, listener: Listener, max_workers: int) -> ProcessBackend:
        """The pool as one run uses it; idle workers are kept up to that number."""
        self._fleet.keep(max_workers)
        return ProcessBackend(self._fleet, listener, self._end_if_done)

    def kill(self) -> None:
        """End every worker now, whatever it does; return when all are gone."""
        self._closed = True
        self._fleet.close()
        self._ended.set()

    def forget(self) -> None:
        """In a forked process: nothing of the pool is its own."""
        self._closed = True
        self._fleet.forget()

    def _feed(self) -> None:
        while True:
            with self._lock:
                if not self._waiting or self._running >= self._max_workers:
                    return
                job = self._waiting.popleft()
                if not job.future.set_running_or_notify_cancel():
                    continue
                self._running += 1
            self._start(job)

    def _start(self, job: FutureJob) -> None:
        self._fleet.start(Work(pipe.WORK, job.payload, (job,)), self._around)

    def _one_less(self) -> None:
        with self._lock:
            self._running -= 1
        self._feed()
        self._end_if_done()

    def _end_if_done(self) -> None:
        with self._lock:
            idle = not self._waiting and not self._running and not self._fleet.is_busy
        if self._closed and idle and not self._ended.is_set():
            threading.Thread(target=self.kill, name="flowdsl-shutdown", daemon=True).start()


class ProcessBackend:
    """The attempts of one run in the workers of a pool."""

    kind = KIND

    def __init__(self, fleet: Fleet, listener: Listener, over: Callable[[], Any]) -> None:
        self._fleet = fleet
        self._listener = listener
        self._run_is_over = over
        self._space = Space()
        self._book = Book(self._space.places, buffers.remove)
        self._around = surroundings.here(self._space.places)
        self._lock = threading.Lock()
        self._jobs: Dict[Key, AttemptJob] = {}
        self._unwanted: Set[Key] = set()  # stopped before they were launched

    def launch(self, task: str, attempt: int, call: Call) -> None:
        key = (task, attempt)
        try:
            packed = payload.prepare(task, attempt, call, self._book)
        except payload.Unpicklable as exc:
            self._refuse(key, exc)
            return
        self._start(pipe.WORK, packed, (self._job(task, attempt, call),))

    def launch_batch(self, members: Sequence[Member]) -> None:
        """Give them to one worker, in one message; what cannot be sent ends at once, those that are too many return."""
        packer = batch.Packer(self._book)
        jobs: List[AttemptJob] = []
        for task, attempt, call in members[: batch.MOST]:
            try:
                keeps = None if packer.add(task, attempt, call) else call
            except payload.Unpicklable as exc:
                self._refuse((task, attempt), exc)
            else:
                jobs.append(self._job(task, attempt, keeps))
        for task, attempt, _ in members[batch.MOST :]:
            self._fleet.call(partial(self._listener.returned, task, attempt))
        if jobs:
            self._start(pipe.BATCH, packer, jobs)

    def stop(self, task: str, attempt: int) -> None:
        with self._lock:
            job = self._jobs.get((task, attempt))
            if job is None:
                self._unwanted.add((task, attempt))
        if job is not None:
            self._fleet.stop(job)

    def close(self) -> None:
        with self._lock:
            left = list(self._jobs.values())  # of a run that ended by a fault of ours
        for job in left:
            self._fleet.stop(job)
        self._book.places = ()
        self._space.close()
        self._fleet.let_go()
        self._run_is_over()

    def _start(self, kind: bytes, packed: Packed, jobs: Sequence[AttemptJob]) -> None:
        if packed.is_large:  # whoever launches has others to launch
            in_a_thread(self._post, kind, packed, jobs)
        else:
            self._fleet.start(Work(kind, packed.data(), jobs), self._around)

    def _post(self, kind: bytes, packed: Packed, jobs: Sequence[AttemptJob]) -> None:
        try:
            for number, path in packed.seal(self._book.places).items():
                jobs[number].letter = path
            work = Work(kind, packed.data(), jobs)
        except Exception as exc:  # there is not even memory to send it through the pipe
            for job in jobs:
                job.begun(None, 0.0)
                job.ended(failure(exc, "unpicklable", Retry(0)), "", None)
            return
        self._fleet.start(work, self._around)

    def _job(self, task: str, attempt: int, call: Optional[Call]) -> AttemptJob:
        key = (task, attempt)
        job = AttemptJob(key, call, self._book, self._listener, self._jobs)
        with self._lock:
            if self._unwanted and key in self._unwanted:
                self._unwanted.discard(key)
                job.unwanted = True
            self._jobs[key] = job
        return job

    def _refuse(self, key: Key, exc: payload.Unpicklable) -> None:
        """Such an attempt has failed; that is told from another thread."""
        outcome = failure(exc, "unpicklable", Retry(0))
        self._fleet.call(lambda: self._tell_refusal(key, outcome))

    def _tell_refusal(self, key: Key, outcome: Outcome) -> None:
        self._listener.begun(*key, None)
        self._listener.ended(*key, outcome, "", None)


# ---- the pool that runs share

_pools: weakref.WeakSet[ProcessPool] = weakref.WeakSet()
_shared: Optional[ProcessPool] = None
_guard = threading.Lock()


def shared() -> ProcessPool:
    """The pool of this process; its idle workers go from run to run, and end with the process."""
    global _shared
    with _guard:
        if _shared is None:
            _shared = ProcessPool()
        return _shared


def close_shared() -> None:
    """Kill the shared pool's workers; the next run starts new ones."""
    global _shared
    with _guard:
        pool, _shared = _shared, None
    if pool is not None:
        pool.kill()


def _kill_all() -> None:
    for pool in list(_pools):
        pool.kill()


def _forget_all() -> None:
    global _shared, _guard
    _shared, _guard = None, threading.Lock()
    for pool in list(_pools):
        pool.forget()
    _pools.clear()


atexit.register(_kill_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
