"""From a function and what was said about it to the specification of a task."""

from __future__ import annotations

from typing import Any, Callable, Optional, Sequence

from flowdsl.definition.checks import check_name
from flowdsl.definition.dependencies import fit
from flowdsl.definition.edge import Edge
from flowdsl.definition.fanout import check_map
from flowdsl.definition.function import check_function, first_line, is_async, name_of
from flowdsl.definition.options import TaskOptions
from flowdsl.definition.parameters import parameters_of
from flowdsl.definition.place import Place
from flowdsl.definition.spec import TaskSpec

__all__ = ["Where", "define"]


def define(
    function: Callable[..., Any],
    name: Optional[str],
    options: TaskOptions,
    written: Sequence[Edge],
    *,
    home: Any,
    place: Place,
) -> TaskSpec:
    """The specification of the task `name` (default: the function's name) of flow `home`.

    Raises DefinitionError for what cannot be a task, ConfigError for a name or a dependency that cannot be.
    """
    where = Where(name or getattr(function, "__name__", None), place)
    check_function(function, where)
    if name is None:
        name = check_name(name_of(function, where), where)
    parameters = parameters_of(function)
    depends_on = fit(written, parameters, name, home, where)
    if options.map:
        check_map(options.map, parameters, depends_on, where)
    return TaskSpec(name, function, parameters, depends_on, *options, is_async(function), first_line(function), place)


class Where:
    """The words that name a task which is being defined; made into text only for a message."""

    __slots__ = ("name", "place")

    def __init__(self, name: Optional[str], place: object) -> None:
        self.name = name
        self.place = place

    def __str__(self) -> str:
        return "task %r (%s)" % (self.name, self.place) if self.name else "@task (%s)" % (self.place,)
