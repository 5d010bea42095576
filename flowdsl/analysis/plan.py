"""What a run would come to with other workers: the real machine on a virtual clock, with durations that were measured.

`what_if` asks that of a run, `foresee` of nodes that never ran.
"""

from __future__ import annotations

import heapq
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import pandas as pd

from flowdsl.analysis.critical import critical_path
from flowdsl.analysis.frames import tasks_frame
from flowdsl.analysis.timeline import Timeline
from flowdsl.analysis.utilisation import utilisation
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine import states as st
from flowdsl.engine.policy import Node, Policy
from flowdsl.engine.priority import remaining_paths
from flowdsl.engine.simulate import simulate
from flowdsl.engine.snapshot import Snapshot, TaskRow, fold
from flowdsl.errors import ConfigError
from flowdsl.settings import options
from flowdsl.storage.times import seconds_text

__all__ = ["Numbers", "Plan", "foresee", "refuse_unknown_limits", "what_if"]

WORKER = "worker"  # one kind of executor for all: who runs a task makes no difference to a plan
Show = Callable[[Snapshot], Timeline]


class Numbers(NamedTuple):
    """A plan in numbers; times in seconds."""

    max_workers: int
    makespan_s: float  # from the first task's begin to the last one's end
    bound_s: float  # no order of tasks is faster: the larger of `critical_path_s` and `work_s / max_workers`
    critical_path_s: float  # no number of workers is faster
    work_s: float  # all tasks one after the other
    share: float  # of the workers' time in which they have something to do, 0 to 1


class Plan:
    """What a run would come to; `numbers` sums it up.

    `snapshot` is the run as it would be, from which the frames and the picture come as from that of a real one.
    """

    def __init__(self, snapshot: Snapshot, max_workers: int, show: Show = Timeline) -> None:
        self.snapshot = snapshot
        self._show = show
        path = self.critical_path()
        longest = round(float(path.loc[path["on_path"], "elapsed_s"].sum()), 6)
        work = round(sum(attempt.duration_s or 0.0 for attempt in snapshot.attempts), 6)
        makespan = round((snapshot.ended_at or 0.0) - (snapshot.started_at or 0.0), 6)
        share = round(work / (makespan * max_workers), 6) if makespan else 0.0
        self.numbers = Numbers(max_workers, makespan, max(longest, work / max_workers), longest, work, share)

    @property
    def makespan_s(self) -> float:
        """Seconds from begin to end."""
        return self.numbers.makespan_s

    @property
    def tasks(self) -> pd.DataFrame:
        """A DataFrame with one row a task; its columns are those of `flowdsl.analysis.frames.tasks_frame`."""
        return tasks_frame([self.snapshot])

    def critical_path(self) -> pd.DataFrame:
        """A DataFrame as that of a run: see `flowdsl.analysis.critical.critical_path`."""
        return critical_path(self.snapshot)

    def utilisation(self) -> pd.DataFrame:
        """A DataFrame as that of a run: see `flowdsl.analysis.utilisation.utilisation`."""
        return utilisation(self.snapshot)

    def timeline(self) -> Timeline:
        """The tasks on a time axis, worker by worker."""
        return self._show(self.snapshot)

    def __repr__(self) -> str:
        one = self.numbers
        if options.stable_repr:
            return f"<Plan of flow {self.snapshot.flow!r} on {one[0]} workers>"
        text = "%d workers: %s s, at best %s s (critical path %s s, work %s s); busy %.0f %% of the time"
        made = text % (one[0], *map(seconds_text, one[1:5]), one.share * 100)
        return f"<Plan of flow {self.snapshot.flow!r} on {made}>"


def what_if(
    snapshot: Snapshot,
    max_workers: int,
    *,
    limits: Optional[Mapping[str, int]] = None,
    durations: Optional[Mapping[str, float]] = None,
    show: Show = Timeline,
) -> Plan:
    """The plan of the same run on so many workers, each task as long as it was.

    Args:
        snapshot: a run, finished or not. A task takes what its attempts took together; waits between them take none.
            What never ran in a finished run (its dependencies failed, it was skipped) does not run in the plan either.
        max_workers: how many attempts run at once; 1 or more.
        limits: named limits that are other than those of the run.
        durations: seconds by name, for tasks that have not run yet; 1 for one that is missing there.
        show: makes the plan's timeline of its snapshot, with what draws it.

    Named limits and priorities are those of the run. All workers are equally fast; to start an attempt takes no time.
    """
    rows = list(snapshot.tasks.values())
    took = _seconds(snapshot, durations or {})
    kept = {row.name: row for row in rows if _takes_part(row, snapshot.state == st.RUNNING)}
    limits = {**_limits(snapshot.info.get("limits")), **(limits or {})}
    nodes = _nodes([row for row in kept.values() if row.map_of not in kept], kept, took, limits)
    sizes = {row.name: row.size for row in rows if row.size is not None}
    absent = {row.name: 0.0 for row in rows if row.map_of in kept and row.name not in took}
    begin = snapshot.started_at or 0.0
    return foresee(
        nodes,
        {**took, **absent},
        max_workers,
        limits=limits,
        sizes=sizes,
        names=(snapshot.run_id, snapshot.flow),
        begin=begin,
        show=show,
    )


