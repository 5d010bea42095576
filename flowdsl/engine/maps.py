"""The mapped tasks of a run: which there are, whose items each takes one by one, and what became of its own items.

A mapped task is a task of its own, without attempts: it is ready when its sizes may be asked for, running while its
items are, and it ends with the last of them. Its items are tasks like any other, named `delays[3]`.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, NamedTuple, Optional, Set, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.policy import Node

__all__ = ["Blame", "Items", "Maps", "item_name", "item_upstream", "split"]

NOTHING: FrozenSet[int] = frozenset()


class Blame(NamedTuple):
    """The first item that ended in a state."""

    item: str
    cause: str
    cause_task: str


class Items:
    """The items of one mapped task."""

    __slots__ = ("blame", "open")

    def __init__(self, size: int) -> None:
        self.open = size
        self.blame: Dict[str, Blame] = {}  # state -> the first item that ended in it, of those that did not succeed

    def verdict(self) -> Tuple[str, str, str]:
        """(event, cause, guilty task) of the end of the mapped task, once no item is open.

        Items that were skipped leave gaps in the list and nothing else.
        """
        failed = self.blame.get(st.FAILED) or self.blame.get(st.TIMED_OUT)
        if failed is not None:
            return ev.TASK_FAILED, "items_failed", failed.item
        upstream = self.blame.get(st.UPSTREAM_FAILED)
        if upstream is not None:
            return ev.TASK_UPSTREAM_FAILED, "upstream_failed", upstream.cause_task
        cancelled = self.blame.get(st.CANCELLED)
        if cancelled is not None:
            return ev.TASK_CANCELLED, cancelled.cause, cancelled.cause_task
        return ev.TASK_SUCCEEDED, "items_done", ""


class Maps:
    """Mapped tasks by number. Everything here is empty in a run without any."""

    def __init__(self) -> None:
        self.nodes: Dict[int, Node] = {}  # mapped tasks, as they were added
        self._over: Dict[int, FrozenSet[int]] = {}  # mapped task -> the mapped tasks whose items it takes one by one
        self.owner: Dict[int, int] = {}  # item -> its mapped task
        self.items: Dict[int, Items] = {}  # mapped tasks whose items have joined
        self.sizing: Set[int] = set()  # ready, and their sizes are asked for
        self.unasked: List[int] = []  # ready, to be asked for

    def add(self, number: int, node: Node, over: Iterable[int]) -> None:
        """A mapped task joins; `over` are the mapped tasks whose items it takes one by one."""
        self.nodes[number] = node
        self._over[number] = frozenset(over)

    def waits_for_items(self, number: int) -> bool:
        """Whether it takes the items of another one by one: then it is for them to say what they need."""
        return bool(self._over.get(number))

    def withdraw(self, number: int) -> None:
        """Its sizes are wanted no more."""
        self.sizing.discard(number)
        if number in self.unasked:
            self.unasked.remove(number)

    def hands_items_to(self, number: int, child: int) -> bool:
        """Whether `child` takes the items of `number` one by one."""
        return number in self._over.get(child, NOTHING)

    def expand(self, number: int, items: range) -> None:
        """The sizes are known: these rows are its items."""
        self.sizing.discard(number)
        self.items[number] = Items(len(items))
        self.owner.update(dict.fromkeys(items, number))


def item_name(task: str, index: int) -> str:
    """The name of one item of a mapped task: `delays[3]`."""
    return "%s[%d]" % (task, index)


def item_upstream(upstream: Tuple[str, ...], over: Tuple[str, ...], index: int) -> Tuple[str, ...]:
    """What one item waits for, of what its mapped task waits for."""
    if not over:
        return upstream
    return tuple(item_name(name, index) if name in over else name for name in upstream)


def split(name: str) -> Tuple[str, Optional[int]]:
    """`delays[3]` -> ("delays", 3); the name of any other task -> (name, None). Names of tasks have no brackets.

    >>> split("delays[3]"), split("report")
    (('delays', 3), ('report', None))
    """
    if not name.endswith("]"):
        return name, None
    task, _, index = name[:-1].rpartition("[")
    number = index.isascii() and index.isdigit() and (index[0] != "0" or index == "0")
    return (task, int(index)) if task and number else (name, None)
