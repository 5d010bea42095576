"""Attempts on an executor that the user gave: any `concurrent.futures.Executor`; it gets bytes, and is never shut down.

Such an executor does not say when it begins, so its futures are looked at every 10 ms while somebody waits for that.
What it has begun it does not stop: a timed-out attempt keeps its slot until it ends.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, Executor, Future
from typing import Dict, Set, Tuple

from flowdsl.definition.options import Retry
from flowdsl.engine.policy import Kind
from flowdsl.executors import payload, spool
from flowdsl.executors.base import Listener
from flowdsl.executors.outcome import Call, Outcome, failure

KIND = Kind("executor", begins_at_launch=False, grace=0.1, replaces=False, retries_timeouts=False)
LOOK = 0.01  # seconds between two looks at futures that have not begun
CANCELLED = Outcome("cancelled", "cancel_requested")

Key = Tuple[str, int]


class ForeignExecutor:
    """Launches attempts by `executor.submit(spool.work, bytes)`."""

    kind = KIND

    def __init__(self, executor: Executor, listener: Listener) -> None:
        self._executor = executor
        self._listener = listener
        self._lock = threading.Lock()
        self._order = threading.RLock()  # an end is reported after its begin
        self._futures: Dict[Key, Future[bytes]] = {}
        self._begun: Set[Key] = set()
        self._unwanted: Set[Key] = set()  # stopped before they were launched
        self._wake = threading.Event()
        self._closed = False
        self._watch = threading.Thread(target=self._look, name="flowdsl-futures", daemon=True)
        self._watch.start()

    def launch(self, task: str, attempt: int, call: Call) -> None:
        key = (task, attempt)
        try:
            data = payload.pack(task, attempt, call)
        except payload.Unpicklable as exc:
            self._refuse(key, failure(exc, "unpicklable", Retry(0)))
            return
        with self._lock:
            unwanted = key in self._unwanted
            self._unwanted.discard(key)
        if unwanted:
            self._listener.ended(task, attempt, CANCELLED, "withdrawn", None)
            return
        try:
            future = self._executor.submit(spool.work, data)
            future.running()  # whatever else was returned, it is not a Future: found out here, not later
        except Exception as exc:  # shut down, or broken
            self._refuse(key, payload.died(exc))
            return
        with self._lock:
            self._futures[key] = future
        future.add_done_callback(lambda done: self._done(key, done))
        self._wake.set()

    def stop(self, task: str, attempt: int) -> None:
        key = (task, attempt)
        with self._lock:
            future = self._futures.get(key)
            if future is None:
                self._unwanted.add(key)
        if future is not None:
            future.cancel()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    def _refuse(self, key: Key, outcome: Outcome) -> None:
        self._listener.begun(*key, None)
        self._listener.ended(*key, outcome, "", None)

    def _done(self, key: Key, future: Future[bytes]) -> None:
        with self._order, self._lock:
            self._futures.pop(key, None)
            begun = key in self._begun
            self._begun.discard(key)
        words = None
        try:
            words = spool.unpack(future.result())
            answer = payload.unpack(words.answer)
        except CancelledError:
            self._listener.ended(*key, CANCELLED, "withdrawn", None)
            return
        except BaseException as exc:
            answer = payload.Answer(payload.died(exc), None, 0.0)
        detail = {"pid": answer.pid, "worker": "pid-%s" % answer.pid} if answer.pid else None
        if not begun:
            self._listener.begun(*key, detail, answer.seconds)
        if words is not None:
            self._tell_words(key, words)
        self._listener.ended(*key, answer.outcome, "", detail)

    def _tell_words(self, key: Key, words: spool.Words) -> None:
        if words.note is not None:
            self._listener.noted(*key, words.note)
        self._listener.printed(*key, words.output, words.total)

    def _look(self) -> None:
        """Report what has begun; sleeps while there is nothing that has not."""
        while not self._closed:
            with self._order:
                waiting = self._report_begun()
            self._wake.wait(LOOK if waiting else None)
            self._wake.clear()

    def _report_begun(self) -> bool:
        """Tell of the futures that run since the last look; whether there are some that do not."""
        with self._lock:
            waiting = [key for key in self._futures if key not in self._begun]
            started = [key for key in waiting if self._futures[key].running()]
            self._begun.update(started)
        for key in started:
            self._listener.begun(*key, None)
        return len(waiting) > len(started)
