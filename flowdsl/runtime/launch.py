"""From a graph and options to a driver that is ready to start: run id, journal, executors, nodes."""

from __future__ import annotations

import os
import platform
import re
import secrets
import socket
import sys
import time
from concurrent.futures import Executor
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from flowdsl.definition.graph import Graph
from flowdsl.definition.options import RunOptions
from flowdsl.engine.policy import Kind
from flowdsl.executors import inline, threads
from flowdsl.executors.base import Backend
from flowdsl.runtime.binding import Calls
from flowdsl.runtime.driver import Driver
from flowdsl.runtime.plan import Defaults, nodes
from flowdsl.runtime.results import Results
from flowdsl.storage.journal import Journal

source_file: ContextVar[Optional[str]] = ContextVar("flowdsl_source_file", default=None)  # that a command runs
OWN_KINDS: Mapping[str, Kind] = {"threads": threads.KIND, "inline": inline.KIND}


def new_run_id(flow: str) -> str:
    """A name for the run and its directory: sorts by time, says which flow, is never given twice."""
    now = time.time()
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", flow).strip("-.")[:40] or "flow"
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return "%s-%03d-%s-%s" % (stamp, now % 1 * 1000, slug, secrets.token_hex(3))


def prepare(
    graph: Graph,
    inputs: Mapping[str, Any],
    given: Mapping[str, Any],
    options: RunOptions,
    defaults: Defaults,
    log_dir: str,
) -> Driver:
    """A driver with its journal open and nothing started.

    Raises LogWriteError or LogLocked where the log directory is no good, before any task starts.
    """
    run_id = new_run_id(graph.flow)
    journal = Journal.create(Path(log_dir).absolute(), run_id, fsync=options.fsync)  # first: there may be none
    results = Results(graph, given, options.keep)
    calls = Calls(graph, results, inputs, defaults.retry)
    own = OWN_KINDS.get(options.executor, threads.KIND) if isinstance(options.executor, str) else threads.KIND
    backends: Dict[str, Backend] = {}
    listener = _Later()
    kind = own.name
    if not isinstance(options.executor, str):
        backends["executor"] = _foreign(options.executor, listener)
        kind = "executor"
    if any(spec.is_async for spec in graph.tasks.values()):
        backends["async"] = _coroutines(listener)
    driver = Driver(
        graph,
        nodes(graph, defaults, kind),
        journal,
        kind=own,
        backends=backends,
        results=results,
        calls=calls,
        header=_header(run_id, graph, inputs, options),
        max_workers=options.max_workers,
        on_failure=options.on_failure,
    )
    listener.driver = driver
    driver.run_id, driver.dir = run_id, journal.path
    return driver


class _Later:
    """Stands for the driver until it is made."""

    driver: Driver

    def begun(self, *report: Any, **more: Any) -> None:
        self.driver.begun(*report, **more)

    def ended(self, *report: Any) -> None:
        self.driver.ended(*report)

    def lost(self, *report: Any) -> None:
        self.driver.lost(*report)


def _foreign(executor: Executor, listener: Any) -> Backend:
    from flowdsl.executors.foreign import ForeignExecutor

    return ForeignExecutor(executor, listener)


def _coroutines(listener: Any) -> Backend:
    from flowdsl.executors.asynchronous import Coroutines

    return Coroutines(listener)


def _header(run_id: str, graph: Graph, inputs: Mapping[str, Any], options: RunOptions) -> Mapping[str, Any]:
    """What the log keeps of the run itself: names of inputs, never their values."""
    executor = options.executor if isinstance(options.executor, str) else type(options.executor).__name__
    return {
        "run_id": run_id,
        "flow": graph.flow,
        "file": _file(),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "max_workers": options.max_workers,
        "executor": executor,
        "on_failure": options.on_failure,
        "limits": dict(graph.limits),
        "targets": list(graph.targets),
        "inputs": sorted(inputs),
    }


def _file() -> Optional[str]:
    """The notebook or script that this process runs, where that can be known."""
    file = source_file.get() or os.environ.get("JPY_SESSION_NAME")
    if file:
        return file
    return getattr(sys.modules.get("__main__"), "__file__", None)
