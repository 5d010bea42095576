"""How past runs of a flow went, task by task: counts and durations, from their journals."""

from __future__ import annotations

import os
from statistics import median
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence, Tuple, Union

from flowdsl.engine import states as st
from flowdsl.past_run import PastRun
from flowdsl.storage.reading import read_journal, run_dirs

__all__ = ["TaskStatistics", "past_runs", "statistics_of"]

RUNS, LOOKED_AT = 20, 200  # how many runs count, and how many directories are opened to find them


class TaskStatistics(NamedTuple):
    """How a task did in some runs; durations are those of attempts that succeeded, in seconds."""

    runs: int
    succeeded: int
    failed: int
    retries: int  # attempts after the first, of all runs together
    median_s: float
    ninth_s: float  # nine of ten took at most as long
    longest_s: float
    wait_s: float  # median wait for a worker


def past_runs(log_dir: Union[str, os.PathLike[str]], flow: str) -> List[PastRun]:
    """The latest runs of the flow that left a journal there, oldest first; what cannot be read is passed over."""
    found: List[PastRun] = []
    for run_dir in reversed(run_dirs(log_dir)[-LOOKED_AT:]):
        try:
            run = PastRun(read_journal(run_dir))
        except OSError:
            continue
        if run.flow == flow and run.done:
            found.append(run)
        if len(found) == RUNS:
            break
    return found[::-1]


def statistics_of(runs: Iterable[Any]) -> Dict[str, TaskStatistics]:
    """The statistics of every task that had an attempt in one of the runs."""
    rows: Dict[str, List[Any]] = {}
    for run in runs:
        for name, row in run.snapshot().tasks.items():
            if row.attempts:
                rows.setdefault(name.partition("[")[0], []).append(row)
    return {name: _of_rows(found) for name, found in rows.items()}


def _of_rows(rows: Sequence[Any]) -> TaskStatistics:
    took = sorted(row.duration_s for row in rows if row.state in st.DONE_WELL and row.duration_s is not None)
    waits = [row.started_at - row.queued_at for row in rows if None not in (row.started_at, row.queued_at)]
    return TaskStatistics(
        runs=len(rows),
        succeeded=sum(row.state in st.DONE_WELL for row in rows),
        failed=sum(row.state in st.WENT_WRONG for row in rows),
        retries=sum(row.attempts - 1 for row in rows),
        median_s=median(took) if took else 0.0,
        ninth_s=_share(took, 0.9),
        longest_s=took[-1] if took else 0.0,
        wait_s=median(waits) if waits else 0.0,
    )


def _share(values: Sequence[float], share: float) -> float:
    """The least of the rising values that this share of them does not exceed (the nearest-rank percentile)."""
    return values[max(0, -(-int(share * 100) * len(values) // 100) - 1)] if values else 0.0


def span(runs: Sequence[Any]) -> Tuple[int, float]:
    """How many of the runs succeeded, and the median of their durations in seconds."""
    took = [run.snapshot().ended_at - run.snapshot().started_at for run in runs if run.state == st.SUCCEEDED]
    return len(took), median(took) if took else 0.0
