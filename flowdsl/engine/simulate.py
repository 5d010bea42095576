"""What a run would come to, "what if I had 16 workers?": the machine on a virtual clock."""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine.events import Batch
from flowdsl.engine.maps import split
from flowdsl.engine.policy import Kind, Node
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.world import Act, World

__all__ = ["Forecast", "simulate"]


class Steady:
    """Every attempt succeeds after its expected duration; claims and ticks come at once."""

    def __init__(self, durations: Mapping[str, float], sizes: Optional[Mapping[str, int]] = None) -> None:
        self._durations = durations
        self._sizes = sizes or {}

    def act(self, launch: ev.Launch) -> Act:
        expected = self._durations.get(launch.task)
        return Act(self._durations.get(split(launch.task)[0], 1.0) if expected is None else expected)

    def size(self, task: str) -> Tuple[float, Optional[int]]:
        return 0.0, self._sizes.get(task, 1)

    def claim(self) -> Tuple[float, ev.Claim]:
        return 0.0, ev.Claim()

    def lateness(self) -> float:
        return 0.0


class Forecast(NamedTuple):
    """What a run would come to."""

    makespan: float  # seconds
    state: str  # of the run
    batches: Tuple[Batch, ...]  # to be folded like those of a real run; `at` counts from 0


def simulate(
    nodes: Iterable[Node],
    durations: Mapping[str, float],
    max_workers: int,
    *,
    limits: Optional[Mapping[str, int]] = None,
    on_failure: str = "continue",
    sizes: Optional[Mapping[str, int]] = None,
) -> Forecast:
    """What the run of these tasks would come to, if each attempt took its expected duration and succeeded.

    Args:
        nodes: the tasks, dependencies before dependants.
        durations: seconds by name of task; 1 for a task that is missing here. An item that is missing takes what its
            mapped task has here.
        max_workers: attempts that may run at the same time.
        limits: named limits, as of the flow.
        on_failure: "continue" or "stop"; tasks fail here only by their own `timeout`.
        sizes: how many items a mapped task has; 1 for one that is missing here.
    """
    tasks = tuple(nodes)
    kinds = {node.policy.kind: Kind(node.policy.kind) for node in tasks}
    batches: List[Batch] = []

    def keep(message: Any, batch: Batch, effects: Sequence[Any], now: float) -> None:
        if batch.events:
            batches.append(batch)

    scheduler = Scheduler(kinds, max_workers=max_workers, limits=limits, on_failure=on_failure)
    world = World(scheduler, kinds, Steady(durations, sizes), keep)
    for message in (ev.Start(), ev.Add(tasks), ev.Seal()):
        world.feed(message)
    world.run()
    return Forecast(batches[-1].at, scheduler.state, tuple(batches))
