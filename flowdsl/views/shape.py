"""The graph of a run as its log tells it, for pictures of runs whose tasks are not in this process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, FrozenSet, Mapping, NamedTuple, Tuple

from flowdsl.definition.edge import Edge
from flowdsl.engine import states as st
from flowdsl.views.table import rows_of

__all__ = ["LoggedTask", "Shape", "shape_of"]

_SOME = "result"  # a log does not say which parameter takes a result


class LoggedTask(NamedTuple):
    """What a picture shows of a task, as far as a log has it; `function` bears only its name."""

    name: str
    tags: Tuple[str, ...]
    map: Tuple[str, ...]
    function: Any


class Shape(NamedTuple):
    """A graph that can be drawn, and no more."""

    flow: str
    tasks: Mapping[str, LoggedTask]
    edges: Mapping[str, Tuple[Edge, ...]]
    inputs: Mapping[str, Any]
    given: FrozenSet[str]
    targets: Tuple[str, ...] = ()


def shape_of(snapshot: Any) -> Shape:
    """The graph of a run from its snapshot; a dependency that the log does not know (a damaged line) is left out."""
    rows = {row.name: row for row in rows_of(snapshot)}
    return Shape(
        flow=snapshot.flow,
        tasks={name: LoggedTask(name, row.tags, _mapped(row), _named(row.action)) for name, row in rows.items()},
        edges={
            name: tuple(Edge(source, _SOME) for source in row.upstream if source in rows and source != name)
            for name, row in rows.items()
        },
        inputs={},
        given=frozenset(name for name, row in rows.items() if row.state == st.SUCCEEDED and row.cause == "given"),
    )


def _mapped(row: Any) -> Tuple[str, ...]:
    return ("items",) if getattr(row, "size", None) is not None else ()


def _named(action: Any) -> Any:
    return SimpleNamespace(__name__=action if isinstance(action, str) else "")
