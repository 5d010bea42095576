"""A worker's side of its work: it performs attempts, and says of each when it begins and how it ended."""

from __future__ import annotations

import os
import pickle
import select
import time
from collections import deque
from typing import Callable, Deque, Optional, Set

from flowdsl.executors import batch, payload, pipe
from flowdsl.executors.modules import Modules


class Desk:
    """Messages come in through `inlet` and go out through `outlet`."""

    def __init__(self, inlet: int, outlet: int) -> None:
        self._inlet = inlet
        self._outlet = outlet
        self._pid = os.getpid()
        self._modules = Modules()
        self._unsent = bytearray()  # messages that go out together with the next begin
        self._put_by: Deque[pipe.Message] = deque()  # what came while a batch was gone through
        self._look = select.poll()
        self._look.register(inlet, select.POLLIN)

    def next(self) -> Optional[pipe.Message]:
        """The next message; None when there will be no more."""
        return self._put_by.popleft() if self._put_by else pipe.receive(self._inlet)

    def do(self, data: pipe.Body) -> None:
        """One attempt."""
        self._perform(lambda: payload.work(data))
        self._send()

    def do_all(self, data: pipe.Body) -> None:
        """The attempts of a batch, one after the other, but for those that are withdrawn before their turn.

        After one that leaves child processes behind there is no other: they are ended with this process.
        """
        withdrawn: Set[int] = set()
        members = batch.unpack(data)
        for number, perform in enumerate(members):
            if self._look.poll(0):
                self._hear(withdrawn, len(members))
            if number in withdrawn:
                self._put(pipe.WITHDRAWN, b"")
            elif self._perform(perform) == pipe.LEFT:
                break
        self._send()

    def _hear(self, withdrawn: Set[int], many: int) -> None:
        while self._look.poll(0):
            message = pipe.receive(self._inlet)
            if message is None:
                return
            if message.kind == pipe.WITHDRAW:
                withdrawn.update((int(message.body),) if message.body else range(many))
            else:
                self._put_by.append(message)

    def _perform(self, perform: Callable[[], bytes]) -> bytes:
        self._put(pipe.BEGUN, pipe.STAMP.pack(time.monotonic()))
        self._send()
        answer = perform()
        if os.getpid() != self._pid:  # the task forked, and its child came back here
            os._exit(0)
        new = self._modules.new()
        if new:
            self._put(pipe.MODULES, pickle.dumps(new))
        end = pipe.LEFT if _has_children() else pipe.DONE
        self._put(end, answer)
        return end

    def _put(self, kind: bytes, body: pipe.Body) -> None:
        """Send this with what comes next; what is large goes now."""
        if len(body) <= pipe.SMALL:
            self._unsent += pipe.HEADER.pack(kind, len(body))
            self._unsent += body
        else:
            self._send()
            pipe.send(self._outlet, kind, body)

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        pipe.write(self._outlet, memoryview(unsent))


def _has_children() -> bool:
    """Whether child processes still run; those that have ended are buried."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
