"""Who is measured: flowdsl with its journal on, the bare loop that logs nothing, and dask; each times its parts."""

from __future__ import annotations

import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Tuple

import graphlib

from tests.benchmarks.shapes import PARAMETERS, Steps

WORKERS = 5  # flowdsl's default, and the same for all


class Lap(NamedTuple):
    """One part of a measurement."""

    part: str
    seconds: float
    peak: int  # the most memory that the process ever had by then, in bytes


Laps = List[Lap]
Run = Callable[[Steps, Path], Tuple[Laps, Mapping[str, Any]]]


class Watch:
    """Takes the laps."""

    def __init__(self) -> None:
        self.laps: Laps = [Lap("before", 0.0, peak_memory())]
        self._begun = perf_counter()

    def lap(self, part: str) -> None:
        """Everything since the lap before was this part."""
        self.laps.append(Lap(part, perf_counter() - self._begun, peak_memory()))
        self._begun = perf_counter()


def peak_memory() -> int:
    """Bytes; Linux counts in kilobytes, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def run_flowdsl(steps: Steps, log_dir: Path) -> Tuple[Laps, Mapping[str, Any]]:
    """The public way: define the tasks, ask for the graph, run it; the journal is written and nothing is shown."""
    from flowdsl import Flow

    watch = Watch()
    flow = Flow("overhead", log_dir=log_dir)
    for name, (function, parents) in steps.items():
        flow.task(name, depends_on=dict(zip(PARAMETERS, parents)))(function)
    watch.lap("define")
    flow.graph()
    watch.lap("graph")
    run = flow.run(max_workers=WORKERS, display="none")
    watch.lap("run")
    _check_journal(Path(run.dir), len(steps))
    return watch.laps, {name: run[name] for name in steps}


def _check_journal(run_dir: Path, size: int) -> None:
    """Everything has to be on disk, or it was not the journal that was measured."""
    text = (run_dir / "events.jsonl").read_bytes()
    written = text.count(b'"event":"attempt_succeeded"')
    if written != size or text.count(b'"event":"run_ended"') != 1:
        raise AssertionError(f"the journal tells of {written} attempts that succeeded, of {size}")


def run_floor(steps: Steps, log_dir: Path) -> Tuple[Laps, Mapping[str, Any]]:
    """The bare loop that logs nothing: graphlib orders, a ThreadPoolExecutor calls, a queue brings the results back."""
    watch = Watch()
    sorter = graphlib.TopologicalSorter({name: step.parents for name, step in steps.items()})
    sorter.prepare()
    watch.lap("graph")
    results: Dict[str, Any] = {}
    finished: SimpleQueue[Tuple[str, Any]] = SimpleQueue()

    def call(name: str, function: Callable[..., int], values: List[int]) -> None:
        try:
            finished.put((name, function(*values)))
        except BaseException as exc:
            finished.put((name, exc))

    with ThreadPoolExecutor(WORKERS) as pool:
        while sorter.is_active():
            for name in sorter.get_ready():
                function, parents = steps[name]
                pool.submit(call, name, function, [results[parent] for parent in parents])
            name, results[name] = finished.get()
            sorter.done(name)
    watch.lap("run")
    return watch.laps, results


def run_dask(steps: Steps, log_dir: Path) -> Tuple[Laps, Mapping[str, Any]]:
    """dask's scheduler for threads, which logs nothing; it orders the graph as a part of its run."""
    from dask.threaded import get

    watch = Watch()
    graph = {name: (function, *parents) for name, (function, parents) in steps.items()}
    watch.lap("graph")
    names = list(steps)
    values = get(graph, names, num_workers=WORKERS)
    watch.lap("run")
    return watch.laps, dict(zip(names, values))


CONTENDERS: Mapping[str, Run] = {"flowdsl": run_flowdsl, "floor": run_floor, "dask": run_dask}
