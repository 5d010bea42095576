"""How long a run that goes on will still take, from what earlier runs took and from what it has done itself so far."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional

from flowdsl.engine import states as st
from flowdsl.engine.priority import remaining_paths
from flowdsl.engine.rows import TaskRow
from flowdsl.engine.snapshot import Snapshot

__all__ = ["time_left"]

OVERDUE = 0.1  # of what an attempt has taken: what is left of one that outlived its expectation
UNKNOWN = 0.5  # of the tasks that are left: where nothing is known of more, nobody can tell


def time_left(
    snapshot: Snapshot,
    durations: Mapping[str, float],
    now: float,
    max_workers: int,
    sizes: Optional[Mapping[str, int]] = None,
) -> Optional[float]:
    """Seconds that the run will still take; None where too little is known, 0 for a run that has ended.

    The larger of two bounds: the longest path through what is left, and all that is left shared by the workers. It is
    what a run takes that is never held up by limits, failures or retries; most take a little longer.

    Args:
        snapshot: the run as it stands.
        durations: seconds that a task is expected to take, by name; of a mapped task, one of its items. A task that
            is missing takes as long as its siblings (the tasks of the same function, the items of the same map) did
            in this run so far; where there are none either, as long as the known ones do on average.
        now: seconds since the epoch, on the clock of the snapshot's times.
        max_workers: how many attempts run at once.
        sizes: how many items a mapped task is expected to have, for as long as the run does not know it.

    None where nothing is known of more than half of the tasks that are left. An attempt that takes longer than expected
    counts a tenth of what it has taken so far. A mapped task whose size nobody knows counts as one item.
    """
    if snapshot.state != st.RUNNING:
        return 0.0
    rows = list(snapshot.tasks.values())
    open_rows = [row for row in rows if row.state in st.OPEN and row.size is None]
    if not open_rows:
        return 0.0
    expected = _expected(rows, open_rows, durations)
    known = [expected[row.name] for row in open_rows if row.name in expected]
    if len(known) < len(open_rows) * (1 - UNKNOWN):
        return None
    average = sum(known) / len(known)
    left = {row.name: _left(row, expected.get(row.name, average), now) for row in open_rows}
    work = sum(left.values())
    if sizes:
        work += sum((sizes[row.name] - 1) * left[row.name] for row in open_rows if row.name in sizes)
    return max(_longest_path(rows, left, now), work / max_workers)


def _expected(rows: List[TaskRow], open_rows: List[TaskRow], durations: Mapping[str, float]) -> Dict[str, float]:
    """By name, of the open tasks that something is known of."""
    expected: Dict[str, float] = {}
    siblings: Optional[Dict[str, float]] = None
    for row in open_rows:
        seconds = durations.get(row.name, durations.get(row.map_of))
        if seconds is None:
            siblings = _means(rows) if siblings is None else siblings
            seconds = siblings.get(_kin(row))
        if seconds is not None:
            expected[row.name] = seconds
    return expected


def _kin(row: TaskRow) -> str:
    return row.map_of or row.action


def _means(rows: List[TaskRow]) -> Dict[str, float]:
    lasted: Dict[str, List[float]] = {}
    for row in rows:
        if row.state == st.SUCCEEDED and row.duration_s is not None:
            lasted.setdefault(_kin(row), []).append(row.duration_s)
    return {kin: sum(seconds) / len(seconds) for kin, seconds in lasted.items()}


def _left(row: TaskRow, expected: float, now: float) -> float:
    if row.state != st.RUNNING or row.latest is None or row.latest.started_at is None:
        return expected
    taken = max(0.0, now - row.latest.started_at)
    return expected - taken if taken < expected else taken * OVERDUE


def _longest_path(rows: List[TaskRow], left: Mapping[str, float], now: float) -> float:
    """A mapped task counts as the item of it that has most left; an attempt that waits for its retry, with that."""
    longest = dict.fromkeys(left, 0.0)
    for row in rows:
        if row.name in left:
            wait = 0.0 if row.retry_at is None else max(0.0, row.retry_at - now)
            whole = row.map_of or row.name
            longest[whole] = max(longest.get(whole, 0.0), left[row.name] + wait)
    order = [row.name for row in rows if not row.map_of]
    weights = {name: longest.get(name, 0.0) for name in order}
    upstream = {row.name: [name for name in row.upstream if name in weights] for row in rows if not row.map_of}
    return max(remaining_paths(order, upstream, weights).values(), default=0.0)
