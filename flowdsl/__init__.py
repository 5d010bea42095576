"""Pipelines from ordinary functions in notebook cells: run in parallel, shown live, logged as a DataFrame."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, List

from flowdsl.definition.retry import Retry
from flowdsl.errors import (
    AttemptStopped,
    ConfigError,
    CycleError,
    DefinitionError,
    FlowError,
    GraphError,
    InputError,
    InternalError,
    LogLocked,
    LogWriteError,
    MapError,
    PickleRefused,
    RendererMissing,
    ResultReleased,
    RunFailed,
    Skip,
    TaskResultError,
    TaskTimeout,
    WorkerDied,
)
from flowdsl.flow import Flow
from flowdsl.graph import Graph
from flowdsl.modules import current_flow, task
from flowdsl.settings import options
from flowdsl.task import Task

if TYPE_CHECKING:
    from flowdsl.abandoned import AbandonedWarning
    from flowdsl.executors.current import current
    from flowdsl.executors.progress import progress, track
    from flowdsl.run import Run, last_run
    from flowdsl.runs import Runs, load_runs
    from flowdsl.runtime.binding import Missing

__version__ = "0.1.0"

__all__ = [
    "AbandonedWarning",
    "AttemptStopped",
    "ConfigError",
    "CycleError",
    "DefinitionError",
    "Flow",
    "FlowError",
    "Graph",
    "GraphError",
    "InputError",
    "InternalError",
    "LogLocked",
    "LogWriteError",
    "MapError",
    "Missing",
    "PickleRefused",
    "RendererMissing",
    "ResultReleased",
    "Retry",
    "Run",
    "RunFailed",
    "Runs",
    "Skip",
    "Task",
    "TaskResultError",
    "TaskTimeout",
    "WorkerDied",
    "__version__",
    "current",
    "current_flow",
    "last_run",
    "load_runs",
    "options",
    "progress",
    "task",
    "track",
]

# Loaded when they are asked for: they bring threads, files or pandas with them.
_LAZY = {
    "AbandonedWarning": "flowdsl.abandoned",
    "DebugOrchestrator": "flowdsl.orchestrator",
    "DocumentationOrchestrator": "flowdsl.orchestrator",
    "LogOrchestrator": "flowdsl.orchestrator",
    "Missing": "flowdsl.runtime.binding",
    "Run": "flowdsl.run",
    "Runs": "flowdsl.runs",
    "TaskOrchestrator": "flowdsl.orchestrator",
    "current": "flowdsl.executors.current",
    "last_run": "flowdsl.run",
    "load_runs": "flowdsl.runs",
    "progress": "flowdsl.executors.progress",
    "track": "flowdsl.executors.progress",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError("module 'flowdsl' has no attribute %r" % name)
    value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
    return value


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext flowdsl` does: the magics `%%task` and `%flow`."""
    from flowdsl.notebook import load

    load(shell)


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
