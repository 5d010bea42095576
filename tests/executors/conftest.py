"""What tests of worker processes may ask for."""

from __future__ import annotations

from typing import Iterator

import pytest

from flowdsl.executors import processes
from tests.executors.left import Before


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """The test begins without workers; no process, thread, file or descriptor stays when the shared pool is closed."""
    processes.close_shared()
    before = Before()
    yield
    processes.close_shared()
    assert before.left() == []
