"""What is documented: the graph of a flow, a task, a run or an orchestrator, with its defaults and its past runs."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Sequence

from flowdsl.definition import graph as definition
from flowdsl.definition.checks import refuse
from flowdsl.engine.policy import ONCE
from flowdsl.flow import Flow
from flowdsl.orchestrator.documentation_page import Defaults
from flowdsl.orchestrator.documentation_queue import queue_flow
from flowdsl.orchestrator.documentation_statistics import past_runs
from flowdsl.orchestrator.task_orchestrator import TaskOrchestrator
from flowdsl.run import Run
from flowdsl.task import Task

__all__ = ["Documented", "documented"]

NOTHING_SAID = Defaults(ONCE, None, None)


class Documented(NamedTuple):
    """A graph, what its flow says for tasks that say nothing, and its past runs."""

    graph: definition.Graph
    defaults: Defaults
    runs: Callable[[], Sequence[Any]]  # oldest first


def documented(subject: Any, runs: Optional[Sequence[Any]]) -> Documented:
    """What `subject` is as a graph; ConfigError for what is none, GraphError where it makes none."""
    if isinstance(subject, Run):
        past = [subject] if runs is None else runs
        return Documented(subject.graph, _defaults(subject.origin.flow.newest), lambda: past)
    if isinstance(subject, definition.Graph):
        return Documented(subject, NOTHING_SAID, lambda: runs or ())
    if isinstance(subject, (Flow, Task)):
        flow = subject.flow if isinstance(subject, Task) else subject.newest
        return Documented(subject.graph(), _defaults(flow), _runs(flow, runs))
    if isinstance(subject, TaskOrchestrator):
        flow = queue_flow(subject)
        return Documented(flow.graph(), _defaults(flow), _runs(flow, runs))
    return refuse("DocumentationOrchestrator", "subject", subject, "is no flow, task, graph, run or orchestrator")


def _defaults(flow: Flow) -> Defaults:
    return Defaults(flow.retries, flow.timeout, flow.isolation)


def _runs(flow: Flow, runs: Optional[Sequence[Any]]) -> Callable[[], Sequence[Any]]:
    if runs is None:
        return lambda: past_runs(flow.log_dir, flow.name)
    return lambda: [run for run in runs if run.flow == flow.name]
