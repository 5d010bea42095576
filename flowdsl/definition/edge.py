"""The parts of a graph: an edge into a task, and an input that a run is given."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Tuple

__all__ = ["Edge", "Input"]


class Edge(NamedTuple):
    """What one task waits for: the task `source`, whose result one of its parameters may take.

    `parameter` is what takes the result: a parameter's name, ``"*args"`` (star and name) for one of the values of a
    parameter like `*args`, a name of its own for `**kwargs`; None is order-only. `path` holds keys into the result:
    ``split["train"]`` has ``("train",)``. `owner` is the flow of a task object of another flow, else None.
    """

    source: str
    parameter: Optional[str] = None
    path: Tuple[Any, ...] = ()
    owner: Optional[Any] = None


class Input(NamedTuple):
    """A value that a run is given; where it is not `required`, each task has its own default (`default`: the first)."""

    name: str
    required: bool
    default: Any
    tasks: Tuple[str, ...]  # who takes it

    def __repr__(self) -> str:
        return "<Input %r%s of %s>" % (self.name, ", required," if self.required else "", ", ".join(self.tasks))
