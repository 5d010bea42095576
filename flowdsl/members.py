"""The members of a flow: its tasks under their names, and how a definition replaces another."""

from __future__ import annotations

import warnings
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple
from weakref import ReferenceType, ref

from flowdsl.definition.define import define
from flowdsl.definition.edge import Edge
from flowdsl.definition.options import TaskOptions
from flowdsl.definition.place import shell_of, whereabouts
from flowdsl.definition.spec import TaskSpec
from flowdsl.engine.states import REUSED, SUCCEEDED
from flowdsl.task import Task

if TYPE_CHECKING:
    from flowdsl.definition.graph import Graph
    from flowdsl.run import Run

_RUNS = 20  # that are asked for results
_MADE = (SUCCEEDED, REUSED)

__all__ = ["Members", "taken_over"]


class Members:
    """The tasks of a flow, in the order of their first definition.

    `newest` is the flow object that holds them: a flow that is made again by its cell takes them over. `version` grows
    with each change.
    """

    def __init__(self, newest: Any) -> None:
        self.tasks: Dict[str, Task[Any, Any]] = {}
        self.newest = newest
        self.version = 0
        self.crosses = False  # a task depends on one of another flow
        self.settled: Dict[str, Tuple[TaskSpec, TaskSpec]] = {}  # of tasks that graphs of other flows took
        self._specs: Tuple[int, Mapping[str, TaskSpec]] = (0, {})
        self._runs: List[ReferenceType[Run]] = []  # the latest of those that somebody still holds

    @property
    def specs(self) -> Mapping[str, TaskSpec]:
        """The specifications by name; the same mapping until something changes, and never changed itself."""
        if self._specs[0] != self.version:
            self._specs = (self.version, {name: task.spec for name, task in self.tasks.items()})
        return self._specs[1]

    def take_over(self, flow: Any) -> None:
        """From now on `flow` is the one that holds these tasks."""
        self.newest = flow
        self.version += 1

    def remove(self, name: str) -> None:
        """Forget a task; what names it cannot run until it is defined again."""
        del self.tasks[name]
        self.version += 1

    def ran(self, run: Run) -> None:
        """Remember a run of the flow, as long as somebody holds it."""
        self._runs = [*(one for one in self._runs if one() is not None), ref(run)][-_RUNS:]

    def made(self, names: Iterable[str]) -> Dict[str, Graph]:
        """For each of these tasks that has a result in this process, the graph of the run that made the last one."""
        wanted, found = set(names), {}
        for run in filter(None, (one() for one in reversed(self._runs))):
            rows = run.snapshot().tasks
            done = [
                name for name in wanted if name in rows and rows[name].state in _MADE and name not in run.graph.given
            ]
            found.update(dict.fromkeys(done, run.graph))
            wanted.difference_update(done)
        return found

    def restore(self, specs: Sequence[TaskSpec]) -> None:
        """Take these tasks, of a flow that came from another process."""
        self.tasks = {spec.name: Task(self.newest, spec) for spec in specs}
        self.crosses = any(dependency.owner is not None for spec in specs for dependency in spec.depends_on)
        self.version += 1

    def add(
        self,
        function: Callable[..., Any],
        name: Optional[str],
        options: TaskOptions,
        written: Sequence[Edge],
        frame: FrameType,
    ) -> Task[Any, Any]:
        """Define a task, in the place of an earlier one of its name."""
        if isinstance(function, Task):
            name, function = name or function.name, function.spec.function
        place, execution = whereabouts(frame, function)
        spec = define(function, name, options, written, home=self.newest, place=place)
        task: Task[Any, Any] = Task(self.newest, spec, execution)
        earlier = self.tasks.get(spec.name)
        if earlier is not None:
            _warn(self.newest.name, earlier, task, frame)
        self.tasks[spec.name] = task
        self.version += 1
        self.crosses = self.crosses or any(dependency.owner is not None for dependency in spec.depends_on)
        return task


def _warn(flow: str, earlier: Task[Any, Any], task: Task[Any, Any], frame: FrameType) -> None:
    """A replacement is what a re-run cell means; a warning where it is probably not meant."""
    was, now = earlier.spec.place, task.spec.place
    what = "task %r of flow %r, defined in %s, replaces" % (task.name, flow, now)
    if was.source != now.source:
        message = "%s the one in %s; give one of them another name if both are meant" % (what, was)
    elif was == now and _in_a_loop(earlier, task, frame):
        message = "%s the one from the same line: in a loop, give each its own name with name=" % what
    else:
        return
    warnings.warn_explicit(message, UserWarning, frame.f_code.co_filename, frame.f_lineno or 0)


def _in_a_loop(earlier: Task[Any, Any], task: Task[Any, Any], frame: FrameType) -> bool:
    """Whether one execution of a cell, a module or a function has defined both.

    The variable that holds the earlier task tells for a function: a new call of it begins without. For a cell and a
    module it is the execution.
    """
    if frame.f_locals is frame.f_globals:
        return task.execution is not None and task.execution is earlier.execution
    return frame.f_locals.get(getattr(task.spec.function, "__name__", "")) is earlier


_in_cells: Dict[str, Tuple[Any, object]] = {}  # flows made at the top level of a cell, and in which execution


def taken_over(flow: Any, fresh: bool, frame: FrameType) -> Optional[Members]:
    """The tasks of the flow that the same cell made when it was run before."""
    if shell_of(frame) is None or frame.f_locals is not frame.f_globals:
        return None
    now = whereabouts(frame)[1]
    earlier = _in_cells.get(flow.name)
    _in_cells[flow.name] = (flow, now)
    return None if fresh or earlier is None or earlier[1] == now else earlier[0].members
