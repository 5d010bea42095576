"""Which retries were wasted: those of tasks that failed all the same."""

from __future__ import annotations

from typing import Any, List, Tuple

import pandas as pd

from flowdsl.analysis.grouping import by_task
from flowdsl.analysis.schema import columns, frame_of_rows
from flowdsl.engine.states import RUNNING, SUCCEEDED

__all__ = ["wasted_retries"]

COLUMNS = columns(
    "flow:string task:string retried:integer saved:integer saved_share:float retries:integer wasted:integer"
    " wasted_s:float error_type:string"
)


def wasted_retries(attempts: pd.DataFrame) -> pd.DataFrame:
    """A DataFrame with one row a task that was ever retried, the one that wasted most time first.

    `attempts` is the frame of one run or of many, or a part of it: `run.attempts`, `runs.attempts`. A retry is wasted
    when the task did not succeed in that run after all. Where that is a rule for a task, its errors do not pass by
    waiting: give it fewer retries, or let `give_up_on` name them.

    ===========  =======  ====  ================================================================  =================
    name         dtype    unit  meaning                                                           when null
    ===========  =======  ====  ================================================================  =================
    flow         string         the flow's name                                                   log line damaged
    task         string         the task's name; items of a map count together                    never
    retried      Int64          how often it was retried: runs, or items, with a second attempt   never
    saved        Int64          how often it succeeded in the end                                 never
    saved_share  float64  1     ``saved / retried``                                               never
    retries      Int64          attempts after the first                                          never
    wasted       Int64          those of them that did not lead to a success                      never
    wasted_s     float64  s     what those took, waits before them not counted                    never
    error_type   string         what the wasted ones failed with most often                       none was wasted, or
                                                                                                  none raised
    ===========  =======  ====  ================================================================  =================

    A task of which an attempt is running is left out; one that waits for its next attempt counts as not saved so far.
    """
    last = attempts.drop_duplicates(["run_id", "task"], keep="last").set_index(["run_id", "task"])
    ends = last["state"].astype(object).rename("end")
    again = attempts[attempts["attempt"] > 1].join(ends, on=["run_id", "task"])
    again = again[again["end"] != RUNNING]
    rows = [_row(flow, task, group) for flow, task, group in by_task(again.assign(instance=again["task"]))]
    rows.sort(key=lambda row: (-row[7], -row[5], row[1]))
    return frame_of_rows(COLUMNS, rows)


def _row(flow: Any, task: str, group: pd.DataFrame) -> Tuple[Any, ...]:
    once = group.drop_duplicates(["run_id", "instance"])
    saved = int((once["end"] == SUCCEEDED).sum())
    wasted = group[group["end"] != SUCCEEDED]
    errors: List[Any] = wasted["error_type"].dropna().mode().tolist()
    return (
        flow,
        task,
        len(once),
        saved,
        round(saved / len(once), 6),
        len(group),
        len(wasted),
        round(float(wasted["duration_s"].sum()), 6),
        errors[0] if errors else None,
    )
