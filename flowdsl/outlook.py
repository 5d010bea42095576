"""What is to be expected of a flow before it runs, and what became of it over time: both from its earlier runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Mapping

from flowdsl.analysis.history import History
from flowdsl.analysis.plan import Plan, foresee
from flowdsl.definition.graph import Graph
from flowdsl.recorded import drawn_timeline
from flowdsl.runs import select_runs
from flowdsl.runtime.history import ENTRIES, Historian, expected
from flowdsl.runtime.launch import source
from flowdsl.runtime.plan import Defaults, Kinds, nodes
from flowdsl.views.plots import history_plot

__all__ = ["history_of", "plan_of"]

WORKER = Kinds("worker", "worker", "worker", "worker")  # who runs a task makes no difference to a plan


def plan_of(graph: Graph, max_workers: int, log_dir: str) -> Plan:
    """What the graph would come to on so many workers, each task as long as it may be expected to be."""
    past = Historian(Path(log_dir).absolute(), graph.flow, source()).past(max(ENTRIES, len(graph) + 1))
    foreseen = expected(graph, past)
    return foresee(
        nodes(graph, Defaults(timeout=None), WORKER, foreseen.seconds),
        foreseen.seconds,
        max_workers,
        limits=graph.limits,
        sizes=foreseen.sizes,
        names=("", graph.flow),
        begin=time.time(),
        show=drawn_timeline,
    )


def history_of(flow: str, log_dir: str, last: int) -> History:
    """The last runs of the flow from this notebook or script, else from this folder."""
    place = source()

    def ours(header: Mapping[str, Any]) -> bool:
        return header.get("flow") == flow and (header.get("file") or header.get("folder")) == place

    return History(flow, [run.snapshot() for run in select_runs(log_dir, last, ours)], history_plot)
