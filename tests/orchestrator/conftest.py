"""What tests of the orchestrator may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from flowdsl.orchestrator import TaskOrchestrator
from tests.orchestrator.making import make


@pytest.fixture
def orchestrator(log_dir: Path) -> Iterator[TaskOrchestrator]:
    """An open orchestrator with handlers."""
    found = make(log_dir)
    yield found
    found.close(cancel=True)
