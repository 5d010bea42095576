"""What `@task` leaves behind in a cell: a Task, which is still the function, and can be run, drawn and depended on."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Dict, Generic, List, Mapping, Optional, Tuple, TypeVar

from flowdsl.definition.checks import refuse
from flowdsl.definition.edge import Edge
from flowdsl.definition.spec import TaskSpec

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    from flowdsl.flow import Flow
    from flowdsl.graph import Graph
    from flowdsl.run import Run

    P = ParamSpec("P")
elif sys.version_info >= (3, 10):
    from typing import ParamSpec

    P = ParamSpec("P")
else:
    P = TypeVar("P")

R = TypeVar("R")

__all__ = ["Item", "Task"]


class Task(Generic[P, R]):
    """A function in a flow, under a name.

    Calling it calls the plain function. A second definition of the name replaces the task in its flow; what depends
    on the first then means the second.
    """

    __slots__ = ("__dict__", "__weakref__", "_flow", "execution", "spec")
    __wrapped__: Any

    spec: TaskSpec

    def __init__(self, flow: Flow, spec: TaskSpec, execution: Optional[object] = None) -> None:
        functools.update_wrapper(self, spec.function, updated=())
        _carry_over(spec.function, self)
        self._flow = flow
        self.execution = execution  # of the cell that defined it; see `definition.place`
        self.spec = spec

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = self.spec.function(*args, **kwargs)
        return result

    def __reduce__(self) -> Tuple[Any, ...]:
        """In another process a task is its plain function: nothing else of its flow has to travel."""
        return _plain, (self.spec.function,)

    def __copy__(self) -> Task[P, R]:
        return self

    def __deepcopy__(self, memo: Any) -> Task[P, R]:
        return self

    @property
    def name(self) -> str:
        """The name of the task in its flow."""
        return self.spec.name

    @property
    def flow(self) -> Flow:
        """The flow that the task belongs to."""
        return self._flow.newest

    def graph(self) -> Graph:
        """The graph of this task and everything upstream of it; raises GraphError where there is none."""
        __tracebackhide__ = True
        return self.flow.graph(targets=self.name)

    def run(self, inputs: Optional[Mapping[str, Any]] = None, **options_and_inputs: Any) -> Run:
        """The finished run of this task and everything upstream of it; takes what `Flow.run` takes but `targets`."""
        __tracebackhide__ = True
        return self.flow.run(inputs, **self._as_target(options_and_inputs))

    async def run_async(self, inputs: Optional[Mapping[str, Any]] = None, **options_and_inputs: Any) -> Run:
        """Like `run`, awaited."""
        return await self.flow.run_async(inputs, **self._as_target(options_and_inputs))

    def start(self, inputs: Optional[Mapping[str, Any]] = None, **options_and_inputs: Any) -> Run:
        """Like `run`, but it returns at once, while the run goes on."""
        __tracebackhide__ = True
        return self.flow.start(inputs, **self._as_target(options_and_inputs))

    def _as_target(self, options: Dict[str, Any]) -> Dict[str, Any]:
        if "targets" in options:
            refuse(self, "targets", options["targets"], "does not belong here, the task is the target; use flow.run")
        return {**options, "targets": self.name}

    def as_dependency(self) -> Edge:
        """This task as an entry of `depends_on`."""
        return Edge(self.name, owner=self.flow)

    def __getitem__(self, key: Any) -> Item:
        return Item(self, (key,))

    __iter__ = None  # an item for every number would make it an endless sequence
    __contains__ = None

    def __repr__(self) -> str:
        return "<task %r of flow %r>" % (self.name, self.flow.name)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        try:
            from flowdsl.views.cards import task_card

            flow = self.flow
            return {"text/plain": repr(self), "text/html": task_card(self.spec, flow.name, _needs(self.spec, flow))}
        except Exception:  # a card is never worth an error
            return {"text/plain": repr(self)}


def _needs(spec: TaskSpec, flow: Flow) -> List[str]:
    """What a task needs as far as that can be told without building a graph."""
    said = [dependency.source for dependency in spec.depends_on]
    taken = [one.name for one in spec.parameters if not one.has_default and one.name in flow and one.name != spec.name]
    return list(dict.fromkeys([*said, *taken]))


def _carry_over(function: Any, task: Any) -> None:
    """What a function carries, its task carries too, but for what would hide `run` and the like."""
    if not isinstance(function, type):
        for name, value in getattr(function, "__dict__", {}).items():
            if not hasattr(Task, name):
                setattr(task, name, value)


def _plain(function: Any) -> Any:
    return function


class Item:
    """One item of a task's result, for `depends_on`: ``{"train": split["train"]}``."""

    __slots__ = ("path", "task")

    def __init__(self, task: Task[Any, Any], path: Tuple[Any, ...]) -> None:
        self.task = task
        self.path = path

    def as_dependency(self) -> Edge:
        """This item as an entry of `depends_on`."""
        return self.task.as_dependency()._replace(path=self.path)

    def __getitem__(self, key: Any) -> Item:
        return Item(self.task, (*self.path, key))

    __iter__ = None
    __contains__ = None

    def __repr__(self) -> str:
        return self.task.name + "".join("[%r]" % (key,) for key in self.path)
