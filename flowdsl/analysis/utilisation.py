"""How busy each worker of a run was."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Tuple

import pandas as pd

from flowdsl.analysis.schema import OF_A_RUN, columns, frame_of_rows
from flowdsl.engine.snapshot import Attempt, Snapshot

__all__ = ["utilisation", "utilisations"]

COLUMNS = OF_A_RUN + columns("worker:string attempts:integer busy_s:float share:float")


def utilisation(snapshot: Snapshot) -> pd.DataFrame:
    """A DataFrame with one row a worker, the busiest first.

    An attempt that is still running counts up to the last event. What an abandoned thread did after its attempt
    ended is not counted.

    ========  =======  ====  ===================================================================  ====================
    name      dtype    unit  meaning                                                              when null
    ========  =======  ====  ===================================================================  ====================
    run_id    string         the run                                                              never
    flow      string         the flow's name                                                      log line damaged
    worker    string         the worker                                                           not known
    attempts  Int64          how many attempts began on it                                        never
    busy_s    float64  s     the sum of their durations                                           never
    share     float64  1     ``busy_s`` by the length of the run so far; 1 is busy all the time   the run took no time
    ========  =======  ====  ===================================================================  ====================
    """
    return utilisations([snapshot])


def utilisations(snapshots: Iterable[Snapshot]) -> pd.DataFrame:
    """The rows of `utilisation` for each run, run after run."""
    rows = [row for snapshot in snapshots for row in _rows(snapshot)]
    return frame_of_rows(COLUMNS, rows)


def _rows(snapshot: Snapshot) -> List[Tuple[Any, ...]]:
    by_worker: Dict[Optional[str], List[float]] = {}
    for attempt in list(snapshot.attempts):
        by_worker.setdefault(attempt.worker, []).append(_duration(attempt, snapshot.at))
    busy = {worker: round(sum(durations), 6) for worker, durations in by_worker.items()}
    workers = sorted(busy, key=lambda worker: (-busy[worker], str(worker)))
    length = _length(snapshot)
    return [
        (
            snapshot.run_id,
            snapshot.flow or None,
            worker,
            len(by_worker[worker]),
            busy[worker],
            round(busy[worker] / length, 6) if length else None,
        )
        for worker in workers
    ]


def _duration(attempt: Attempt, now: Optional[float]) -> float:
    end = now if attempt.ended_at is None else attempt.ended_at
    return 0.0 if attempt.started_at is None or end is None else end - attempt.started_at


def _length(snapshot: Snapshot) -> float:
    end = snapshot.at if snapshot.ended_at is None else snapshot.ended_at
    return 0.0 if snapshot.started_at is None or end is None else end - snapshot.started_at
