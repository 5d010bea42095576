"""Which tasks wait for each other: who was running whenever a task that was ready found no worker, or no room."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

import pandas as pd

from flowdsl.analysis.grouping import whole_task
from flowdsl.analysis.schema import columns, frame_of_rows

__all__ = ["waits"]

COLUMNS = columns(
    "flow:string task:string behind:string runs:integer waited:integer share:float wait_s:float mutual:bool"
)
BRIEF = 0.001  # seconds; who waits less does not wait

Pair = Tuple[Optional[str], str, str]  # flow, who waits, behind whom
ENDED, WAITING, BEGUN = 0, 1, 2  # in this order at the same moment: who has just ended is not in the way


class Moment(NamedTuple):
    """Something that happens to an attempt."""

    at: int  # nanoseconds
    what: int
    task: str
    wait_s: float


def waits(attempts: pd.DataFrame) -> pd.DataFrame:
    """A DataFrame with one row a pair of tasks, `task` and whom it stood `behind`; what always happens comes first.

    `attempts` is the frame of one run or of many, or a part of it: `run.attempts`, `runs.attempts`. A task that was
    ready and did not begin within a millisecond stood behind all that ran half-way through its wait: for a worker, or
    for room in a named limit. (What it depends on had ended by then.) Items of a map count together, and a task may
    stand behind itself.

    ======  =======  ====  ========================================================================  ================
    name    dtype    unit  meaning                                                                   when null
    ======  =======  ====  ========================================================================  ================
    flow    string         the flow's name                                                           log line damaged
    task    string         who waits                                                                 never
    behind  string         who was running then                                                      never
    runs    Int64          runs in which both had attempts                                           never
    waited  Int64          those of them in which it waited behind that task                         never
    share   float64  1     ``waited / runs``: 1 is always                                            never
    wait_s  float64  s     how long it waited then, all runs together                                never
    mutual  bool           the other one waited behind this one too, in some run: they wait for      never
                           each other
    ======  =======  ====  ========================================================================  ================

    Pairs that share a named limit, or more tasks that are ready than there are workers, show as mutual waits with a
    share near 1. A third task that runs beside them is listed as well: a wait does not say whom it is for.
    """
    seconds: Dict[Pair, float] = {}
    waited: Dict[Pair, Set[str]] = {}
    present: Dict[Tuple[Optional[str], str], Set[str]] = {}
    for run, flow, group in _runs(attempts):
        for task in group["task"].unique():
            present.setdefault((flow, task), set()).add(run)
        for task, behind, wait_s in _behind(group):
            pair = (flow, task, behind)
            seconds[pair] = seconds.get(pair, 0.0) + wait_s
            waited.setdefault(pair, set()).add(run)
    rows: List[Tuple[Any, ...]] = []
    for (flow, task, behind), wait_s in seconds.items():
        runs = len(present[flow, task] & present[flow, behind])
        often = len(waited[flow, task, behind])
        mutual = (flow, behind, task) in waited
        rows.append((flow, task, behind, runs, often, round(often / runs, 6), round(wait_s, 6), mutual))
    rows.sort(key=lambda row: (-row[5], -row[6], row[1], row[2]))
    return frame_of_rows(COLUMNS, rows)


def _runs(attempts: pd.DataFrame) -> Iterator[Tuple[str, Optional[str], pd.DataFrame]]:
    known = attempts[attempts["started_at"].notna() & attempts["queued_at"].notna()]
    known = known.assign(task=whole_task(known["task"]))
    for run, group in known.groupby("run_id", sort=False):
        flow = group["flow"].iloc[0]
        yield str(run), (None if pd.isna(flow) else flow), group


def _behind(group: pd.DataFrame) -> Iterator[Tuple[str, str, float]]:
    """(who waits, behind whom, for how long), for each wait of a run."""
    running: Dict[str, int] = {}
    for moment in sorted(_moments(group)):
        if moment.what == WAITING:
            for task in running:
                yield moment.task, task, moment.wait_s
        elif moment.what == BEGUN:
            running[moment.task] = running.get(moment.task, 0) + 1
        elif running.get(moment.task, 0) > 1:
            running[moment.task] -= 1
        else:
            running.pop(moment.task, None)


def _moments(group: pd.DataFrame) -> Iterator[Moment]:
    times = ("queued_at", "started_at", "ended_at")
    nanoseconds = (
        group[name].dt.tz_convert(None).to_numpy().astype("datetime64[ns]").astype("int64") for name in times
    )
    for task, wait_s, queued, begun, ended in zip(group["task"], group["wait_s"], *nanoseconds):
        if wait_s >= BRIEF:
            yield Moment((queued + begun) // 2, WAITING, task, wait_s)
        if ended != begun:
            yield Moment(begun, BEGUN, task, 0.0)
        if ended > begun:  # else it has not ended: "not a time" is before all times
            yield Moment(ended, ENDED, task, 0.0)
