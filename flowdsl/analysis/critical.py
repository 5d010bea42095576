"""Which tasks made a run as long as it was: the critical path, and how much slack every other task had.

The critical path method (J. E. Kelley and M. R. Walker, "Critical-path planning and scheduling", Proceedings of
the Eastern Joint Computer Conference, 1959, pages 160-173), applied to what was measured.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import pandas as pd

from flowdsl.analysis.schema import OF_A_TASK, build_frame, columns, map_indices
from flowdsl.engine.snapshot import Snapshot, TaskRow

__all__ = ["critical_path"]

COLUMNS = OF_A_TASK + columns(
    "on_path:bool elapsed_s:float earliest_s:float latest_s:float slack_s:float wait_s:float share:float"
)
Seconds = Dict[str, float]
Upstream = Mapping[str, Sequence[str]]


def critical_path(snapshot: Snapshot) -> pd.DataFrame:
    """A DataFrame with one row a task: first the critical path in its order, then the others, least slack first.

    The critical path is the chain of tasks that takes longest; only a task on it can shorten the run when it gets
    faster. `frame[frame.on_path]` is the path alone. The figures are those of unlimited workers: a path much shorter
    than the run means that the run lacked workers. A task that is still running counts up to the last event, one
    that has not begun (or never ran) counts nothing.

    ==========  =======  ====  ======================================================================  ===============
    name        dtype    unit  meaning                                                                 when null
    ==========  =======  ====  ======================================================================  ===============
    run_id      string         the run                                                                 never
    flow        string         the flow's name                                                         log line damaged
    task        string         the task's name                                                         never
    map_index   Int64          the instance's place in its map                                         not an instance
    on_path     bool           it is on the critical path                                              never
    elapsed_s   float64  s     from its first begin to its end, with its retries and their waits       never
    earliest_s  float64  s     EF(u) of its slowest dependency u: the soonest that it could begin      never
    latest_s    float64  s     the latest that it could begin and not make the path longer             never
    slack_s     float64  s     ``latest_s - earliest_s``: how much slower it could be for free; 0 on   never
                               the path
    wait_s      float64  s     how long it stood ready before it began                                 it did not begin
    share       float64  1     ``elapsed_s`` by the length of the path: 0.5 is half of it              the path is 0 s
    ==========  =======  ====  ======================================================================  ===============

    With d the elapsed time: EF(i) = ES(i) + d(i), ES(i) = max EF(u) over the dependencies u (0 without any),
    LS(i) = min LS(k) over the dependants k - d(i) (max EF - d(i) without any). ES and LS count from the run's start.
    A mapped task takes no time of its own: it waits for its items, and they take the time.
    """
    rows = {row.name: row for row in list(snapshot.tasks.values())}
    upstream = _upstream(rows)
    elapsed = {name: _elapsed(row, snapshot.at) for name, row in rows.items()}
    order = list(upstream)
    earliest = _earliest(order, upstream, elapsed)
    latest = _latest(order, upstream, elapsed, earliest)
    path = _path(order, upstream, elapsed, earliest)
    slack = {name: 0.0 if name in path else round(latest[name] - earliest[name], 6) for name in order}
    others = sorted((name for name in order if name not in path), key=lambda name: (slack[name], earliest[name]))
    names = [*path, *others]
    length = sum(elapsed[name] for name in path)
    values: Dict[str, Any] = {
        "run_id": [snapshot.run_id] * len(names),
        "flow": [snapshot.flow or None] * len(names),
        "task": names,
        "map_index": map_indices(names),
        "on_path": [name in path for name in names],
        "elapsed_s": [round(elapsed[name], 6) for name in names],
        "earliest_s": [round(earliest[name], 6) for name in names],
        "latest_s": [round(earliest[name] + slack[name], 6) for name in names],
        "slack_s": [slack[name] for name in names],
        "wait_s": [_between(rows[name].queued_at, rows[name].started_at) for name in names],
        "share": [round(elapsed[name] / length, 6) if length else None for name in names],
    }
    return build_frame(COLUMNS, values)


def _upstream(rows: Mapping[str, TaskRow]) -> Upstream:
    """What each task waited for, dependencies before dependants; of a mapped task that is also its items.

    The order is that in which tasks joined the run, items before their mapped task; an edge against it (a journal may
    come from anywhere) is left out.
    """
    tasks = [name for name, row in rows.items() if row.map_of not in rows]
    number = {name: place for place, name in enumerate(tasks)}
    items: Dict[str, List[str]] = {}
    for name, row in rows.items():
        if row.map_of in rows:
            items.setdefault(row.map_of, []).append(name)
            number[name] = number.get(row.map_of, 0)
    found: Dict[str, Tuple[str, ...]] = {}
    for name in tasks:
        for one in (*items.get(name, ()), name):
            before = [source for source in rows[one].upstream if number.get(source, number[one]) < number[one]]
            found[one] = (*before, *items.get(one, ()))
    return found


def _elapsed(row: TaskRow, now: Optional[float]) -> float:
    if row.size is not None:  # its items have taken that time
        return 0.0
    return _between(row.started_at, now if row.ended_at is None else row.ended_at) or 0.0


def _between(begin: Optional[float], end: Optional[float]) -> Optional[float]:
    return None if begin is None or end is None else round(end - begin, 6)


def _earliest(order: Sequence[str], upstream: Upstream, elapsed: Seconds) -> Seconds:
    starts: Seconds = {}
    for name in order:
        starts[name] = max((starts[source] + elapsed[source] for source in upstream[name]), default=0.0)
    return starts


def _latest(order: Sequence[str], upstream: Upstream, elapsed: Seconds, earliest: Seconds) -> Seconds:
    length = max((earliest[name] + elapsed[name] for name in order), default=0.0)
    ends = dict.fromkeys(order, length)
    for name in reversed(order):
        start = ends[name] - elapsed[name]
        for source in upstream[name]:
            ends[source] = min(ends[source], start)
    return {name: ends[name] - elapsed[name] for name in order}


def _path(order: Sequence[str], upstream: Upstream, elapsed: Seconds, earliest: Seconds) -> Dict[str, None]:
    """The names on the longest chain, first to last; a dict, so that `in` is quick."""
    if not order:
        return {}

    def end(name: str) -> float:
        return earliest[name] + elapsed[name]

    chain: List[str] = [max(order, key=end)]
    while upstream[chain[-1]]:
        chain.append(max(upstream[chain[-1]], key=end))
    return dict.fromkeys(reversed(chain))
