"""What a run would come to, "what if I had 16 workers?": the machine on a virtual clock."""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine.events import Batch
from flowdsl.engine.policy import Kind, Node
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.world import Act, World

__all__ = ["Forecast", "simulate"]


class Steady:
    """Every attempt succeeds after its expected duration; claims and ticks come at once."""

    def __init__(self, durations: Mapping[str, float]) -> None:
        self._durations = durations

    def act(self, launch: ev.Launch) -> Act:
        return Act(self._durations.get(launch.task, 1.0))

    def claim(self) -> Tuple[float, Optional[Tuple[str, ...]]]:
        return 0.0, None

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
) -> Forecast:
    """What the run of these tasks would come to, if each attempt took its expected duration and succeeded.

    Parameters
    ----------
    nodes : the tasks, dependencies before dependants.
    durations : seconds by name of task; 1 for a task that is missing here.
    max_workers : attempts that may run at the same time.
    limits : named limits, as of the flow.
    on_failure : "continue" or "stop"; tasks fail here only by their own `timeout`.
    """
    tasks = tuple(nodes)
    kinds = {node.policy.kind: Kind(node.policy.kind) for node in tasks}
    batches: List[Batch] = []

    def keep(message: Any, batch: Batch, effects: Sequence[Any], now: float) -> None:
        if batch.events:
            batches.append(batch)

    scheduler = Scheduler(kinds, max_workers=max_workers, limits=limits, on_failure=on_failure)
    world = World(scheduler, kinds, Steady(durations), keep)
    for message in (ev.Start(), ev.Add(tasks), ev.Seal()):
        world.feed(message)
    world.run()
    return Forecast(batches[-1].at, scheduler.state, tuple(batches))
