"""Messages between us and a worker, over a private pair of pipes: one byte of kind, the length, the body."""

from __future__ import annotations

import contextlib
import os
import select
import struct
import sys
from collections import deque
from typing import Deque, Iterator, List, NamedTuple, Optional, Union

from flowdsl.errors import FlowError

HEADER = struct.Struct(">cQ")
STAMP = struct.Struct(">d")  # the monotonic clock, which all processes of a machine share
SMALL = 1 << 16  # a body up to this size goes out in one piece with its header
ROOM = 1 << 20  # bytes that a pipe may hold, where the system lets us say so
TURN = 8  # reads before other workers have their turn
F_SETPIPE_SZ = 1031  # `fcntl` names it from Python 3.10 on

SURROUNDINGS, WORK, BATCH = b"S", b"W", b"A"  # to a worker
BEGUN, NOTE, RECORD, MODULES = b"B", b"N", b"R", b"M"  # from it
PLAIN, DONE, LEFT = b"P", b"D", b"L"  # from it: an attempt is over; LEFT: and child processes still run
KINDS = b"SWABNRMPDL"

Body = Union[bytes, bytearray, memoryview]


class Garbled(FlowError):
    """What came through a pipe is no message of ours."""


class Message(NamedTuple):
    """One of the kinds above, and what it says."""

    kind: bytes
    body: Body


class Pair(NamedTuple):
    """Both ends of a pipe."""

    reading: int
    writing: int


def make_pair() -> Pair:
    """A pipe with as much room as may be had; no end is inherited by other processes."""
    pair = Pair(*os.pipe())
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # the user's share of pipe memory is used up
            fcntl.fcntl(pair.writing, F_SETPIPE_SZ, ROOM)
    return pair


def is_cut(end: int) -> bool:
    """Whether nobody holds the writing end any more, though there may be something left to read."""
    look = select.poll()
    look.register(end, 0)
    return bool(look.poll(0))


# ---- the worker's side: it waits


def send(end: int, kind: bytes, body: Body) -> None:
    """Write one message, however long that takes."""
    write(end, *_pieces(kind, body))


def write(end: int, *pieces: memoryview) -> None:
    """Write all of it, however long that takes."""
    for piece in pieces:
        while piece:
            piece = piece[os.write(end, piece) :]


def receive(end: int) -> Optional[Message]:
    """The next message, or None when there will be no more."""
    header = _exactly(end, HEADER.size)
    if header is None:
        return None
    kind, length = HEADER.unpack(header)
    body = _exactly(end, length)
    return None if body is None else Message(kind, body)


def _exactly(end: int, length: int) -> Optional[bytearray]:
    data = bytearray(length)
    rest = memoryview(data)
    while rest:
        count = os.readv(end, [rest])
        if not count:
            return None
        rest = rest[count:]
    return data


def _pieces(kind: bytes, body: Body) -> List[memoryview]:
    header = HEADER.pack(kind, len(body))
    if len(body) <= SMALL:
        return [memoryview(header + body)]
    return [memoryview(header), memoryview(body)]


# ---- our side: it never waits


class Outbox:
    """What is still to be written to a worker; its end of the pipe does not block."""

    def __init__(self, end: int) -> None:
        os.set_blocking(end, False)
        self._end = end
        self._pieces: Deque[memoryview] = deque()

    def put(self, kind: bytes, body: Body) -> None:
        """One message more; `flush` sends it."""
        self._pieces.extend(_pieces(kind, body))

    def flush(self) -> bool:
        """Write what there is room for; whether that was all. Raises OSError when nobody reads any more."""
        while self._pieces:
            piece = self._pieces[0]
            try:
                count = os.write(self._end, piece)
            except BlockingIOError:
                return False
            if count == len(piece):
                self._pieces.popleft()
            else:
                self._pieces[0] = piece[count:]
        return True


class Inbox:
    """What has come from a worker so far; its end of the pipe does not block."""

    def __init__(self, end: int) -> None:
        os.set_blocking(end, False)
        self._end = end
        self._start = bytearray()  # of a message whose length is not known, or that is small
        self._kind = b""  # of a message that is read straight into its place
        self._whole = bytearray()
        self._rest = memoryview(b"")

    @property
    def is_between(self) -> bool:
        """Whether no message has come in part: what comes next may wait a little."""
        return not self._start and not self._rest

    def read(self) -> Iterator[Message]:
        """The messages that are whole now; raises EOFError after the last, Garbled, or OSError."""
        for _ in range(TURN):
            if self._rest:
                count = self._read_into_place()
                if count and not self._rest:
                    yield Message(self._kind, self._whole)
                    self._whole = bytearray()
                if count <= 0:
                    return
                continue
            try:
                data = os.read(self._end, SMALL)
            except BlockingIOError:
                return
            if not data:
                raise EOFError
            self._start += data
            yield from self._split()
            if len(data) < SMALL and not self._rest:
                return

    def _read_into_place(self) -> int:
        try:
            count = os.readv(self._end, [self._rest])
        except BlockingIOError:
            return -1
        if not count:
            raise EOFError
        self._rest = self._rest[count:]
        return count

    def _split(self) -> Iterator[Message]:
        while len(self._start) >= HEADER.size:
            kind, length = HEADER.unpack_from(self._start)
            if kind not in KINDS:
                raise Garbled("a worker sent what is no message: something else writes to its pipe")
            end = HEADER.size + length
            if len(self._start) < end:
                if length > SMALL:
                    self._go_on_in_place(kind, length)
                return
            body = bytes(self._start[HEADER.size : end])
            del self._start[:end]
            yield Message(kind, body)

    def _go_on_in_place(self, kind: bytes, length: int) -> None:
        try:
            whole = bytearray(length)
        except (MemoryError, OverflowError):
            raise Garbled("a worker wants to send %d bytes, for which there is no room" % length) from None
        have = len(self._start) - HEADER.size
        whole[:have] = memoryview(self._start)[HEADER.size :]
        self._start = bytearray()
        self._kind, self._whole, self._rest = kind, whole, memoryview(whole)[have:]
