"""Ctrl-C while the caller waits: what runs is cancelled, the state is kept, and the directory is given free."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Iterator

import psutil
import pytest

from flowdsl.storage.lock import locked_by
from flowdsl.storage.reading import run_dirs
from tests.orchestrator.child_interrupted import HOW
from tests.orchestrator.making import make, statuses

WAY = [(how, "thread") for how in HOW] + [("execute_all", "process")]


@pytest.fixture
def child(log_dir: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A process in which an execution goes on that never ends."""
    script = Path(__file__).with_name("child_interrupted.py")
    found = subprocess.Popen(
        [sys.executable, str(script), str(log_dir), *request.param],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield found
    found.kill()
    found.communicate()


def says(child: subprocess.Popen[str]) -> str:
    """Its next line; where it has died, what it said of that."""
    assert child.stdout is not None and child.stderr is not None
    line = child.stdout.readline().strip()
    assert line, f"it ended with {child.wait()}: {child.stderr.read()}"
    return line


def is_gone(pid: int) -> bool:
    """Within two seconds."""
    for _ in range(40):
        if not psutil.pid_exists(pid):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("child", WAY, indirect=True, ids="-".join)
def test_an_interrupt_cancels_what_runs_and_keeps_the_state(child: subprocess.Popen[str], log_dir: Path) -> None:
    worker = int(says(child))
    child.send_signal(signal.SIGINT)
    assert says(child) == "KeyboardInterrupt cancelled"
    assert says(child) == "{'made': 1}"
    assert worker == child.pid or is_gone(worker)
    assert [locked_by(run) for run in run_dirs(log_dir)] == [None, None]
    child.send_signal(signal.SIGINT)
    error: IO[str] = child.stderr  # type: ignore[assignment]
    assert "KeyboardInterrupt" in error.read()
    child.wait()
    with make(log_dir) as later:
        found = later.get_task_status("task_002")
        assert (found["status"], found["progress"], found["message"]) == ("cancelled", 30.0, str(worker))
        assert statuses(later)["task_001"] == "completed"
        assert statuses(later)["later"] == ("pending" if child.args[3] == "execute_task" else "cancelled")  # type: ignore[index]
        assert later.logs()["status"].tolist() == [statuses(later)[task] for task in later.logs()["taskId"]]
