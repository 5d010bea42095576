"""A worker's side of its work: it performs attempts, and says of each when it begins and how it ended."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import threading
import time
from collections import deque
from functools import partial
from typing import Callable, Deque, Iterator, Optional

from flowdsl.executors import batch, payload, pipe, plain, records
from flowdsl.executors.current import Current
from flowdsl.executors.modules import Modules
from flowdsl.executors.notes import Notes
from flowdsl.executors.outcome import exit_code
from flowdsl.executors.printed import marker
from flowdsl.executors.streams import Streams


class Desk:
    """Messages come in through `inlet` and go out through `outlet`; attempts print to `streams`.

    For every member of a batch but the first a byte is in the pipe `tickets`, which we and whoever sent the batch may
    take: it is either begun here, or given to somebody else.

    It is the scribe of the attempts: what they say of their progress goes out too, from a thread where they go on.
    """

    echo = 0

    def __init__(self, inlet: int, outlet: int, tickets: int, streams: Streams, mark: str) -> None:
        self._streams = streams
        self._mark = mark
        self._writes = threading.Lock()
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._notes = Notes(partial(self._rings.put, None))
        self._records: Deque[bytes] = deque()
        self._teller: Optional[threading.Thread] = None
        self._inlet = inlet
        self._outlet = outlet
        self._tickets = tickets
        self._pid = os.getpid()
        self._modules = Modules()
        self._unsent = bytearray()  # messages that go out together with the next begin

    def next(self) -> Optional[pipe.Message]:
        """The next message; None when there will be no more."""
        return pipe.receive(self._inlet)

    def do(self, data: pipe.Body) -> None:
        """One attempt."""
        self._begin()
        self._send()
        self._perform(lambda: payload.open_whole(data), lambda: False)
        self._send()

    def do_all(self, data: pipe.Body) -> None:
        """The attempts of a batch, one after the other, as long as there are tickets for them.

        After one that leaves child processes behind there is no other: they are ended with this process.
        """
        self._begin()
        self._send()
        for number, opened in enumerate(batch.unpack(data)):
            if number:
                self._streams.say(marker(self._mark, number))
                self._send()  # how the one before ended, and that this one begins
            if not self._perform(opened, self._takes_ticket):
                break
        self._send()

    def _begin(self) -> None:
        self._put(pipe.BEGUN, pipe.STAMP.pack(time.monotonic()))

    def _takes_ticket(self) -> bool:
        """Whether the next member is ours: no other process can take the same ticket."""
        try:
            return bool(os.read(self._tickets, 1))
        except BlockingIOError:  # it was the last one, or they were taken back
            return False

    def _perform(self, opened: Callable[[], payload.Attempt], goes_on: Callable[[], bool]) -> bool:
        """One attempt that has begun; whether there is to be another, which then has begun too."""
        self._streams.put()
        outcome, seconds = payload.perform_opened(opened)
        ended_at = time.monotonic()
        if os.getpid() != self._pid:  # the task forked, and its child came back here
            with contextlib.suppress(OSError, ValueError):  # it may have closed its streams
                self._streams.write(outcome.traceback)
            os._exit(exit_code(outcome))
        self._streams.flush()
        self._put_last_words()
        new = self._modules.new()
        if new:
            self._put(pipe.MODULES, pickle.dumps(new))
        if _has_children():
            self._put(pipe.LEFT, payload.answer(outcome, seconds))
            return False
        if plain.fits(outcome):
            going_on = goes_on()
            self._put(pipe.PLAIN, plain.pack(outcome, ended_at, going_on))
            return going_on
        self._put(pipe.DONE, payload.answer(outcome, seconds))  # it may take long: the next one has not begun then
        if not goes_on():
            return False
        self._begin()
        return True

    def _put(self, kind: bytes, body: pipe.Body) -> None:
        """Send this with what comes next; what is large goes now."""
        if len(body) <= pipe.SMALL:
            self._unsent += pipe.HEADER.pack(kind, len(body))
            self._unsent += body
        else:
            self._send()
            with self._writes:
                pipe.send(self._outlet, kind, body)

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        with self._writes:
            pipe.write(self._outlet, memoryview(unsent))

    # ---- what attempts say

    def output(self, task: str, attempt: int) -> Streams:
        return self._streams

    def noted(self, current: Current) -> None:
        if os.getpid() == self._pid:
            self._notes.put(current)
            self._start_teller()

    def logged(self, record: logging.LogRecord) -> bool:
        """Send a record to handlers where we come from; whether there are any."""
        if not records.is_heard(record.name) or os.getpid() != self._pid:
            return False
        self._records.append(pickle.dumps(records.fields_of(record)))
        self._rings.put(None)
        self._start_teller()
        return True

    def _start_teller(self) -> None:
        if self._teller is None:
            self._teller = threading.Thread(target=self._tell, name="flowdsl-teller", daemon=True)
            self._teller.start()

    def _put_last_words(self) -> None:
        for record in self._records_so_far():
            self._put(pipe.RECORD, record)
        if self._notes:
            with self._writes:
                notes = self._notes.all(time.monotonic())
            for note in notes:
                self._put(pipe.NOTE, pickle.dumps(tuple(note)))

    def _records_so_far(self) -> Iterator[bytes]:
        with contextlib.suppress(IndexError):
            while True:
                yield self._records.popleft()

    def _tell(self) -> None:
        while True:
            with self._writes:
                now = time.monotonic()
                for record in self._records_so_far():
                    pipe.send(self._outlet, pipe.RECORD, record)
                for note in self._notes.due(now):
                    pipe.send(self._outlet, pipe.NOTE, pickle.dumps(tuple(note)))
                due = self._notes.next_due()
            with contextlib.suppress(queue.Empty):
                self._rings.get(timeout=None if due is None else max(0.0, due - now))


def _has_children() -> bool:
    """Whether child processes still run; those that have ended are buried."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
