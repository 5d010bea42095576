"""Log records that come from worker processes, on their way to the user's handlers."""

from __future__ import annotations

import logging
import queue
import threading
import traceback
from typing import Optional

from flowdsl.executors import records

MANY = 10_000  # that wait; what comes then is dropped, and counted


class Records:
    """Hands records over in a thread of its own, for handlers may take their time; it starts with the first."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Optional[records.Fields]] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None
        self._dropped = 0

    def put(self, fields: records.Fields) -> None:
        """Hand it over soon; one thread at a time calls this."""
        if self._waiting.qsize() >= MANY:
            self._dropped += 1
            return
        self._waiting.put(fields)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="flowdsl-records", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """No others will come; those that wait are still handed over."""
        self._waiting.put(None)

    def _work(self) -> None:
        while True:
            fields = self._waiting.get()
            if fields is None:
                break
            try:
                records.handle(fields)
            except Exception:  # a filter, or a handler that does not keep its errors to itself
                _complain("a handler of logger %r raised" % fields.get("name"))
        if self._dropped:
            text = "%d log records of worker processes were dropped: handlers are slower than they come"
            logging.getLogger("flowdsl").warning(text, self._dropped)


def _complain(text: str) -> None:
    """Say so where logs go, or, when the handler that raised hears that too, where logging itself says such things."""
    try:
        logging.getLogger("flowdsl").exception(text)
    except Exception:
        traceback.print_exc()
