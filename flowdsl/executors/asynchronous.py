"""Attempts of coroutine functions, on an event loop in a thread of its own: a notebook's loop is left alone."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Dict, Set, Tuple

from flowdsl.engine.policy import ONCE, Kind
from flowdsl.errors import Skip
from flowdsl.executors.base import Listener
from flowdsl.executors.current import Current, enter
from flowdsl.executors.outcome import Call, Outcome, check_verdict, failure, text_of

# A coroutine that swallows its cancellation, or blocks the loop, counts as abandoned after half a second.
KIND = Kind("async", begins_at_launch=False, grace=0.5, replaces=True, retries_timeouts=True)
CANCELLED = Outcome("cancelled", "cancel_requested")

Key = Tuple[str, int]


class Coroutines:
    """The loop thread of one run; started with the first attempt, ended with the run."""

    kind = KIND

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="flowdsl-loop", daemon=True)
        self._tasks: Dict[Key, asyncio.Task[Outcome]] = {}
        self._stopped: Set[Key] = set()
        self._detail = {"worker": "loop", "pid": os.getpid()}
        self._thread.start()

    def launch(self, task: str, attempt: int, call: Call) -> None:
        self._loop.call_soon_threadsafe(self._begin, (task, attempt), call)

    def stop(self, task: str, attempt: int) -> None:
        self._loop.call_soon_threadsafe(self._cancel, (task, attempt))

    def close(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            for task in list(self._tasks.values()):
                task.cancel()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _begin(self, key: Key, call: Call) -> None:
        task = self._tasks[key] = self._loop.create_task(self._attempt(key, call))
        task.add_done_callback(lambda done: self._done(key, done))

    def _cancel(self, key: Key) -> None:
        task = self._tasks.get(key)
        if task is not None:
            self._stopped.add(key)
            task.cancel()

    async def _attempt(self, key: Key, call: Call) -> Outcome:
        enter(Current(*key, self._listener.scribe))
        self._listener.begun(*key, self._detail)
        return await perform(call)

    def _done(self, key: Key, task: asyncio.Task[Outcome]) -> None:
        """Report the end; a coroutine that was cancelled before its first step has not run a line."""
        self._tasks.pop(key, None)
        stopped = key in self._stopped
        self._stopped.discard(key)
        try:
            self._listener.ended(*key, task.result(), "", self._detail)
        except asyncio.CancelledError as exc:
            outcome = CANCELLED if stopped else failure(exc, "raised", ONCE)
            self._listener.ended(*key, outcome, "cancelled" if stopped else "", self._detail)


async def perform(call: Call) -> Outcome:
    """The outcome of awaiting the call; only its cancellation is raised."""
    verifying = False
    begun = time.perf_counter()
    try:
        value = await call.function(*call.args, **call.kwargs)
        if call.verify is not None:
            verifying = True
            check_verdict(call.verify(value))
    except Skip as skip:
        return Outcome("skipped", "skip_raised", seconds=time.perf_counter() - begun, error=text_of(skip))
    except asyncio.CancelledError:
        raise
    except BaseException as exc:
        cause = "verify_failed" if verifying else "raised"
        return failure(exc, cause, call.retry, time.perf_counter() - begun)
    return Outcome("succeeded", "returned", value, False, time.perf_counter() - begun)
