"""How busy the workers of each run were, all together; `utilisation` tells them apart."""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
import pandas as pd

from flowdsl.analysis.schema import OF_A_RUN, columns, frame_of_rows

__all__ = ["occupancy"]

COLUMNS = OF_A_RUN + columns(
    "started_at:time length_s:float workers:integer attempts:integer busy_s:float share:float at_once:float"
    " peak:integer"
)


def occupancy(attempts: pd.DataFrame) -> pd.DataFrame:
    """A DataFrame with one row a run, in the order in which they are met.

    `attempts` is the frame of one run or of many, or a part of it: `run.attempts`, `runs.attempts`. Attempts without an
    end are left out.

    ==========  ===================  ====  ============================================================  =============
    name        dtype                unit  meaning                                                       when null
    ==========  ===================  ====  ============================================================  =============
    run_id      string                     the run                                                       never
    flow        string                     the flow's name                                               log damaged
    started_at  datetime64[us, UTC]        when the first attempt began                                  never
    length_s    float64              s     from then to the end of the last one                          never
    workers     Int64                      how many workers ran any of them                              never
    attempts    Int64                      how many attempts                                             never
    busy_s      float64              s     their durations together                                      never
    share       float64              1     ``busy_s / (length_s * workers)``: 1 is busy all the time      no length, or
                                                                                                         no worker known
    at_once     float64              1     ``busy_s / length_s``: attempts at a time, on average         no length
    peak        Int64                      attempts at a time, at most                                   never
    ==========  ===================  ====  ============================================================  =============

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """
    known = attempts[attempts["started_at"].notna() & attempts["ended_at"].notna()]
    rows: List[Tuple[Any, ...]] = [_row(str(run), group) for run, group in known.groupby("run_id", sort=False)]
    return frame_of_rows(COLUMNS, rows)


def _row(run: str, group: pd.DataFrame) -> Tuple[Any, ...]:
    flow = group["flow"].iloc[0]
    begins, ends = np.sort(_seconds(group["started_at"])), np.sort(_seconds(group["ended_at"]))
    length, busy, workers = float(ends[-1] - begins[0]), float(group["duration_s"].sum()), group["worker"].nunique()
    at_once = np.arange(1, len(begins) + 1) - np.searchsorted(ends, begins, "right")
    return (
        run,
        None if pd.isna(flow) else flow,
        float(begins[0]),
        round(length, 6),
        workers,
        len(group),
        round(busy, 6),
        round(busy / (length * workers), 6) if length > 0 and workers else None,
        round(busy / length, 6) if length > 0 else None,
        int(at_once.max()),
    )


def _seconds(times: Any) -> Any:
    """Times as seconds since the epoch, to the microsecond."""
    return times.dt.tz_convert(None).to_numpy().astype("datetime64[us]").astype("int64") / 1e6
