"""What it costs to read runs back: `python -m tests.benchmarks.loading`; processor time, for a machine may be busy."""

from __future__ import annotations

import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Callable, List

import flowdsl
from flowdsl import Flow
from flowdsl.analysis.rehearsal import Played, rehearse
from tests.benchmarks import machine

SHAPES = ((1, 25_000), (50, 500), (1_000, 22))  # runs, items in each: 100,000 events


def main() -> None:
    """Print a table: processor seconds for what one does with a directory of runs."""
    with tempfile.TemporaryDirectory(prefix="flowdsl-benchmark-") as directory:
        print(machine.facts(directory), flush=True)
        print("\n|  runs |  events | load_runs | events | attempts | tasks | insight |")
        print("| ----: | ------: | --------: | -----: | -------: | ----: | ------: |")
        for runs, items in SHAPES:
            log_dir = Path(directory) / str(runs)
            write(log_dir, runs, items)
            print(measured(log_dir, runs), flush=True)


def write(log_dir: Path, runs: int, items: int) -> None:
    """So many runs of a task, a mapped one and a third that takes the list."""
    flow = Flow("loading", log_dir=log_dir)
    flow.task("first")(lambda: None)
    flow.task("each", map="first")(lambda first: None)
    flow.task("last")(lambda each: None)
    graph = flow.graph()
    for number in range(runs):
        begin = datetime(2026, 1, 1) + timedelta(hours=number)
        rehearse(graph, lambda task, attempt: Played(3.0), begin=begin, log_dir=log_dir, sizes={"each": items})


def measured(log_dir: Path, runs: int) -> str:
    """A line of the table."""
    spent: List[float] = []

    def lap(do: Callable[[], Any]) -> Any:
        begun = time.process_time()
        made = do()
        spent.append(time.process_time() - begun)
        return made

    loaded = lap(lambda: flowdsl.load_runs(log_dir))
    events = lap(lambda: loaded.events)
    lap(lambda: loaded.attempts)
    lap(lambda: loaded.tasks)
    lap(lambda: questions(loaded.insight))
    load, of_events, attempts, tasks, insight = spent
    return (
        f"| {runs:>5,} | {len(events):>7,} | {load:>9.2f} | {of_events:>6.2f} | {attempts:>8.2f} | {tasks:>5.2f} "
        f"| {insight:>7.2f} |"
    )


def questions(insight: Any) -> None:
    """All that can be asked without a date."""
    for ask in (insight.time_by_task, insight.wasted_retries, insight.occupancy, insight.waits):
        ask()


if __name__ == "__main__":
    import pandas  # noqa: F401  what its import costs is no part of it

    main()
