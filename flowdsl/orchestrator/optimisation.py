"""The order in which the queue would be worked through, and what it saves over the order in which tasks came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Sequence

from flowdsl.definition.counted import counted
from flowdsl.engine import states as st
from flowdsl.engine.policy import Node, Policy
from flowdsl.engine.priority import remaining_paths
from flowdsl.engine.simulate import simulate
from flowdsl.orchestrator.order import by_rank, dependencies_first, edges_among, ranks_of
from flowdsl.orchestrator.parts import Parts
from flowdsl.settings import options
from flowdsl.storage.times import seconds_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Optimisation", "optimise"]

WAITING = (st.PENDING, st.READY, st.INTERRUPTED, st.FAILED, st.TIMED_OUT, st.UPSTREAM_FAILED)


class Optimisation(NamedTuple):
    """The order of the tasks that `execute_all` would run: by priority, then the longest path first.

    `expected_s` is what they are expected to take so, `unordered_s` in the order in which they were added, both in
    seconds with the workers of the queue, by the mean durations of earlier tasks of the same action (1 s for an action
    that never ran, where none ever did).
    """

    order: List[str]
    durations: Mapping[str, float]  # expected, in seconds
    paths: Mapping[str, float]  # the longest path that hangs on each, its own duration included
    expected_s: float
    unordered_s: float

    @property
    def saves_s(self) -> float:
        """Seconds that the order is expected to save."""
        return self.unordered_s - self.expected_s

    @property
    def frame(self) -> pd.DataFrame:
        """A DataFrame with one row a task, in order.

        ==========  =======  ====  =====================================================  =========
        name        dtype    unit  meaning                                                when null
        ==========  =======  ====  =====================================================  =========
        position    Int64          its place in the order, from 1                         never
        taskId      string         its id                                                 never
        expected_s  float64  s     what it is expected to take                            never
        path_s      float64  s     the longest path that hangs on it, itself included     never
        ==========  =======  ====  =====================================================  =========
        """
        from flowdsl.analysis.schema import build_frame, columns

        schema = columns("position:integer taskId:string expected_s:float path_s:float")
        values: Dict[str, Sequence[Any]] = {
            "position": list(range(1, len(self.order) + 1)),
            "taskId": self.order,
            "expected_s": [self.durations[name] for name in self.order],
            "path_s": [self.paths[name] for name in self.order],
        }
        return build_frame(schema, values)

    def __repr__(self) -> str:
        shown = ", ".join(self.order[:10]) + (", ..." if len(self.order) > 10 else "")
        if options.stable_repr:
            return "%s: %s" % (counted(len(self.order), "task"), shown or "none")
        times = tuple(map(seconds_text, (self.expected_s, self.unordered_s, self.saves_s)))
        expected = "expected: %s s instead of %s s, saves %s s" % times
        return "%s: %s\n%s" % (counted(len(self.order), "task"), shown or "none", expected)


def optimise(parts: Parts) -> Optimisation:
    """What the queue would do now."""
    with parts.book.lock:
        entries = parts.book.queue.entries
        names = [name for name, now in parts.standings().items() if now.state in WAITING and not now.final]
        edges = edges_among(names, entries)
        order = dependencies_first(edges)
        durations = parts.expected(order)
        ranks = ranks_of(order, entries, durations)
        edges = {name: edges[name] for name in order}
    workers = parts.options.max_concurrent_tasks
    as_added = {name: float(-place) for place, name in enumerate(names)}
    return Optimisation(
        by_rank(edges, ranks),
        durations,
        remaining_paths(order, edges, durations),
        _makespan(order, edges, durations, ranks, workers),
        _makespan(order, edges, durations, as_added, workers),
    )


def _makespan(
    order: List[str],
    edges: Mapping[str, object],
    durations: Dict[str, float],
    priorities: Mapping[str, float],
    workers: int,
) -> float:
    """Seconds, by the machine itself on a virtual clock."""
    policy = Policy("thread")
    nodes = [Node(name, tuple(edges[name]), policy, priorities[name]) for name in order]  # type: ignore[arg-type]
    return simulate(nodes, durations, workers).makespan if nodes else 0.0
