"""The end of workers: each is killed in a thread of its own, because that waits, and its jobs hear of it."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Callable, Mapping

from flowdsl.executors.child import WorkerProcess
from flowdsl.executors.loop import Loop
from flowdsl.executors.roster import Roster


class Burial:
    """Ends workers that are doomed; `hear_out` takes in what one said before it died."""

    def __init__(self, roster: Roster, loop: Loop, hear_out: Callable[[WorkerProcess], Any]) -> None:
        self._roster = roster
        self._loop = loop
        self._hear_out = hear_out

    def begin(self, worker: WorkerProcess, then: Callable[[], Any] = lambda: None) -> None:
        """Kill it, tell whose work it had begun, and give the rest back; `then` is called before, in the loop."""
        in_a_thread(self.bury, worker, then)

    def bury(self, worker: WorkerProcess, then: Callable[[], Any] = lambda: None) -> None:
        """The same, in this thread."""
        last_words = worker.stacks()
        code = worker.bury()
        self._loop.call(then)
        self._loop.call(partial(self._settle, worker, code, last_words))

    def clear(self, worker: WorkerProcess) -> None:
        """Give back its pipes; in the loop."""
        for end in (worker.reading, worker.writing, worker.printed.end):
            self._loop.forget(end)
        worker.close()

    def _settle(self, worker: WorkerProcess, code: int, last_words: Mapping[str, str]) -> None:
        """In the loop: tell how it went with all that a dead worker had."""
        load = worker.load
        if load is None:
            self._end(worker)
            return
        with load.jobs[-1].together():
            if load.is_batch:
                self._hear_out(worker)
            worker.printed.take_last()
            self._end(worker)
            if load.left and not self._roster.closed:
                load.tell_death(code, last_words)

    def _end(self, worker: WorkerProcess) -> None:
        self.clear(worker)
        self._roster.leave(worker)
        worker.load = None


def in_a_thread(function: Callable[..., Any], *args: Any) -> threading.Thread:
    """Call it in a thread of its own."""
    thread = threading.Thread(target=function, args=args, name="flowdsl-%s" % function.__name__.strip("_"), daemon=True)
    thread.start()
    return thread
