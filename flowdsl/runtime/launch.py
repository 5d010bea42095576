"""From a graph and options to a driver that is ready to start: run id, journal, executors, nodes."""

from __future__ import annotations

import os
import platform
import socket
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Mapping, Optional, cast

from flowdsl.definition.graph import Graph
from flowdsl.definition.options import RunOptions
from flowdsl.engine.policy import Kind
from flowdsl.errors import ConfigError
from flowdsl.executors import inline, threads
from flowdsl.executors.base import Backend
from flowdsl.runtime.binding import Calls
from flowdsl.runtime.driver import Driver
from flowdsl.runtime.history import ENTRIES, Historian, expected, function_name
from flowdsl.runtime.plan import Defaults, choose_kinds, nodes
from flowdsl.runtime.reports import Reports
from flowdsl.runtime.results import Kept, Results
from flowdsl.runtime.run_id import new_run_id
from flowdsl.runtime.scribe import Scribe
from flowdsl.storage.journal import Journal

source_file: ContextVar[Optional[str]] = ContextVar("flowdsl_source_file", default=None)  # that a command runs
HAS_PROCESSES = os.name == "posix"
OWN_KINDS: Mapping[str, Kind] = {"threads": threads.KIND, "inline": inline.KIND}


def prepare(
    graph: Graph,
    inputs: Mapping[str, Any],
    given: Mapping[str, Any],
    options: RunOptions,
    defaults: Defaults,
    log_dir: str,
    kept: Kept = Kept(),  # noqa: B008  (it is immutable)
) -> Driver:
    """A driver with its journal open and nothing started; `kept` is what it takes over from an earlier run.

    Raises ConfigError where there can be no worker processes, LogWriteError or LogLocked where the log directory is
    no good, before any task starts.
    """
    results = Results(graph, given, options.keep, kept)
    calls = Calls(graph, results, inputs, defaults.retry)
    kinds = choose_kinds(options.executor, options.isolation, defaults.isolation)
    own = OWN_KINDS.get(kinds.thread, threads.KIND)
    used = kinds.of_all(graph.tasks.values())
    if "processes" in used and not HAS_PROCESSES:
        where = "run of flow %r" % graph.flow
        raise ConfigError("%s: worker processes need Linux or macOS; give executor=ProcessPoolExecutor()" % where)
    listener = _Later()
    run_id = new_run_id(graph.flow)
    # Before any executor is made: if there can be no journal, nothing is left behind.
    logs = Path(log_dir).absolute()
    historian = Historian(logs, graph.flow, source())
    foreseen = expected(graph, historian.past(max(ENTRIES, len(graph) + 1)))
    journal = Journal.create(logs, run_id, fsync=options.fsync)
    driver = Driver(
        graph,
        nodes(graph, defaults, kinds, foreseen.seconds, kept.tasks),
        journal,
        kind=own,
        backends={kind: BACKENDS[kind](options, listener) for kind in BACKENDS if kind in used},
        results=results,
        calls=calls,
        header=_header(run_id, graph, inputs, options, kept),
        max_workers=options.max_workers,
        on_failure=options.on_failure,
        remember=lambda clock: historian.keep(journal.path, clock, lambda name: function_name(graph[name])),
    )
    listener.reports, listener.ran = driver.reports, driver.reports.ran
    driver.run_id, driver.dir, driver.expected = run_id, journal.path, foreseen
    return driver


class _Later:
    """Stands for the reports of a run until its driver is made."""

    reports: Reports
    ran: Callable[..., None]  # their own, because it is called for every short attempt

    def begun(self, *report: Any, **more: Any) -> None:
        self.reports.begun(*report, **more)

    def ended(self, *report: Any) -> None:
        self.reports.ended(*report)

    def lost(self, *report: Any) -> None:
        self.reports.lost(*report)

    def returned(self, *report: Any) -> None:
        self.reports.returned(*report)

    def together(self) -> ContextManager[None]:
        return self.reports.together()

    def noted(self, *report: Any) -> None:
        self.reports.noted(*report)

    def logged(self, *report: Any) -> None:
        self.reports.logged(*report)

    def printed(self, *report: Any) -> None:
        self.reports.printed(*report)

    @property
    def scribe(self) -> Scribe:
        return self.reports.scribe


def _foreign(options: RunOptions, listener: Any) -> Backend:
    serve = getattr(options.executor, "flowdsl_backend", None)
    if serve is not None:  # a pool of our own
        return cast(Backend, serve(listener, options.max_workers))
    from flowdsl.executors.foreign import ForeignExecutor

    return ForeignExecutor(options.executor, listener)


def _coroutines(options: RunOptions, listener: Any) -> Backend:
    from flowdsl.executors.asynchronous import Coroutines

    return Coroutines(listener)


def _processes(options: RunOptions, listener: Any) -> Backend:
    from flowdsl.executors.processes import shared

    return shared().flowdsl_backend(listener, options.max_workers)


# The executors that are given their attempts, each made and imported where a run has work for it.
BACKENDS: Mapping[str, Callable[[RunOptions, Any], Backend]] = {
    "executor": _foreign,
    "async": _coroutines,
    "processes": _processes,
}


def _header(run_id: str, graph: Graph, inputs: Mapping[str, Any], options: RunOptions, kept: Kept) -> Dict[str, Any]:
    """What the log keeps of the run itself: names of inputs, never their values."""
    executor = options.executor if isinstance(options.executor, str) else type(options.executor).__name__
    header = {
        "run_id": run_id,
        "flow": graph.flow,
        "file": _file(),
        "folder": _folder(),
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
    if kept.run_id:
        header["rerun_of"] = kept.run_id
    return header


def _file() -> Optional[str]:
    """The notebook or script that this process runs, where that can be known."""
    file = source_file.get() or os.environ.get("JPY_SESSION_NAME")
    file = file or getattr(sys.modules.get("__main__"), "__file__", None)
    return str(Path(file).absolute()) if file else None


def _folder() -> str:
    """The working directory; empty where that was removed."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def source() -> str:
    """What the history of a flow goes by beside its name: the notebook or script, else the folder."""
    return _file() or _folder()
