"""The parts of a graph: an edge, and an input that a run is given."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Tuple

__all__ = ["Edge", "Input"]


class Edge(NamedTuple):
    """One edge: `target` waits for `source`, and `parameter` takes its result (see `Dependency` for the forms)."""

    source: str
    target: str
    parameter: Optional[str] = None  # None: order-only
    path: Tuple[Any, ...] = ()  # keys into the result


class Input(NamedTuple):
    """A value that a run is given; where it is not `required`, each task has its own default (`default`: the first)."""

    name: str
    required: bool
    default: Any
    tasks: Tuple[str, ...]  # who takes it

    def __repr__(self) -> str:
        return "<Input %r%s of %s>" % (self.name, ", required," if self.required else "", ", ".join(self.tasks))
