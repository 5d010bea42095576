"""What a run of a flow is asked for, checked before anything of the run exists: targets, inputs and options."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from flowdsl.definition.checks import refuse
from flowdsl.definition.graph import check_inputs
from flowdsl.definition.inputs import together
from flowdsl.definition.options import RUN_CHECKS, RUN_OPTIONS, RunOptions
from flowdsl.errors import DefinitionError, at_the_users_line
from flowdsl.graph import Graph
from flowdsl.hold import check_not_held
from flowdsl.task import Task

if TYPE_CHECKING:
    from flowdsl.flow import Flow

Target = Union[str, Task[Any, Any]]

__all__ = ["Request", "Target", "requested", "target_names"]


class Request(NamedTuple):
    """What is to run, with which values, and how."""

    graph: Graph
    inputs: Mapping[str, Any]
    options: RunOptions


def requested(flow: Flow, inputs: Optional[Mapping[str, Any]], options_and_inputs: Mapping[str, Any]) -> Request:
    """What is asked of the flow by the arguments of `run`; raises ConfigError, InputError or GraphError."""
    __tracebackhide__ = True
    check_not_held()
    try:
        return _checked(flow, inputs, options_and_inputs)
    except DefinitionError as exc:
        raise at_the_users_line(exc) from exc.__cause__


def _checked(flow: Flow, inputs: Optional[Mapping[str, Any]], options_and_inputs: Mapping[str, Any]) -> Request:
    where = "run of flow %r" % flow.name
    said: Dict[str, Any] = {name: value for name, value in options_and_inputs.items() if name in RUN_CHECKS}
    targets = target_names(flow, options_and_inputs.get("targets"))
    options = replace(RunOptions.checked(where, **said), targets=targets)
    more = {name: value for name, value in options_and_inputs.items() if name not in RUN_OPTIONS}
    values = together(inputs, more, where)
    graph = flow.build(targets, given=values)
    check_inputs(graph, values)
    return Request(graph, values, options)


def target_names(flow: Flow, targets: Union[Target, Sequence[Target], None]) -> Optional[Tuple[str, ...]]:
    """The names of the targets; None for the whole flow. ConfigError for what is no task, or one of another flow."""
    if targets is None:
        return None
    listed = targets if isinstance(targets, (list, tuple)) else [targets]
    return tuple(_name_of(flow, target) for target in listed)


def _name_of(flow: Flow, target: Any) -> str:
    if isinstance(target, Task):
        if target.flow is not flow.newest:
            refuse("run of flow %r" % flow.name, "targets", target, "is a task of another flow; call its own run")
        return target.name
    if not isinstance(target, str):
        refuse("run of flow %r" % flow.name, "targets", target, "is not a task; give tasks or their names")
    return target
