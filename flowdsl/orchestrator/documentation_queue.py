"""The queue of a TaskOrchestrator as a flow, for pictures and pages; it is never run."""

from __future__ import annotations

from typing import Any, List

from flowdsl.definition.retry import Retry
from flowdsl.flow import Flow
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.handlers import Handler
from flowdsl.orchestrator.launching import FLOW
from flowdsl.orchestrator.parts import Parts
from flowdsl.orchestrator.task_orchestrator import TaskOrchestrator
from flowdsl.orchestrator.verification import verifier
from flowdsl.orchestrator.work import Work, described

__all__ = ["queue_flow"]


def queue_flow(orchestrator: TaskOrchestrator) -> Flow:
    """A flow with one task for each of the queue, named by its id; FlowError where the orchestrator is not open."""
    parts = orchestrator._parts
    options = parts.options
    flow = Flow(
        FLOW,
        retries=Retry(options.retry_attempts, delay=options.retry_delay),
        timeout=options.task_timeout,
        isolation=options.isolation,
        log_dir=str(parts.log_dir),
    )
    with parts.book.lock:
        for entry in parts.book.queue.entries.values():
            _put(flow, entry, parts)
    return flow


def _put(flow: Flow, entry: Entry, parts: Parts) -> None:
    task = entry.definition
    handler = parts.handlers.of(task) or Handler(no_handler)
    there: List[str] = [name for name in task.dependencies if name in parts.book.queue.entries]
    retries: Any = handler.retries if not isinstance(task.retries, int) else task.retries
    flow.task(
        task.task_id,
        depends_on=there,
        retries=Retry(retries, delay=parts.options.retry_delay) if isinstance(retries, int) else retries,
        timeout=task.timeout if isinstance(task.timeout, (int, float)) else handler.timeout,
        isolation=handler.isolation,
        verify=verifier(task.verify if task.verify is not None else handler.verify),
        priority=entry.priority or None,
        type=task.type,
    )(Work(handler.function, described(task.task_id, task), ()))


def no_handler() -> None:
    """No handler is registered for it in this process."""
