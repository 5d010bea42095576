"""What got slower: the durations of each task before and after a moment."""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
import pandas as pd

from flowdsl.analysis.grouping import by_task
from flowdsl.analysis.schema import columns, frame_of_rows
from flowdsl.engine.states import SUCCEEDED
from flowdsl.errors import ConfigError

__all__ = ["slower_since"]

COLUMNS = columns(
    "flow:string task:string before:integer after:integer before_s:float after_s:float change_s:float ratio:float"
    " probability:float"
)


def slower_since(attempts: pd.DataFrame, since: Any, *, least: int = 3) -> pd.DataFrame:
    """A DataFrame with one row a task of a flow, the one that lost most seconds first; those that got faster come last.

    Args:
        attempts: the frame of many runs, or a part of it: `runs.attempts`. Only attempts that succeeded count.
        since: a moment: a datetime, or text as ``"2026-11-17"`` or ``"2026-11-17 08:30"``; UTC where it names no zone.
        least: tasks with fewer attempts before or after it are left out.

    ===========  =======  ====  ==================================================================  =================
    name         dtype    unit  meaning                                                             when null
    ===========  =======  ====  ==================================================================  =================
    flow         string         the flow's name                                                     log line damaged
    task         string         the task's name; items of a map count together                      never
    before       Int64          how many attempts began before                                      never
    after        Int64          how many began at that moment or later                              never
    before_s     float64  s     their median duration                                               never
    after_s      float64  s     the median duration of the later ones                               never
    change_s     float64  s     ``after_s - before_s``                                              never
    ratio        float64  1     ``after_s / before_s``                                              it took no time
    probability  float64  1     of a later attempt to take longer than an earlier one, both drawn   never
                                at random: 0.5 where nothing changed, 1 where each takes longer
    ===========  =======  ====  ==================================================================  =================

    `probability` is Mann and Whitney's U by the number of pairs (Annals of Mathematical Statistics, 1947); ties count
    half. It does not mind a few attempts that took very long.

    Raises ConfigError where `since` is no moment.
    """
    moment = _moment(since)
    good = attempts[(attempts["state"] == SUCCEEDED) & attempts["duration_s"].notna()]
    rows: List[Tuple[Any, ...]] = []
    for flow, task, group in by_task(good):
        later = (group["started_at"] >= moment).to_numpy()
        seconds = group["duration_s"].to_numpy()
        before, after = seconds[~later], seconds[later]
        if min(len(before), len(after)) >= max(least, 1):
            rows.append((flow, task, *_compared(before, after)))
    rows.sort(key=lambda row: (-row[6], row[1]))
    return frame_of_rows(COLUMNS, rows)


def _moment(since: Any) -> pd.Timestamp:
    if isinstance(since, (bool, int, float)):  # pandas would take it for nanoseconds
        raise ConfigError(f"slower_since: {str(since)[:40]!r} is no moment; write it as '2026-11-17'")
    try:
        moment: pd.Timestamp = pd.Timestamp(since)
    except (ValueError, TypeError) as exc:
        raise ConfigError(f"slower_since: {str(since)[:40]!r} is no moment; write it as '2026-11-17'") from exc
    if pd.isna(moment):
        raise ConfigError("slower_since: there is no moment; write it as '2026-11-17'")
    in_zone: pd.Timestamp = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    return in_zone


def _compared(before: Any, after: Any) -> Tuple[Any, ...]:
    early, late = round(float(np.median(before)), 6), round(float(np.median(after)), 6)
    ordered = np.sort(before)
    wins = np.searchsorted(ordered, after, "left") + np.searchsorted(ordered, after, "right")
    probability = round(float(wins.sum()) / (2 * len(before) * len(after)), 6)
    ratio = round(late / early, 6) if early else None
    return len(before), len(after), early, late, round(late - early, 6), ratio, probability
