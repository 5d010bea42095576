"""What is debugged or documented: one run, several, a flow, or an orchestrator, seen as runs and as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional

from flowdsl.definition.checks import refuse
from flowdsl.flow import Flow
from flowdsl.orchestrator.documentation_statistics import past_runs
from flowdsl.orchestrator.launching import FLOW
from flowdsl.orchestrator.task_orchestrator import TaskOrchestrator
from flowdsl.past_run import PastRun
from flowdsl.run import Run, last_run
from flowdsl.runs import Runs
from flowdsl.task import Task

__all__ = ["Subject", "subject_of"]

QUEUE_RUNS = 5  # runs of a queue that are read back: each `execute_...` is one


class Subject(NamedTuple):
    """`runs` are those that are there, oldest first; `wants` says of a run that begins whether it is one more.

    `flow_of` is the flow that a run's tasks are defined in, None where that is not known.
    """

    runs: List[Any]
    wants: Optional[Callable[[Any], bool]]
    flow_of: Callable[[Any], Any]


def subject_of(subject: Any, flow: Any = None) -> Subject:
    """The subject that somebody means; ConfigError for what is none."""
    if subject is None:
        last = last_run()
        return Subject([last] if last is not None else [], None, _flow_of(flow))
    if isinstance(subject, (Run, PastRun)):
        return Subject([subject], None, _flow_of(flow))
    if isinstance(subject, (Runs, list, tuple)):
        return Subject(list(subject), None, _flow_of(flow))
    if isinstance(subject, Task):
        return _of_flow(subject.flow)
    if isinstance(subject, Flow):
        return _of_flow(subject)
    if isinstance(subject, TaskOrchestrator):
        return _of_queue(subject, flow)
    return refuse("DebugOrchestrator", "subject", subject, "is no run, flow, task or orchestrator")


def _of_queue(orchestrator: TaskOrchestrator, flow: Any) -> Subject:
    """The runs of its log directory: the latest ones read back, and those that begin."""
    log_dir = Path(orchestrator.options.task_log_dir).absolute()

    def wants(run: Run) -> bool:
        return run.flow == FLOW and run.dir.parent == log_dir

    return Subject(list(past_runs(log_dir, FLOW))[-QUEUE_RUNS:], wants, _flow_of(flow))


def _of_flow(flow: Flow) -> Subject:
    last = last_run()

    def wants(run: Run) -> bool:
        return run.origin.flow.newest is flow.newest

    return Subject([last] if last is not None and wants(last) else [], wants, lambda run: flow.newest)


def _flow_of(flow: Any) -> Callable[[Any], Any]:
    """The flow that was given, else the one that the run of this process came from."""

    def found(run: Any) -> Any:
        if flow is not None:
            return flow.newest
        return run.origin.flow.newest if isinstance(run, Run) else None

    return found
