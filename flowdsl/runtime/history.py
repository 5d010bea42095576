"""What earlier runs of the same flow tell the next one: how long each of its tasks may be expected to take.

Reading it is a part of every start, so it is bounded: at most ten runs, fewer of many tasks. What cannot be read or
believed is passed over; nothing of it can stop a run.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from flowdsl.definition.graph import Graph
from flowdsl.definition.spec import TaskSpec
from flowdsl.runtime.run_id import newest_of
from flowdsl.storage.durations import (
    BRIEF,
    Durations,
    Rebuilt,
    durations_of,
    means,
    read_durations,
    rebuilt,
    write_durations,
)
from flowdsl.storage.lock import locked_by

__all__ = ["Expected", "Historian", "expected", "function_name"]

RUNS = 10  # that count
LOOKED_AT = 100  # directories that are opened in search of them
ENTRIES = 5_000  # durations that are read, but at least those of two runs of the graph: 0.2 us each
LINES = 20_000  # of journals that are parsed where there is no such file: 0.1 s


class Expected(NamedTuple):
    """What the tasks of a graph may be expected to come to; tasks of which nothing is known are left out."""

    seconds: Mapping[str, float] = {}  # by task; of a mapped task that of one item
    sizes: Mapping[str, int] = {}  # by mapped task: how many items


class Historian:
    """Reads and writes the history of one flow in one file: `place` is the notebook or script, else the folder."""

    def __init__(self, log_dir: Path, flow: str, place: str) -> None:
        self._log_dir = log_dir
        self._flow = flow
        self._place = place

    def past(self, most: int = ENTRIES) -> List[Durations]:
        """What is known of the last runs, newest first: ten, or as many as have `most` durations together."""
        found: List[Durations] = []
        for durations in self._readable():
            if (durations.flow, durations.place) == (self._flow, self._place):
                found.append(durations)
                most -= len(durations.seconds)
                if len(found) == RUNS or most <= 0:
                    break
        return found

    def keep(self, run_dir: Path, clock: Mapping[str, float], function_of: Callable[[str], str]) -> None:
        """Write down what the run that ends now took; see `durations_of`. It never keeps the run from ending."""
        try:
            write_durations(run_dir, durations_of(self._flow, self._place, clock, function_of))
        except Exception:
            logging.getLogger("flowdsl").exception("what the tasks of %s took was not kept", run_dir)

    def _readable(self) -> Iterator[Durations]:
        """What can be read, within the bounds."""
        left = LINES
        names: List[str] = []
        with suppress(OSError):  # it is not there, or not for us: nothing is known
            names = [entry.name for entry in os.scandir(self._log_dir)]
        for name in newest_of(self._flow, names)[:LOOKED_AT]:
            run_dir = self._log_dir / name
            try:
                durations = read_durations(run_dir)
            except (OSError, ValueError):
                again = _again(run_dir, left)
                if again is None:
                    continue
                durations, effort = again
                left -= effort
            yield durations


def _again(run_dir: Path, lines: int) -> Optional[Rebuilt]:
    """What the journal of a run that kept no durations tells, kept for the next time; None while it is written."""
    if lines <= 0 or locked_by(run_dir) is not None:
        return None
    try:
        found = rebuilt(run_dir, lines)
    except (OSError, ValueError):
        return None
    write_durations(run_dir, found.durations)
    return found


def function_name(spec: TaskSpec) -> str:
    """The name of a task's function; tasks of one function are siblings."""
    name = getattr(spec.function, "__name__", None)
    return name if type(name) is str else spec.name


def expected(graph: Graph, past: List[Durations]) -> Expected:
    """What the tasks of the graph may be expected to come to, by these runs, newest first.

    A task's own is the median over the runs; of a mapped task it is that of one item, and there are as many items as
    in the newest run. A task without any has the mean of its siblings, the tasks of the same function: of those in this
    graph, else of those that the runs had.
    """
    own = _medians([run.seconds for run in past])
    if not own:
        return Expected()
    sizes = {name: size for run in reversed(past) for name, size in run.sizes.items() if name in graph}
    known = {name: own[name] for name in graph.tasks if name in own}
    if len(known) < len(graph.tasks):
        siblings = means(pair for run in past for pair in run.functions.items())
        siblings.update(means((function_name(graph[name]), seconds) for name, seconds in known.items()))
        for name, spec in graph.tasks.items():
            if name not in known and function_name(spec) in siblings:
                known[name] = siblings[function_name(spec)]
    return Expected(known, sizes)


def _medians(runs: Sequence[Mapping[str, float]]) -> Dict[str, float]:
    """By task; most are brief in every run of many tasks, and are not looked at one by one."""
    medians: Dict[str, float] = {}
    for run in runs:
        medians.update(run)
    if len(runs) > 1:
        for name in {name for run in runs for name, seconds in run.items() if seconds >= BRIEF}:
            medians[name] = _median([run[name] for run in runs if name in run])
    return medians


def _median(numbers: List[float]) -> float:
    """As that of `statistics`, whose import would cost every start some milliseconds."""
    numbers.sort()
    middle = len(numbers) // 2
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2
