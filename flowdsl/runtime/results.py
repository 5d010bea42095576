"""The results of a run's tasks, for as long as somebody may ask for them."""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Set

from flowdsl.definition.checks import shown
from flowdsl.definition.graph import Graph
from flowdsl.engine.maps import item_name, split
from flowdsl.executors.outcome import text_of

NOTHING: Any = type("Nothing", (), {"__repr__": lambda self: "<no result>"})()  # where an item has no result (yet)


class Kept(NamedTuple):
    """What a run takes over from an earlier one, which it runs again; a task without a value had let it go."""

    run_id: str = ""
    tasks: FrozenSet[str] = frozenset()
    values: Mapping[str, Any] = {}


def item_of(value: Any, source: str, path: Sequence[Any]) -> Any:
    """What lies under these keys, one after the other, in the result of the task `source`.

    Raises LookupError (for a key KeyError) where nothing does, TypeError where there can be no such item; both say
    whose result it is.
    """
    found = value
    for key in path:
        try:
            found = found[key]
        except (LookupError, TypeError) as exc:
            what = "the result of task %r has no item %s" % (source, "".join("[%s]" % shown(one) for one in path))
            if isinstance(exc, KeyError):
                raise KeyError(what) from exc
            kind = TypeError if isinstance(exc, TypeError) else LookupError
            raise kind("%s: %s" % (what, text_of(exc))) from exc
    return found


class Results:
    """Values by task name; with `keep="targets"` a value goes when the last task that takes it has ended.

    The items of a mapped task lie in a list of their own, which is complete when the task has ended. `missing` makes
    what stands for the result of a task that has none.
    """

    def __init__(self, graph: Graph, given: Mapping[str, Any], keep: str, kept: Optional[Kept] = None) -> None:
        kept = kept or Kept()
        self.values: Dict[str, Any] = {**given, **kept.values}
        self.lists: Dict[str, List[Any]] = {}  # by mapped task
        self.released: Set[str] = set(kept.tasks.difference(kept.values))
        self.missing: Callable[[str], Any] = lambda name: None
        self._graph = graph
        self._uses: Optional[Dict[str, int]] = None
        self.releases = keep == "targets"
        if self.releases:
            self._uses = {name: len(graph.downstream(name)) for name in graph.tasks}

    def put_item(self, name: str, value: Any) -> None:
        """The result of `delays[3]`; that of a task goes to `values`."""
        task, index = split(name)
        self.lists[task][index or 0] = value

    def open(self, task: str, size: int) -> None:
        """Room for the items of a mapped task."""
        self.lists[task] = [NOTHING] * size

    def gather(self, task: str) -> None:
        """All items have ended: the list, with gaps where an item has no result."""
        values = self.lists[task]
        self.values[task] = [
            self.missing(item_name(task, index)) if value is NOTHING else value for index, value in enumerate(values)
        ]

    def item(self, name: str) -> Any:
        """The result of `delays[3]`, or NOTHING."""
        task, index = split(name)
        values: Any = self.lists.get(task) or (self.values.get(task, ()) if task in self._graph.mapped else ())
        return values[index] if index is not None and index < len(values) else NOTHING

    def ended(self, name: str) -> None:
        """This task takes nothing any more."""
        assert self._uses is not None
        if name not in self._graph.tasks:  # an item: the whole task will end too
            return
        for source in self._graph.upstream(name):
            self._uses[source] -= 1
            if not self._uses[source] and source not in self._graph.targets and source in self.values:
                del self.values[source]
                self.lists.pop(source, None)
                self.released.add(source)
