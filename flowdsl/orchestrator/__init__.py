"""The orchestrator system: a queue of tasks with ids, a log, a debugger and a documentation writer over one journal.

The only place where words are written in camelCase and times in milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, List

if TYPE_CHECKING:
    from flowdsl.orchestrator.debug_orchestrator import DebugOrchestrator
    from flowdsl.orchestrator.documentation_check import DocumentationOutdated
    from flowdsl.orchestrator.documentation_orchestrator import DocumentationOrchestrator
    from flowdsl.orchestrator.log_orchestrator import LogOrchestrator
    from flowdsl.orchestrator.task_orchestrator import TaskOrchestrator

# Each is loaded when it is asked for: they bring threads, files or pandas with them.
_LAZY = {
    "DebugOrchestrator": "flowdsl.orchestrator.debug_orchestrator",
    "DocumentationOrchestrator": "flowdsl.orchestrator.documentation_orchestrator",
    "DocumentationOutdated": "flowdsl.orchestrator.documentation_check",
    "LogOrchestrator": "flowdsl.orchestrator.log_orchestrator",
    "TaskOrchestrator": "flowdsl.orchestrator.task_orchestrator",
}

__all__ = [
    "DebugOrchestrator",
    "DocumentationOrchestrator",
    "DocumentationOutdated",
    "LogOrchestrator",
    "TaskOrchestrator",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError("module 'flowdsl.orchestrator' has no attribute %r" % name)
    value = globals()[name] = getattr(importlib.import_module(_LAZY[name]), name)
    return value


def __dir__() -> List[str]:
    return sorted({*globals(), *__all__})
