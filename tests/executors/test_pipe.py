"""Messages over a pipe: whole or not at all, in any portions, and nothing that is none of ours."""

from __future__ import annotations

import os
import threading
from typing import Iterator, List

import pytest

from flowdsl.executors import pipe

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only")


@pytest.fixture
def ends() -> Iterator[pipe.Pair]:
    pair = pipe.make_pair()
    yield pair
    for end in pair:
        try:
            os.close(end)
        except OSError:  # the test has closed it
            continue


def all_of(inbox: pipe.Inbox, count: int) -> List[pipe.Message]:
    found: List[pipe.Message] = []
    while len(found) < count:
        found += inbox.read()
    return found


@pytest.mark.parametrize("size", [0, 1, pipe.SMALL - 9, pipe.SMALL, pipe.SMALL + 1, 3 << 20])
def test_messages_arrive_whole_and_in_order(ends: pipe.Pair, size: int) -> None:
    bodies = [b"first", os.urandom(size), b"last"]
    kinds = [pipe.BEGUN, pipe.DONE, pipe.LEFT]

    def send_all() -> None:
        for kind, body in zip(kinds, bodies):
            pipe.send(ends.writing, kind, body)

    sender = threading.Thread(target=send_all)
    sender.start()
    found = all_of(pipe.Inbox(ends.reading), 3)
    sender.join()
    assert [(kind, bytes(body)) for kind, body in found] == list(zip(kinds, bodies))


def test_a_message_in_single_bytes_is_the_same_message(ends: pipe.Pair) -> None:
    inbox = pipe.Inbox(ends.reading)
    whole = pipe.HEADER.pack(pipe.DONE, 3) + b"abc"
    for byte in whole[:-1]:
        os.write(ends.writing, bytes([byte]))
        assert list(inbox.read()) == []
    os.write(ends.writing, whole[-1:])
    assert list(inbox.read()) == [pipe.Message(pipe.DONE, b"abc")]


def test_what_was_said_before_the_end_is_heard(ends: pipe.Pair) -> None:
    pipe.send(ends.writing, pipe.BEGUN, b"1")
    os.close(ends.writing)
    inbox, found = pipe.Inbox(ends.reading), []
    with pytest.raises(EOFError):
        while True:
            found += inbox.read()
    assert found == [pipe.Message(pipe.BEGUN, b"1")]


@pytest.mark.parametrize("start", [b"?" + bytes(8), b"D" + b"\xff" * 8])
def test_what_is_no_message_is_refused(ends: pipe.Pair, start: bytes) -> None:
    os.write(ends.writing, start)
    with pytest.raises(pipe.Garbled):
        list(pipe.Inbox(ends.reading).read())


def test_what_finds_no_room_is_sent_later(ends: pipe.Pair) -> None:
    body = os.urandom(4 << 20)
    outbox, inbox = pipe.Outbox(ends.writing), pipe.Inbox(ends.reading)
    outbox.put(pipe.WORK, body)
    assert not outbox.flush()
    found: List[pipe.Message] = []
    while not found:
        found += inbox.read()
        outbox.flush()
    assert bytes(found[0].body) == body
    assert outbox.flush()


def test_a_worker_waits_for_the_next_message_and_hears_of_the_end(ends: pipe.Pair) -> None:
    outbox = pipe.Outbox(ends.writing)
    outbox.put(pipe.WORK, b"payload")
    assert outbox.flush()
    assert pipe.receive(ends.reading) == pipe.Message(pipe.WORK, bytearray(b"payload"))
    os.close(ends.writing)
    assert pipe.receive(ends.reading) is None


def test_nobody_who_reads_is_an_error_of_the_one_who_writes(ends: pipe.Pair) -> None:
    outbox = pipe.Outbox(ends.writing)
    os.close(ends.reading)
    outbox.put(pipe.WORK, b"payload")
    with pytest.raises(OSError):
        outbox.flush()
