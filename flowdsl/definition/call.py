"""How a task is called: which results and inputs go to which parameters."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from flowdsl.definition.edge import Edge
from flowdsl.definition.parameters import KEYWORD_ONLY, POSITIONAL_ONLY, VAR_POSITIONAL, Parameter

__all__ = ["call_arguments"]


def call_arguments(
    parameters: Sequence[Parameter], edges: Sequence[Edge], result: Callable[[str], Any], inputs: Mapping[str, Any]
) -> Tuple[List[Any], Dict[str, Any]]:
    """The positional and the keyword arguments of one call.

    `edges` are the edges into the task, `result` gives the result of a source, `inputs` those of the run. What is
    neither keeps its default. Taking an item of a result may raise whatever the result raises.
    """
    named: Dict[str, Any] = {}
    spread: List[Any] = []
    for source, _, parameter, path in edges:
        if parameter is None:
            continue
        value = result(source)
        for key in path:
            value = value[key]
        if parameter[:1] == "*":
            spread.append(value)
        else:
            named[parameter] = value
    if inputs:
        for name, kind, _, _ in parameters:
            if name in inputs and name not in named and kind <= KEYWORD_ONLY and kind != VAR_POSITIONAL:
                named[name] = inputs[name]
    return _positional(parameters, named, spread), named


def _positional(parameters: Sequence[Parameter], named: Dict[str, Any], spread: List[Any]) -> List[Any]:
    """Move out of `named` what has to go by position, defaults filled in, followed by `spread`."""
    last = VAR_POSITIONAL if spread else POSITIONAL_ONLY + 1  # in front of *args all go by position
    found = [named.pop(p.name, p.default) for p in parameters if p.kind < last]
    return found + spread
