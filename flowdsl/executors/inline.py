"""Attempts in the calling thread, one after the other."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any, Callable

from flowdsl.engine.policy import Kind

KIND = Kind("inline", grace=None, retries_timeouts=False)


class InlineExecutor(Executor):
    """`submit` runs the call at once and returns a Future that is done."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as exc:
            future.set_exception(exc)
        return future
