"""Where the time goes: what each task took over one run or many."""

from __future__ import annotations

import math
from typing import Any, List, Tuple

import pandas as pd

from flowdsl.analysis.grouping import by_task
from flowdsl.analysis.schema import columns, frame_of_rows
from flowdsl.engine.states import SUCCEEDED

__all__ = ["time_by_task"]

COLUMNS = columns(
    "flow:string task:string runs:integer attempts:integer busy_s:float share:float median_s:float max_s:float"
    " wait_s:float lost_s:float"
)


def time_by_task(attempts: pd.DataFrame) -> pd.DataFrame:
    """A DataFrame with one row a task of a flow, the one that took most time first; items of a map count together.

    `attempts` is the frame of one run or of many, or a part of it: `run.attempts`, `runs.attempts`.

    ========  =======  ====  ======================================================  ==========================
    name      dtype    unit  meaning                                                 when null
    ========  =======  ====  ======================================================  ==========================
    flow      string         the flow's name                                         log line damaged
    task      string         the task's name                                         never
    runs      Int64          how many runs had an attempt of it                      never
    attempts  Int64          how many attempts                                       never
    busy_s    float64  s     their durations together                                never
    share     float64  1     ``busy_s`` by that of all tasks                         nothing took any time
    median_s  float64  s     the median duration of those that succeeded             none succeeded
    max_s     float64  s     the longest duration of any                             none ended
    wait_s    float64  s     how long they stood ready before they began, together   never
    lost_s    float64  s     the durations of those that did not succeed, together   never
    ========  =======  ====  ======================================================  ==========================

    An attempt that has not ended has no duration, and counts as an attempt only.
    """
    rows = [_row(*group) for group in by_task(attempts)]
    total = sum(row[4] for row in rows)
    rows.sort(key=lambda row: (-row[4], row[1]))
    shared = [(*row[:5], round(row[4] / total, 6) if total else None, *row[5:]) for row in rows]
    return frame_of_rows(COLUMNS, shared)


def _row(flow: Any, task: str, group: pd.DataFrame) -> Tuple[Any, ...]:
    good = group["state"] == SUCCEEDED
    succeeded = group.loc[good, "duration_s"].dropna()
    seconds: List[Any] = [
        group["duration_s"].sum(),
        succeeded.median() if len(succeeded) else math.nan,
        group["duration_s"].max(),
        group["wait_s"].sum(),
        group.loc[~good, "duration_s"].sum(),
    ]
    return (flow, task, group["run_id"].nunique(), len(group), *(round(float(value), 6) for value in seconds))
