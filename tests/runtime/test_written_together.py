"""Turns of tiny attempts are written together; nothing begins before what it follows from is in the journal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

import flowdsl
from flowdsl import Flow
from flowdsl.runtime.core import TOGETHER
from flowdsl.runtime.workers import MOST
from flowdsl.storage.journal import Journal, read_journal

pytestmark = pytest.mark.usefixtures("no_leaks")
EXECUTORS = pytest.mark.parametrize("executor", ["threads", "inline"])


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("together", log_dir=log_dir)


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """Every write of a journal: its batches."""
    real, found = Journal.append_all, []

    def append_all(self: Journal, batches: Any) -> int:
        found.append(list(batches))
        return real(self, batches)

    monkeypatch.setattr(Journal, "append_all", append_all)
    return found


def lines_with(flow: Flow, event: str) -> List[str]:
    """The tasks of which the one journal on disk tells this event, read as any other process would."""
    (path,) = Path(flow.log_dir).glob("*/events.jsonl")
    return [line.split('"task":"')[1].split('"')[0] for line in path.read_text().splitlines() if event in line]


@EXECUTORS
def test_a_task_finds_the_ends_of_all_its_dependencies_in_the_journal(flow: Flow, executor: str) -> None:
    missing: Dict[str, List[str]] = {}

    def looks(name: str, parents: List[str]) -> Callable[[], None]:
        def look() -> None:
            if int(name[1:]) % 20 == 0:  # now and then: to read a file makes an attempt long
                there = lines_with(flow, '"attempt_succeeded"')
                missing[name] = [parent for parent in parents if parent not in there]

        return look

    for number in range(600):
        parents = ["t%d" % parent for parent in {number // 2, number - 7} if 0 <= parent < number]
        flow.task("t%d" % number, depends_on=parents)(looks("t%d" % number, parents))
    assert flow.run(display=None, executor=executor).state == "succeeded"
    assert len(missing) == 30
    assert not any(missing.values()), missing


@EXECUTORS
def test_tiny_attempts_that_follow_from_nothing_new_share_a_write(flow: Flow, writes: List[Any], executor: str) -> None:
    for number in range(2_000):
        flow.task("t%d" % number)(lambda: None)
    run = flow.run(display=None, executor=executor)
    assert run.state == "succeeded"
    assert len(writes) < 1_000
    assert max(len(batches) for batches in writes) <= TOGETHER + MOST
    assert list(run.events["seq"]) == list(range(len(run.events)))
    assert run.events["at"].is_monotonic_increasing
    assert len(read_journal(run.dir).batches) > 1_900, "each turn keeps its own time"


@EXECUTORS
def test_with_fsync_every_attempt_is_on_disk_before_it_begins(flow: Flow, executor: str) -> None:
    absent: List[str] = []

    def look(name: str) -> None:
        if name not in lines_with(flow, '"attempt_started"'):
            absent.append(name)

    for number in range(40):
        flow.task("t%d" % number)(lambda name="t%d" % number: look(name))
    assert flow.run(display=None, executor=executor, fsync=True).state == "succeeded"
    assert not absent


KILLED = """
import os, sys, time
from flowdsl import Flow

flow = Flow("killed", log_dir=sys.argv[1])
for number in range(300):
    flow.task("t%03d" % number)(lambda: None)

@flow.task
def long() -> None:
    os.write(1, b"long\\n")
    time.sleep(60)

flow.run(display=None, executor=sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@EXECUTORS
def test_what_runs_behind_tiny_attempts_is_in_the_journal_when_the_process_dies(log_dir: Path, executor: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(log_dir), executor]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "long\n"
        time.sleep(1.0)  # the timer thread looks every few milliseconds
        child.send_signal(signal.SIGKILL)
    (past,) = flowdsl.load_runs(log_dir)
    attempts = past.attempts.set_index("task")
    assert len(attempts) == 301
    assert attempts["cause"]["long"] == "process_died"
    assert set(attempts["state"].drop("long")) == {"succeeded"}
