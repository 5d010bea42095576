"""Random flows in real processes, with workers that are killed, limits that strike at the last moment, and cancels."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from flowdsl import Flow, Retry, Run
from flowdsl.engine.check import check_batches
from flowdsl.executors import processes
from flowdsl.storage.reading import read_journal
from tests.executors.left import Before

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only"),
    pytest.mark.slow,
]
FATES = ["good"] * 10 + ["exits", "killed", "raises", "leaves"]


def work(fate: str, pause: float) -> str:
    time.sleep(pause)
    if fate == "exits":
        os._exit(3)
    if fate == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fate == "raises":
        raise ValueError(fate)
    if fate == "leaves":
        subprocess.Popen(["sleep", "77"])
    return fate


def random_flow(draw: random.Random, log_dir: Path) -> Flow:
    """Pauses are as long as some of the limits, so that ends and kills meet."""
    flow = Flow("random", log_dir=log_dir, limits={"db": 2})
    for number in range(draw.choice([5, 20])):
        fate, pause = draw.choice(FATES), draw.choice([0, 0, 0.001, 0.01, 0.02])
        thread = fate in ("good", "raises") and draw.random() < 0.25
        flow.task(
            name="t%d" % number,
            isolation="thread" if thread else "process",
            retries=draw.choice([0, 1, Retry(1, delay=0.01)]),
            timeout=None if thread else draw.choice([None, None, 0.0105, 0.021, 0.3]),
            uses="db" if draw.random() < 0.1 else None,
            depends_on=["t%d" % up for up in draw.sample(range(number), min(number, draw.choice([0, 0, 1, 2])))],
            run_when=draw.choice(["all_done", "all_done", "all_succeeded"]),
        )(lambda fate=fate, pause=pause: work(fate, pause))
    return flow


def disturb(draw: random.Random, going: Run) -> None:
    """Cancel it at some moment, or kill workers until it ends, or leave it alone."""
    how = draw.choice(["cancel", "kill", "wait"])
    if how == "cancel":
        time.sleep(draw.random() * 0.3)
        going.cancel()
    while how == "kill" and not going.wait(0.05):
        for child in psutil.Process().children()[:1]:
            with contextlib.suppress(psutil.Error):  # it has just gone by itself
                child.kill()


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.once) for seed in range(3, 8))])
def test_random_flows_in_processes_end_keep_every_rule_and_leave_nothing(log_dir: Path, seed: int) -> None:
    processes.close_shared()
    before, draw = Before(), random.Random(seed)
    for _ in range(2):
        workers = draw.choice([1, 2, 5])
        going: Any = random_flow(draw, log_dir).start(display=None, max_workers=workers)
        disturb(draw, going)
        assert going.wait(60), "it hangs: %r" % (going.snapshot().counts,)
        check_batches(read_journal(going.dir).batches, max_workers=workers)
    processes.close_shared()
    assert before.left() == []
