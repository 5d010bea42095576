"""The ids of tasks: `task_001`, `task_002`, ... or what a user gives, never one that could leave the directory."""

from __future__ import annotations

import re
from typing import Any, Container, Optional

from flowdsl.definition.checks import NAME_LIMIT, shown

__all__ = ["Ids", "id_fault"]

_NUMBERED = re.compile(r"task_([0-9]{1,15})")


class Ids:
    """Gives each id once: it counts on from the highest that it has heard of."""

    def __init__(self) -> None:
        self._last = 0

    def copy(self) -> Ids:
        """Another that goes on from here."""
        found = Ids()
        found._last = self._last
        return found

    def heard_of(self, task_id: str) -> None:
        """An id that is taken, or was once."""
        found = _NUMBERED.fullmatch(task_id)
        if found:
            self._last = max(self._last, int(found.group(1)))

    def peek(self) -> str:
        """The id that comes next."""
        return "task_%03d" % (self._last + 1)


def id_fault(value: Any, taken: Container[str]) -> Optional[str]:
    """What is wrong with an id that a user gives; None where nothing is."""
    if not isinstance(value, str):
        return "taskId=%s is not a str" % shown(value)
    if not 1 <= len(value) <= NAME_LIMIT:
        return "taskId has %d characters; give 1 to %d" % (len(value), NAME_LIMIT)
    if not value.isprintable() or any(char in value for char in "[]/\\"):
        return "taskId=%s has characters that an id cannot have; leave out [ ] / \\ and control characters" % shown(
            value
        )
    if value in taken:
        return "taskId=%s is taken; the task of that id was left as it is" % shown(value)
    return None
