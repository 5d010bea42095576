"""The specification of a task: what its cell says, frozen and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional, Tuple, Union

from flowdsl.definition.options import Inherit, Retry
from flowdsl.definition.parameters import Parameter
from flowdsl.definition.place import Place

__all__ = ["Dependency", "Parameter", "Place", "TaskSpec"]


class Dependency(NamedTuple):
    """One dependency as written.

    `parameter` is what takes the result: a parameter's name, ``"*args"`` (star and name) for one of the values of a
    parameter like `*args`, a name of its own for `**kwargs`; None is order-only. `path` holds keys into the result:
    ``split["train"]`` has ``("train",)``. `owner` is the flow of a task object of another flow, else None.
    """

    task: str
    parameter: Optional[str] = None
    path: Tuple[Any, ...] = ()
    owner: Optional[Any] = None


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
    depends_on: Tuple[Dependency, ...]
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
