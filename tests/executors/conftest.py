"""What tests of worker processes may ask for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, List

import pytest

from flowdsl.executors import pipe, processes
from tests.executors.left import Before


@contextmanager
def leaving_nothing() -> Iterator[None]:
    processes.close_shared()
    before = Before()
    yield
    processes.close_shared()
    assert before.left() == []


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """The test begins without workers; no process, thread, file or descriptor stays when the shared pool is closed."""
    with leaving_nothing():
        yield


@pytest.fixture(scope="module")
def nothing_is_left_in_the_end() -> Iterator[None]:
    """The same for all tests of a file together, which then share the workers."""
    with leaving_nothing():
        yield


@pytest.fixture
def through_pipes(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """How many bytes each message has that goes to a worker, or comes from one, through its pipe."""
    sizes: List[int] = []
    put, read = pipe.Outbox.put, pipe.Inbox.read

    def counted_put(self: pipe.Outbox, kind: bytes, body: pipe.Body) -> None:
        sizes.append(len(body))
        put(self, kind, body)

    def counted_read(self: pipe.Inbox) -> Iterator[Any]:
        for message in read(self):
            sizes.append(len(message.body))
            yield message

    monkeypatch.setattr(pipe.Outbox, "put", counted_put)
    monkeypatch.setattr(pipe.Inbox, "read", counted_read)
    return sizes
