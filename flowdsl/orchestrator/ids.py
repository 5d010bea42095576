"""The ids of tasks: `task_001`, `task_002`, ... or what a user gives, never one that could leave the directory."""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Tuple

from flowdsl.definition.checks import NAME_LIMIT, shown

__all__ = ["Ids", "Packed", "id_fault", "numbered", "packed"]

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
        return numbered(self._last + 1)

    @property
    def last(self) -> int:
        """The highest number that it has heard of."""
        return self._last


class Packed(NamedTuple):
    """Many ids in few words: ranges of numbers, first and last, and the names that have none."""

    numbers: List[Tuple[int, int]]
    names: List[str]


def numbered(number: Any) -> str:
    """The id with this number."""
    return "task_%03d" % number


def packed(ids: Iterable[str]) -> Packed:
    """The ids as ranges and names.

    >>> packed(["task_002", "review", "task_001", "task_004"])
    Packed(numbers=[(1, 2), (4, 4)], names=['review'])
    """
    numbers, names = [], []
    for task_id in ids:
        found = _NUMBERED.fullmatch(task_id)
        if found and numbered(int(found.group(1))) == task_id:
            numbers.append(int(found.group(1)))
        else:
            names.append(task_id)
    ranges: List[Tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] + 1 == number:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return Packed(ranges, sorted(names))


def id_fault(value: Any, is_taken: Callable[[str], bool]) -> Optional[str]:
    """What is wrong with an id that a user gives; None where nothing is."""
    if not isinstance(value, str):
        return "taskId=%s is not a str" % shown(value)
    if not 1 <= len(value) <= NAME_LIMIT:
        return "taskId has %d characters; give 1 to %d" % (len(value), NAME_LIMIT)
    if not value.isprintable() or any(char in value for char in "[]/\\"):
        text = "taskId=%s has characters that an id cannot have; leave out [ ] / \\ and control characters"
        return text % shown(value)
    if is_taken(value):
        return "taskId=%s is taken; the task of that id was left as it is" % shown(value)
    return None
