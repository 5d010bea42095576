"""Random flows on real threads: the workers that park and wake must miss nothing, and the log must keep every rule."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from flowdsl import Flow, Retry, Skip
from flowdsl.storage.reading import read_journal


def random_flow(seed: int, log_dir: Path) -> Flow:
    """Tasks of no length and of a few milliseconds, with failures, skips, retries and limits."""
    draw = random.Random(seed)
    flow = Flow("random", limits={"db": 2}, log_dir=log_dir)
    for number in range(draw.choice([5, 40, 150])):
        pause = draw.choice([0, 0, 0, 0.001, 0.008])
        fate = draw.choice(["good"] * 12 + ["bad", "skip", "flaky"])
        parents = draw.sample(range(number), min(number, draw.choice([0, 1, 1, 2, 3])))
        tries: Dict[str, int] = {"count": 0}

        def work(pause: float = pause, fate: str = fate, tries: Any = tries) -> int:
            tries["count"] += 1
            if pause:
                time.sleep(pause)
            if fate == "bad" or (fate == "flaky" and tries["count"] == 1):
                raise ValueError(fate)
            if fate == "skip":
                raise Skip(fate)
            return tries["count"]

        flow.task(
            name="t%d" % number,
            depends_on=["t%d" % parent for parent in parents],
            retries=Retry(1, delay=draw.choice([0, 0.003])) if fate == "flaky" else 0,
            uses="db" if draw.random() < 0.2 else None,
            run_when=draw.choice(["all_succeeded"] * 4 + ["all_done", "any_failed"]),
        )(work)
    return flow


@pytest.mark.slow
@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_random_flows_end_and_keep_every_rule(log_dir: Path, workers: int) -> None:
    from flowdsl.engine.check import check_batches

    for seed in range(25):
        flow = random_flow(seed, log_dir)
        going = flow.start(display=None, max_workers=workers)
        assert going.wait(60), "seed %d hangs: %r" % (seed, going.snapshot().counts)
        check_batches(read_journal(going.dir).batches, max_workers=workers)
        states: List[str] = list(going.tasks["state"])
        assert not set(states) & {"pending", "ready", "running", "retry_wait"}


@pytest.mark.slow
def test_long_tasks_run_side_by_side_however_short_the_ones_before_them_were(log_dir: Path) -> None:
    flow = Flow("mixed", log_dir=log_dir)
    for number in range(300):
        flow.task(name="short%d" % number, priority=1)(int)
    for number in range(4):
        flow.task(name="long%d" % number)(lambda: time.sleep(0.3))
    run = flow.run(display=None, max_workers=4)
    attempts = run.attempts
    long = attempts[attempts["task"].str.startswith("long")]
    assert long["started_at"].max() < long["ended_at"].min(), "all four overlap"
