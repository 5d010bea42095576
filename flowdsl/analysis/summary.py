"""The overview of many runs: one row a run, and one row for each piece of a journal that could not be read."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Optional, Sequence, Tuple

import pandas as pd

from flowdsl.analysis.schema import OF_A_RUN, build_frame, columns, frame_of_rows
from flowdsl.engine.snapshot import Snapshot
from flowdsl.engine.states import FAILED, TIMED_OUT
from flowdsl.settings import options

__all__ = ["damage_frame", "summary_frame", "summary_html"]

SUMMARY = OF_A_RUN + columns("state cause started_at:time ended_at:time duration_s:float tasks:integer failed:integer")
_UNSTABLE = ["run_id", "started_at", "ended_at", "duration_s"]
DAMAGE = columns("run_id:string line:integer offset:integer reason:string")


def summary_frame(snapshots: Iterable[Snapshot]) -> pd.DataFrame:
    """A DataFrame with one row a run, in the order given.

    ==========  ===================  ====  ====================================================  =====================
    name        dtype                unit  meaning                                               when null
    ==========  ===================  ====  ====================================================  =====================
    run_id      string                     the run                                               never
    flow        string                     the flow's name                                       log line damaged
    state       category                   its state; interrupted: its process died              never
    cause       category                   why it is in that state                               never
    started_at  datetime64[us, UTC]        when it began                                         log line damaged
    ended_at    datetime64[us, UTC]        when it ended                                         running, interrupted
    duration_s  float64              s     ``ended_at`` minus ``started_at``                     either is null
    tasks       Int64                      how many tasks it has; a mapped one and each of       never
                                           its items are tasks
    failed      Int64                      how many of them failed or timed out for good,        never
                                           those that waited for them not counted; of a mapped
                                           task its items, not itself
    ==========  ===================  ====  ====================================================  =====================

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """
    runs = list(snapshots)
    values: Dict[str, Any] = {
        name: [getattr(run, name) for run in runs] for name in ("run_id", "state", "cause", "started_at", "ended_at")
    }
    values["flow"] = [run.flow or None for run in runs]
    values["duration_s"] = [_duration(run) for run in runs]
    values["tasks"] = [len(run.tasks) for run in runs]
    values["failed"] = [_failed(run) for run in runs]
    return build_frame(SUMMARY, values)


def summary_html(frame: pd.DataFrame) -> Optional[str]:
    """The overview as an HTML table, names escaped, of at most 60 rows; None where pandas cannot make one.

    With `options.stable_repr` it is without what is another in each execution.
    """
    try:
        shown = frame.drop(columns=_UNSTABLE) if options.stable_repr else frame
        return str(shown.to_html(max_rows=60))
    except Exception:  # a table is never worth an error
        return None


def _failed(run: Snapshot) -> int:
    """Items are counted, and not their mapped tasks once more."""
    failed = run.counts[FAILED] + run.counts[TIMED_OUT]
    return failed - sum(row.cause == "items_failed" for row in run.tasks.values()) if failed else 0


def _duration(run: Snapshot) -> Optional[float]:
    if run.started_at is None or run.ended_at is None:
        return None
    return round(run.ended_at - run.started_at, 6)


def damage_frame(damage: Sequence[Tuple[str, Optional[int], Optional[int], str]]) -> pd.DataFrame:
    """A DataFrame with one row for each piece of a journal that was passed over: (run_id, line, offset, reason).

    ======  ======  =====  =================================  ================================
    name    dtype   unit   meaning                            when null
    ======  ======  =====  =================================  ================================
    run_id  string         the run                            never
    line    Int64          the line, counted from 1           the whole file could not be read
    offset  Int64   bytes  where it begins in events.jsonl    the whole file could not be read
    reason  string         what is wrong with it              never
    ======  ======  =====  =================================  ================================
    """
    return frame_of_rows(DAMAGE, damage)
