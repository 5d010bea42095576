"""The draft of a task on its way into the queue: what it is to be, and what was found wrong with it."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Tuple

from flowdsl.errors import DefinitionError
from flowdsl.orchestrator.definition import TaskDefinition

__all__ = ["Draft"]

_WHERE = re.compile(r"\A(task|action|task '[^']*'): ")  # the place that a check names; the list of faults says it once


class Draft:
    """One task on its way into the queue, and what was found wrong with it."""

    def __init__(self, config: Mapping[str, Any], task_id: str) -> None:
        self.config = config
        self.task_id = task_id
        self.type = "task"
        self.action = ""
        self.function: Any = None
        self.values: Dict[str, Any] = {}
        self.dependencies: Tuple[str, ...] = ()
        self.faults: List[str] = []
        self.wrong_edges = 0  # faults that are about dependencies
        self.cycle: Tuple[str, ...] = ()

    def try_to(self, check: Any, *args: Any, **more: Any) -> Any:
        """What the check returns; None, and one fault more, where it raises."""
        try:
            return check(*args, **more)
        except DefinitionError as exc:
            self.faults.append(_WHERE.sub("", str(exc)))
            return None

    @property
    def definition(self) -> TaskDefinition:
        """The task that it is to be; to be asked for where nothing was found wrong."""
        given = {"parameters": {}, **self.values}
        return TaskDefinition(
            self.task_id, self.type, self.action, dependencies=self.dependencies, function=self.function, **given
        )
