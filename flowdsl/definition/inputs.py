"""The inputs of a graph: what its tasks take that no task makes, and whether a run was given the right ones."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NoReturn, Protocol, Sequence, Tuple

from flowdsl.definition.checks import shown
from flowdsl.definition.edge import Input
from flowdsl.definition.options import RUN_OPTIONS
from flowdsl.definition.parameters import Parameter
from flowdsl.definition.spec import TaskSpec
from flowdsl.definition.suggest import did_you_mean, nearest
from flowdsl.errors import InputError

__all__ = ["InputsOf", "check_inputs", "inputs_of", "together"]

Takers = Mapping[str, Sequence[Tuple[str, Parameter]]]  # input -> who takes it, as which parameter

NO_KEYWORDS = frozenset(("self", "inputs", *RUN_OPTIONS))  # inputs of these names come in the dict
SHOWN = 3  # tasks that a message names


class InputsOf(Protocol):
    """What a check of inputs asks of a graph."""

    @property
    def flow(self) -> str: ...
    @property
    def tasks(self) -> Mapping[str, Any]: ...
    @property
    def inputs(self) -> Mapping[str, Input]: ...
    @property
    def given(self) -> Any: ...


def inputs_of(takers: Takers, specs: Mapping[str, TaskSpec], order: Sequence[str]) -> Dict[str, Input]:
    """One Input a name, from the tasks and parameters that take it; in the order in which the graph reads them."""
    if not takers:
        return {}
    rank = {name: at for at, name in enumerate(order)}
    found = []
    for name, taking in takers.items():
        taking = sorted(taking, key=lambda pair: rank[pair[0]])
        task, parameter = taking[0]
        found.append((rank[task], specs[task].parameters.index(parameter), _input(name, taking)))
    return {needed.name: needed for _, _, needed in sorted(found, key=lambda place: place[:2])}


def _input(name: str, taking: Sequence[Tuple[str, Parameter]]) -> Input:
    defaults = [parameter.default for _, parameter in taking if parameter.has_default]
    required = len(defaults) < len(taking)
    return Input(name, required, defaults[0] if defaults else None, tuple(task for task, _ in taking))


def together(inputs: Any, more: Dict[str, Any], where: object) -> Dict[str, Any]:
    """The inputs of a run that came in a dict and those that came by keyword."""
    if inputs is None:
        return more
    if not isinstance(inputs, Mapping) or not all(isinstance(name, str) for name in inputs):
        raise InputError("%s: inputs=%s is not a dict of names; write run(x=1)" % (where, shown(inputs)))
    twice = sorted(set(inputs) & set(more))
    if twice:
        raise InputError("%s: input %r is given twice; take it out of inputs={...}" % (where, twice[0]))
    return {**inputs, **more}


def check_inputs(graph: InputsOf, inputs: Mapping[str, Any]) -> None:
    """Return where `inputs` are what the graph needs; raise InputError for a missing or an unknown one."""
    for name in inputs:
        if name not in graph.inputs and name not in graph.given:
            _refuse_unknown(graph, name)
    for needed in graph.inputs.values():
        if needed.required and needed.name not in inputs:
            _refuse_missing(graph, needed)


def _refuse_unknown(graph: InputsOf, name: object) -> NoReturn:
    what = "no task of this graph of flow %r takes the input %r" % (graph.flow, name)
    known = list(graph.inputs) + list(graph.tasks)
    option = nearest(name, RUN_OPTIONS)
    if option is not None and nearest(name, known) is None:
        raise InputError("%s; did you mean the option %r?" % (what, option))
    takes = ", ".join(repr(known) for known in list(graph.inputs)[:SHOWN])
    advice = "it takes " + takes if takes else "leave it out: the graph has no inputs"
    raise InputError(what + did_you_mean(name, known, advice))


def _refuse_missing(graph: InputsOf, needed: Input) -> NoReturn:
    takers = [graph.tasks[name] for name in needed.tasks if _is_needed_by(graph.tasks[name], needed.name)]
    what = "input %r is missing: %s of flow %r takes it without a default" % (
        needed.name,
        ", ".join(map(str, takers[:SHOWN])),
        graph.flow,
    )
    keyword = needed.name not in NO_KEYWORDS
    given = "run(%s=...)" % needed.name if keyword else "run({%r: ...}), by keyword it is an option" % needed.name
    advice = "give it: %s, or say depends_on= with the task of that name, if another flow has it" % given
    others = [name for name in graph.tasks if name != needed.name]
    raise InputError(what + did_you_mean(needed.name, others, advice))


def _is_needed_by(spec: TaskSpec, name: str) -> bool:
    return any(parameter.name == name and not parameter.has_default for parameter in spec.parameters)
