"""A flow played on a virtual clock: a run with the real machine and a real journal, in which no function is called.

For trying out what is asked of logs (a dashboard, a threshold, the functions of `flowdsl.analysis`) on months of runs
that take a second to make and are the same each time.
"""

from __future__ import annotations

import heapq
import os
from datetime import datetime, timezone
from pathlib import Path
from random import Random
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from flowdsl.definition.graph import Graph
from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.policy import Kind
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.world import Act, World
from flowdsl.runtime.launch import source
from flowdsl.runtime.plan import Defaults, Kinds, nodes
from flowdsl.runtime.run_id import run_id_at
from flowdsl.storage.journal import Journal

__all__ = ["Played", "rehearse"]

WORKER = Kind("worker")
ENDS = frozenset(ev.ATTEMPT_STATE) - {ev.ATTEMPT_STARTED}


class Played(NamedTuple):
    """What becomes of an attempt."""

    seconds: float  # until it ends by itself; its task's timeout may end it before
    error: str = ""  # the class of the exception that it raises; "" where it returns
    retryable: bool = True  # False: `give_up_on` names that class


def rehearse(
    graph: Graph,
    play: Callable[[str, int], Played],
    *,
    begin: Union[datetime, float],
    log_dir: Union[str, os.PathLike[str]] = "./logs/tasks",
    max_workers: int = 5,
    sizes: Optional[Mapping[str, int]] = None,
    defaults: Optional[Defaults] = None,
) -> Path:
    """Play a run of the graph, and write its journal; the directory of the run.

    Args:
        graph: what runs: `flow.graph()`.
        play: says of each attempt, by its task (``"delays[3]"`` for an item) and its number from 1, what becomes of it.
        begin: when the run begins: a datetime (UTC where it has no zone), or seconds since the epoch.
        log_dir: the directory of the journals.
        max_workers: how many attempts run at once.
        sizes: how many items each mapped task has; 1 for one that is missing here.
        defaults: what the flow says of retries and timeouts, for tasks that say nothing.

    Retries, waits, timeouts, limits and priorities are the machine's own. Two runs of a flow cannot begin at the same
    moment in one directory: LogWriteError.
    """
    at = begin if isinstance(begin, (int, float)) else _seconds(begin)
    run_id = run_id_at(graph.flow, at, Random(f"{graph.flow} {at}").getrandbits(24))
    players = _Players(play, sizes or {})
    batches = _played(graph, players, max_workers, defaults or Defaults())
    header = {
        "run_id": run_id,
        "flow": graph.flow,
        "file": source(),
        "max_workers": max_workers,
        "executor": "rehearsal",
        "on_failure": "continue",
        "limits": dict(graph.limits),
        "targets": list(graph.targets),
    }
    desk = _Desk(header, players.played)
    with Journal.create(Path(log_dir).absolute(), run_id) as journal:
        for batch in batches:
            journal.append([desk.told(event, batch.at) for event in batch.events], at + batch.at)
        return journal.path


def _seconds(moment: datetime) -> float:
    return (moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment).timestamp()


def _played(graph: Graph, players: _Players, max_workers: int, defaults: Defaults) -> List[Batch]:
    batches: List[Batch] = []

    def keep(message: Any, batch: Batch, effects: Sequence[Any], now: float) -> None:
        if batch.events:
            batches.append(batch)

    kinds = {WORKER.name: WORKER}
    draw = Random(graph.flow).random
    scheduler = Scheduler(kinds, max_workers=max_workers, limits=graph.limits, draw=draw)
    world = World(scheduler, kinds, players, keep)
    names = Kinds(WORKER.name, WORKER.name, WORKER.name, WORKER.name)
    for message in (ev.Start(), ev.Add(tuple(nodes(graph, defaults, names, {}))), ev.Seal()):
        world.feed(message)
    world.run()
    return batches


class _Players:
    """The habits of the workers: attempts go as they are played, and end at once when they are told to."""

    def __init__(self, play: Callable[[str, int], Played], sizes: Mapping[str, int]) -> None:
        self._play = play
        self._sizes = sizes
        self.played: Dict[Tuple[str, int], Played] = {}

    def act(self, launch: ev.Launch) -> Act:
        played = self.played[launch.task, launch.attempt] = self._play(launch.task, launch.attempt)
        seconds, error, retryable = played
        state, cause = (st.FAILED, "raised") if error else (st.SUCCEEDED, "returned")
        return Act(max(0.0, seconds), state, cause, retryable, mechanism="killed")

    def size(self, task: str) -> Tuple[float, Optional[int]]:
        return 0.0, self._sizes.get(task, 1)

    def claim(self) -> Tuple[float, ev.Claim]:
        return 0.0, ev.Claim()

    def lateness(self) -> float:
        return 0.0


class _Desk:
    """Adds to events what a driver and its workers would have said: who ran it, and what it failed with."""

    def __init__(self, header: Mapping[str, Any], played: Mapping[Tuple[str, int], Played]) -> None:
        self._header = header
        self._played = played
        self._free: List[int] = []
        self._busy: Dict[str, int] = {}

    def told(self, event: Event, at: float) -> Event:
        if event.event == ev.RUN_STARTED:
            return event._replace(detail=self._header)
        if event.event == ev.ATTEMPT_STARTED:
            number = heapq.heappop(self._free) if self._free else len(self._busy) + 1
            self._busy[event.task] = number
            return event._replace(detail={"worker": f"worker-{number}"})
        if event.event in ENDS:
            heapq.heappush(self._free, self._busy.pop(event.task))
            return event._replace(detail={**(event.detail or {}), **self._error(event)})
        return event

    def _error(self, event: Event) -> Mapping[str, Any]:
        if event.event == ev.ATTEMPT_TIMED_OUT:
            return {"error_type": "TaskTimeout", "error": "timed out"}
        error = self._played[event.task, event.attempt].error if event.event == ev.ATTEMPT_FAILED else ""
        return {"error_type": error, "error": error} if error else {}
