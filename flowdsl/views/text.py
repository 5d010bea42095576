"""A graph as text: chains of tasks on a line, branches below each other, and no task written out twice."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set, Tuple

from flowdsl.definition.counted import counted
from flowdsl.views.escape import clean, columns, shorten
from flowdsl.views.palette import STALE, counts_text, look

__all__ = ["tree"]

_LINES = 60
_WIDTH = 96
_NAME = 40
_SILENT = frozenset(("succeeded", "pending", "ready", "reused"))  # their icon says enough


class _Branch(NamedTuple):
    """A task still to be written; `lead` stands before its first line, `below` before what follows."""

    name: str
    lead: str
    below: str
    ordered: bool


def tree(graph: Any, states: Optional[Mapping[str, str]] = None) -> str:
    """The graph as lines of text, from what needs nothing to what needs most; about 60 lines at most.

    A chain is one line; `..>` leads to a task that only has to wait; `(above)` marks a task that is written out
    further up. No recursion, however deep the graph is.
    """
    lines = [_heading(graph, states)]
    written: Set[str] = set()
    below = _downstream(graph)
    stack = [_Branch(name, "", "", False) for name in reversed(list(_roots(graph)))]
    while stack and len(lines) <= _LINES:
        _write(stack.pop(), graph, states, below, written, lines, stack)
    if len(lines) > _LINES:
        del lines[_LINES:]
    left = len(graph.tasks) - len(written)
    if left or stack:
        lines.append(f"\u2026 and {counted(left, 'more task')}")
    return "\n".join(lines)


_Below = Dict[str, List[Tuple[str, bool]]]


def _write(
    branch: _Branch,
    graph: Any,
    states: Optional[Mapping[str, str]],
    below: _Below,
    written: Set[str],
    lines: List[str],
    stack: List[_Branch],
) -> None:
    """Write the chain that begins with `branch`, and put what branches off its end on the stack."""
    name, line = branch.name, branch.lead + ("..> " if branch.ordered else "")
    while len(lines) <= _LINES:
        again = name in written
        line += _name(name, graph, states) + (" (above)" if again and below[name] else "")
        written.add(name)
        onward = [] if again else below[name]
        if len(onward) != 1:
            break
        name, ordered = onward[0]
        step = " ..> " if ordered else " \u2192 "
        if columns(line) + len(step) + columns(_name(name, graph, states)) > _WIDTH:
            lines.append(line)
            line = branch.below + " "
        line += step
    else:
        onward = []
    lines.append(line)
    for at, (target, ordered) in enumerate(reversed(onward)):
        lead, below_it = (_NEXT, _BAR) if at else (_LAST, _GAP)
        stack.append(_Branch(target, branch.below + lead, branch.below + below_it, ordered))


_NEXT, _LAST, _BAR, _GAP = "\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ", "   "


def _heading(graph: Any, states: Optional[Mapping[str, str]]) -> str:
    n = len(graph.tasks)
    head = f"flow {clean(graph.flow)}: {counted(n, 'task')}"
    if states is not None and n:
        return f"{head}: {counts_text(Counter(states.get(name, 'pending') for name in graph.tasks))}"
    inputs = ", ".join(shorten(name, _NAME) + (" *" if graph.inputs[name].required else "") for name in graph.inputs)
    return f"{head}; inputs: {shorten(inputs, _WIDTH)}" if inputs else head


def _name(name: str, graph: Any, states: Optional[Mapping[str, str]]) -> str:
    shown = shorten(name, _NAME) + (" \u00d7 items" if graph.tasks[name].map else "")
    if name in graph.given:
        return f"{look('succeeded', 'given').icon} {shown} (given)"
    if states is None:
        return f"{STALE.icon} {shown} ({STALE.word})" if name in getattr(graph, "stale", ()) else shown
    state = states.get(name, "pending")
    how = look(state)
    return f"{how.icon} {shown}" + ("" if state in _SILENT else f" ({how.word})")


def _roots(graph: Any) -> Iterable[str]:
    return (name for name in graph.tasks if not any(edge.source in graph.tasks for edge in graph.edges[name]))


def _downstream(graph: Any) -> _Below:
    below: _Below = {name: [] for name in graph.tasks}
    for name in graph.tasks:
        for source, ordered in _sources(graph, name).items():
            below[source].append((name, ordered))
    return below


def _sources(graph: Any, name: str) -> Dict[str, bool]:
    """What `name` needs, each once; whether it only has to wait for it."""
    sources: Dict[str, bool] = {}
    for edge in graph.edges[name]:
        if edge.source in graph.tasks:
            sources[edge.source] = sources.get(edge.source, True) and edge.parameter is None
    return sources