def foresee(
    nodes: Iterable[Node],
    durations: Mapping[str, float],
    max_workers: int,
    *,
    limits: Optional[Mapping[str, int]] = None,
    sizes: Optional[Mapping[str, int]] = None,
    names: Tuple[str, str] = ("", ""),
    begin: float = 0.0,
    show: Show = Timeline,
) -> Plan:
    """The plan of these nodes; see `flowdsl.engine.simulate.simulate` for what it takes.

    `names` are the run's and the flow's, `begin` is when it begins, in seconds since the epoch.
    """
    forecast = simulate(nodes, durations, max_workers, limits=limits, sizes=sizes)
    batches = (batch._replace(at=begin + batch.at) for batch in forecast.batches)
    snapshot = fold(batches, run_id=names[0], flow=names[1])
    _name_workers(snapshot)
    return Plan(snapshot, max_workers, show)


def _takes_part(row: TaskRow, goes_on: bool) -> bool:
    return bool(row.attempts) or row.size is not None or row.state in st.DONE_WELL or (goes_on and row.state in st.OPEN)


def _seconds(snapshot: Snapshot, durations: Mapping[str, float]) -> Dict[str, float]:
    """What each task took, all attempts together; one that is open takes what is expected of it, if that is more."""
    took: Dict[str, float] = {}
    for attempt in snapshot.attempts:
        end = snapshot.at if attempt.ended_at is None else attempt.ended_at
        if attempt.started_at is not None and end is not None:
            took[attempt.task] = took.get(attempt.task, 0.0) + max(0.0, end - attempt.started_at)
    for row in list(snapshot.tasks.values()):
        if row.state in st.OPEN and row.size is None:
            expected = durations.get(row.name, durations.get(row.map_of))
            took[row.name] = max(took.get(row.name, 0.0), 1.0 if expected is None else expected)
    return took


def _nodes(
    rows: Sequence[TaskRow], kept: Mapping[str, TaskRow], took: Mapping[str, float], limits: Mapping[str, int]
) -> List[Node]:
    """The tasks of the plan in their order; a mapped one weighs what its items take on average."""
    items: Dict[str, List[float]] = {}
    for name, row in kept.items():
        if row.map_of in kept:
            items.setdefault(row.map_of, []).append(took.get(name, 0.0))
    weights = {row.name: took.get(row.name, 0.0) for row in rows}
    weights.update({name: sum(seconds) / len(seconds) for name, seconds in items.items()})
    upstream: Dict[str, Tuple[str, ...]] = {}
    for row in rows:  # an edge against the order can only come from a journal that was made elsewhere
        upstream[row.name] = tuple(name for name in row.upstream if name in upstream)
    ranks = remaining_paths(list(upstream), upstream, weights)
    return [_node(row, upstream[row.name], ranks[row.name], limits) for row in rows]


def _node(row: TaskRow, upstream: Tuple[str, ...], rank: float, limits: Mapping[str, int]) -> Node:
    known = "given" if row.state in st.DONE_WELL and not row.attempts and row.size is None else ""
    over = None if row.size is None else tuple(name for name in row.over if name in upstream)
    policy = Policy(WORKER, uses=tuple(name for name in row.uses if name in limits))
    detail: Mapping[str, Any] = {"action": row.action, "tags": row.tags, "upstream": upstream, "over": over or ()}
    return Node(row.name, upstream, policy, row.priority, rank, known, detail, over)


def _limits(value: Any) -> Dict[str, int]:
    """Named limits as a journal tells them, which may be anything."""
    found = value.items() if isinstance(value, dict) else ()
    return {name: limit for name, limit in found if type(name) is str and type(limit) is int and limit > 0}


def refuse_unknown_limits(snapshot: Snapshot, limits: Iterable[str], where: object) -> None:
    """Raise ConfigError for a limit that the run does not have: it would change nothing."""
    known = list(_limits(snapshot.info.get("limits")))
    for name in limits:
        if name not in known:
            advice = "it has " + ", ".join(map(repr, known)) if known else "it has none"
            raise ConfigError(f"{where}: the run has no limit {name!r}{did_you_mean(name, known, advice)}")


def _name_workers(snapshot: Snapshot) -> None:
    """Give each attempt the first worker that is free when it begins."""
    free: List[int] = []
    busy: List[Tuple[float, int]] = []
    for attempt in snapshot.attempts:
        begin = attempt.started_at or 0.0
        while busy and busy[0][0] <= begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        number = heapq.heappop(free) if free else len(busy) + 1
        heapq.heappush(busy, (begin if attempt.ended_at is None else attempt.ended_at, number))
        attempt.worker = snapshot.tasks[attempt.task].worker = "worker-%d" % number
