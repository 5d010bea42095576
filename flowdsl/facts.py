"""What the process that runs a run can say of one of its tasks, for the panel of a live view."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Any, Callable, Iterator, Tuple

from flowdsl.definition.parameters import VARIABLE
from flowdsl.errors import FlowError
from flowdsl.views.panel import Facts, brief

if TYPE_CHECKING:
    from flowdsl.run import Run

__all__ = ["facts"]


def facts(run: Run, name: str) -> Facts:
    """What the task takes, has said so far, and is made of; for a task that the run does not have, nothing.

    Values are told in a few words (`panel.brief`): they stay in this process, and no repr of theirs is asked for.
    """
    if name not in run.graph:
        return Facts()
    spec = run.graph[name]
    return Facts(tuple(_arguments(run, name)), _output(run, name), _source(spec.function), str(spec.place))


def _arguments(run: Run, name: str) -> Iterator[Tuple[str, str]]:
    spec, bound = run.graph[name], set()
    for edge in run.graph.edges[name]:
        if edge.parameter is not None:
            bound.add(edge.parameter)
            item = "".join("[%r]" % (key,) for key in edge.path)
            yield edge.parameter, "%s%s: %s" % (edge.source, item, _result(run, edge.source))
    inputs = run.inputs
    for parameter in spec.parameters:
        if parameter.name in bound or parameter.kind in VARIABLE:
            continue
        if parameter.name in inputs:
            yield parameter.name, "%s, given to the run" % brief(inputs[parameter.name])
        elif parameter.has_default:
            yield parameter.name, "%s, its default" % brief(parameter.default)


def _result(run: Run, name: str) -> str:
    return brief(run[name]) if run.has_result(name) else "no result so far"


def _output(run: Run, name: str) -> str:
    read: Callable[[str], Any] = run.output
    try:
        return str(read(name))
    except FlowError:  # there is none
        return ""


def _source(function: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return ""
