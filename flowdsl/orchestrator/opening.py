"""The opening and closing of an orchestrator: its options, its directory, and what there is while it is open."""

from __future__ import annotations

import logging
from os import PathLike
from typing import Any, Mapping, Optional, Type, TypeVar, Union

from flowdsl import settings
from flowdsl.errors import FlowError
from flowdsl.orchestrator.audit import audit
from flowdsl.orchestrator.conductor import Conductor
from flowdsl.orchestrator.handlers import Handlers
from flowdsl.orchestrator.listeners import Listeners
from flowdsl.orchestrator.options import OrchestratorOptions
from flowdsl.orchestrator.parts import Parts, open_parts

__all__ = ["Opening"]

Self = TypeVar("Self", bound="Opening")


class Opening:
    """What a TaskOrchestrator is before it has tasks; a class of its own only because a page is enough for one."""

    def __init__(
        self,
        *,
        task_log_dir: Union[str, PathLike[str]] = "./logs/tasks",
        max_concurrent_tasks: int = 5,
        task_timeout: Optional[float] = 300.0,
        retry_attempts: int = 3,
        retry_delay: float = 5.0,
        isolation: str = "thread",
        on_interrupted: str = "rerun",
        display: Union[str, bool, None] = "none",
        **unknown: Any,
    ) -> None:
        __tracebackhide__ = True
        said = {
            "task_log_dir": task_log_dir,
            "max_concurrent_tasks": max_concurrent_tasks,
            "task_timeout": task_timeout,
            "retry_attempts": retry_attempts,
            "retry_delay": retry_delay,
            "isolation": isolation,
            "on_interrupted": on_interrupted,
            "display": display,
        }
        self._set_up(OrchestratorOptions.checked({**said, **unknown}))

    def _set_up(self, options: OrchestratorOptions) -> None:
        self.options = options
        self._handlers = Handlers()
        self._listeners = Listeners()
        self._conductor: Optional[Conductor] = None

    @classmethod
    def from_options(cls: Type[Self], options: Mapping[str, Any]) -> Self:
        """The orchestrator that a dict in the document's words describes: camelCase, durations in milliseconds.

        Its keys are taskLogDir, maxConcurrentTasks, taskTimeout, retryAttempts, retryDelay, and besides isolation,
        onInterrupted, display. ConfigError names the key that is wrong or does not exist.
        """
        __tracebackhide__ = True
        found = cls.__new__(cls)
        found._set_up(OrchestratorOptions.from_document(options))
        return found

    # ---- its life

    def initialize(self: Self) -> Self:
        """Open the log directory, take up what an earlier orchestrator left there, and return this orchestrator.

        Tasks, their states, counters and results are there again; what a killed process left in the middle is
        `interrupted`. Faults of the dependencies are logged as a warning, see `validate`. Twice does no harm.

        Raises LogWriteError where the directory cannot be made or written, LogLocked where another orchestrator works
        in it.
        """
        if self._conductor is None:
            parts = open_parts(self.options, self._handlers, self._listeners)
            self._conductor = Conductor(parts)
            self._conductor.admission.paused = parts.book.queue.paused
            for found in audit(parts).broken:  # handlers may come later
                logging.getLogger("flowdsl").warning("the queue in %s: %s", parts.log_dir, found.text)
        return self

    async def initialize_async(self: Self) -> Self:
        """The same, for `await`."""
        return self.initialize()

    def close(self, *, cancel: bool = False) -> None:
        """Wait for the runs that go on, or `cancel` them, then give the directory free. Twice does no harm."""
        conductor = self._conductor
        if conductor is not None:
            conductor.close(cancel)
            self._conductor = None

    def __enter__(self: Self) -> Self:
        return self.initialize()

    def __exit__(self, kind: Any, exc: Any, trace: Any) -> None:
        self.close(cancel=kind is not None)

    async def __aenter__(self: Self) -> Self:
        return self.initialize()

    async def __aexit__(self, kind: Any, exc: Any, trace: Any) -> None:
        import asyncio

        await asyncio.get_running_loop().run_in_executor(None, lambda: self.close(cancel=kind is not None))

    def __del__(self) -> None:
        conductor = getattr(self, "_conductor", None)
        if conductor is not None:
            conductor.abandon()

    def __reduce__(self) -> Any:
        raise TypeError("a TaskOrchestrator stays in its process; a handler with isolation='process' cannot use it")

    @property
    def _parts(self) -> Parts:
        return self._open.parts

    @property
    def _open(self) -> Conductor:
        if self._conductor is None:
            raise FlowError("the orchestrator is not open; call initialize(), or use it in a `with` block")
        return self._conductor

    def __repr__(self) -> str:
        where = "" if settings.options.stable_repr else " in %r" % self.options.task_log_dir
        if self._conductor is None:
            return "<TaskOrchestrator%s, not open>" % where
        counts = ["%d %s" % (n, status) for status, n in self._parts.counts().items()]
        return "<TaskOrchestrator%s: %s>" % (where, ", ".join(counts) or "no tasks")
