"""From results and inputs to the arguments of a call."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from flowdsl.definition.graph import Edge, Graph
from flowdsl.definition.options import Retry
from flowdsl.definition.parameters import POSITIONAL_ONLY, POSITIONAL_OR_KEYWORD, VAR_KEYWORD, VAR_POSITIONAL
from flowdsl.definition.spec import TaskSpec
from flowdsl.engine.maps import split
from flowdsl.executors.outcome import Call
from flowdsl.runtime.fanout import Fans
from flowdsl.runtime.results import Results, item_of


class Missing(NamedTuple):
    """What a dependency without a result is to a task that runs all the same; it is false.

    `task` is the dependency's name, `state` how it ended (such as "failed"), `error` its error's text, or "".
    """

    task: str
    state: str
    error: str

    def __bool__(self) -> bool:
        return False


_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor, once an attempt
Arguments = Tuple[Sequence[Any], Mapping[str, Any]]


def bind(
    spec: TaskSpec,
    edges: Sequence[Edge],
    values: Mapping[str, Any],
    inputs: Mapping[str, Any],
    missing: Callable[[str], Missing],
) -> Arguments:
    """The arguments of the task: results along its edges first, then the inputs that it names.

    Raises what taking an item of a result raises: LookupError or TypeError.
    """
    rest: List[Any] = []
    named: Dict[str, Any] = {}
    for source, parameter, path, _ in edges:
        if parameter is None:
            continue
        try:
            value = values[source]
        except KeyError:
            value = missing(source)
        else:
            if path:
                value = item_of(value, source, path)
        if parameter[0] == "*":
            rest.append(value)
        else:
            named[parameter] = value
    parameters = spec.parameters
    if inputs:
        for name, kind, _, _ in parameters:
            if name in inputs and name not in named and kind != VAR_POSITIONAL and kind != VAR_KEYWORD:
                named[name] = inputs[name]
    if rest or (parameters and parameters[0][1] == POSITIONAL_ONLY):
        return _positional(spec, rest, named), named
    return (), named


def _positional(spec: TaskSpec, rest: List[Any], named: Dict[str, Any]) -> List[Any]:
    """The leading arguments that have to go by place: before `*args`, or positional-only."""
    leading: List[Any] = []
    for parameter in spec.parameters:
        takes_place = parameter.kind == POSITIONAL_ONLY or (parameter.kind == POSITIONAL_OR_KEYWORD and bool(rest))
        if not takes_place:
            continue
        if parameter.name in named:
            leading.append(named.pop(parameter.name))
        elif parameter.has_default:
            leading.append(parameter.default)
    return leading + rest


class Calls:
    """Makes the call of a task from what is there when it starts."""

    def __init__(self, graph: Graph, results: Results, inputs: Mapping[str, Any], retry: Retry) -> None:
        self._tasks = graph.tasks
        self._edges = graph.edges
        self._values = results.values
        self._inputs = inputs
        self._retry = retry
        self._results = results
        self._fans = Fans(graph, results, inputs, self._common)

    @property
    def missing(self) -> Callable[[str], Missing]:
        """What stands for the result of a task that has none."""
        return self._results.missing

    def retry_of(self, task: str) -> Retry:
        """The policy of retries of a task or an item: its own, else the flow's."""
        own = self._tasks[split(task)[0]].retries
        return own if isinstance(own, Retry) else self._retry

    def measure(self, task: str) -> int:
        """How many items a mapped task has; raises MapError."""
        return self._fans.measure(task)

    def _make_item(self, name: str) -> Call:
        task, index = split(name)
        spec, fans = self._tasks[task], self._fans
        common = fans.common(task)
        if common is None:
            given = {**self._inputs, **fans.items(task, index or 0)}
            args, kwargs = bind(spec, fans.edges(task), self._values, given, self.missing)
        else:
            args, kwargs = (), {**common, **fans.items(task, index or 0)}
        own = spec.retries
        retry = own if type(own) is Retry else self._retry
        return _new(Call, (spec.function, args, kwargs, spec.verify, retry))

    def _common(self, task: str) -> Optional[Mapping[str, Any]]:
        """What all items of a mapped task are given by name; None where each has to be bound by itself."""
        spec = self._tasks[task]
        if any(parameter.kind in (POSITIONAL_ONLY, VAR_POSITIONAL) for parameter in spec.parameters):
            return None
        try:
            return bind(spec, self._fans.edges(task), self._values, self._inputs, self.missing)[1]
        except Exception:  # which is told of each of them
            return None

    def make(self, task: str) -> Call:
        """The call of a task or an item, of the results that are there now; raises what `bind` raises."""
        if task[-1] == "]":
            return self._make_item(task)
        spec = self._tasks[task]
        args, kwargs = bind(spec, self._edges[task], self._values, self._inputs, self._results.missing)
        own = spec.retries
        retry = own if type(own) is Retry else self._retry
        return _new(Call, (spec.function, args, kwargs, spec.verify, retry))
