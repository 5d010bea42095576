"""What tests of worker processes may ask for."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import pytest

from flowdsl.executors import processes
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
