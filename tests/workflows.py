"""Recorded executions of real workflows, read from where they lie beside the repository (WfFormat 1.5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Tuple

from graphlib import TopologicalSorter

from flowdsl import Flow

__all__ = ["REFERENCES", "Reference", "Workflow", "read_workflow"]


class Reference(NamedTuple):
    """The makespan that list scheduling reaches on so many identical workers, as a multiple of the lower bound."""

    workflow: str
    workers: int
    longest_path_first: float


REFERENCES = (
    Reference("cycles", 16, 1.005),
    Reference("cycles", 48, 1.147),
    Reference("seismology", 16, 1.015),
    Reference("seismology", 48, 1.038),
    Reference("viralrecon", 5, 1.001),
    Reference("montage", 16, 1.063),
    Reference("montage", 48, 1.408),
    Reference("1000genome", 16, 1.001),
    Reference("1000genome", 48, 1.108),
    Reference("epigenomics", 16, 1.119),
    Reference("epigenomics", 48, 1.379),
)


class Workflow(NamedTuple):
    """The tasks of one execution, dependencies before dependants."""

    name: str
    upstream: Mapping[str, Tuple[str, ...]]
    seconds: Mapping[str, float]

    def bound(self, workers: int) -> float:
        """No schedule on so many workers is shorter."""
        ends: Dict[str, float] = {}
        for task, parents in self.upstream.items():
            ends[task] = self.seconds[task] + max((ends[parent] for parent in parents), default=0.0)
        return max(*ends.values(), sum(self.seconds.values()) / workers)

    def flow(self, log_dir: Path, *, faster: float = 0.0) -> Flow:
        """A flow of the same tasks; each sleeps for what it took, so many times `faster`, or not at all."""
        from time import sleep

        flow = Flow(self.name, log_dir=log_dir)
        for task, parents in self.upstream.items():
            pause = self.seconds[task] / faster if faster else 0.0
            flow.task(task, depends_on=list(parents))(lambda pause=pause: sleep(pause))
        return flow


def read_workflow(shared: Path, name: str) -> Workflow:
    """The one whose file begins with this name."""
    (path,) = (shared / "data" / "wfinstances").glob(f"{name}-*.json")
    workflow = json.loads(path.read_text(encoding="utf-8"))["workflow"]
    seconds = {task["id"]: float(task["runtimeInSeconds"]) for task in workflow["execution"]["tasks"]}
    parents: Dict[str, List[str]] = {task["id"]: task["parents"] for task in workflow["specification"]["tasks"]}
    order = TopologicalSorter(parents).static_order()
    return Workflow(name, {task: tuple(dict.fromkeys(parents[task])) for task in order}, seconds)
