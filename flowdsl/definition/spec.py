"""The specification of a task: what its cell says, frozen and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional, Tuple, Union

from flowdsl.definition.edge import Edge
from flowdsl.definition.options import Inherit, Retry
from flowdsl.definition.parameters import Parameter
from flowdsl.definition.place import Place

__all__ = ["Parameter", "Place", "TaskSpec"]


@dataclass(frozen=True, eq=False, repr=False)
class TaskSpec:
    """Everything that is known of a task before it runs."""

    __slots__ = (
        "name",
        "function",
        "parameters",
        "depends_on",
        "retries",
        "timeout",
        "isolation",
        "run_when",
        "verify",
        "uses",
        "priority",
        "tags",
        "type",
        "map",
        "cache",
        "is_async",
        "doc",
        "place",
    )

    name: str
    function: Callable[..., Any]
    parameters: Tuple[Parameter, ...]
    depends_on: Tuple[Edge, ...]  # as written
    retries: Union[Retry, Inherit]
    timeout: Union[float, Inherit, None]  # seconds
    isolation: Union[str, Inherit]
    run_when: str
    verify: Optional[Callable[..., Any]]
    uses: Tuple[str, ...]
    priority: Optional[float]
    tags: Tuple[str, ...]
    type: str
    map: Tuple[str, ...]
    cache: bool
    is_async: bool
    doc: str  # the first line of the docstring
    place: Place

    def __str__(self) -> str:
        return "task %r (%s)" % (self.name, self.place)

    def __repr__(self) -> str:
        return "<TaskSpec of %s>" % self  # without the defaults: their reprs are not ours

    def __reduce__(self) -> Tuple[Any, ...]:
        return TaskSpec, tuple(getattr(self, name) for name in self.__slots__)
