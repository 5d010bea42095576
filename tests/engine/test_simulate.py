"""What a run would come to: the machine on a virtual clock."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.engine import events as ev
from flowdsl.engine.check import check_batches
from flowdsl.engine.policy import Node
from flowdsl.engine.priority import remaining_paths
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.simulate import Steady, simulate
from flowdsl.engine.snapshot import fold
from flowdsl.engine.world import World
from flowdsl.errors import InternalError
from tests.engine.script import KINDS, PROCESS, task


@pytest.mark.parametrize(("workers", "makespan"), [(1, 16.0), (4, 4.0), (5, 4.0), (16, 1.0), (100, 1.0)])
def test_more_workers_share_independent_tasks(workers: int, makespan: float) -> None:
    assert simulate([task(f"t{n}") for n in range(16)], {}, workers).makespan == makespan


def test_a_chain_takes_the_sum_whatever_the_workers() -> None:
    nodes = [task("a"), task("b", "a"), task("c", "b")]
    assert simulate(nodes, {"a": 1.5, "b": 2.0, "c": 4.0}, 16).makespan == 7.5


def test_the_longest_path_first_ends_earlier() -> None:
    durations = {"long": 4.0, "s1": 2.0, "s2": 2.0}
    in_order = [task("s1"), task("s2"), task("long")]
    by_path = [task("s1", rank=2), task("s2", rank=2), task("long", rank=4)]
    assert simulate(in_order, durations, 2).makespan == 6.0
    assert simulate(by_path, durations, 2).makespan == 4.0


def test_named_limits_are_kept() -> None:
    nodes = [task(f"t{n}", uses=("db",)) for n in range(6)]
    assert simulate(nodes, {}, 16, limits={"db": 2}).makespan == 3.0


def test_a_task_that_takes_longer_than_its_timeout_fails() -> None:
    forecast = simulate([task("a", kind=PROCESS, timeout=2), task("b", "a")], {"a": 5.0}, 1)
    assert (forecast.makespan, forecast.state) == (2.0, "failed")


def test_an_empty_graph_takes_no_time() -> None:
    assert simulate([], {}, 1).makespan == 0.0


def test_the_events_fold_like_those_of_a_real_run() -> None:
    forecast = simulate([task("a"), task("b", "a")], {"a": 3.0}, 1)
    snapshot = fold(forecast.batches)
    assert snapshot.state == forecast.state == "succeeded"
    assert [(a.task, a.started_at, a.ended_at) for a in snapshot.attempts] == [("a", 0.0, 3.0), ("b", 3.0, 4.0)]


def test_ten_thousand_tasks_are_no_trouble() -> None:
    nodes = [task(f"t{n}", f"t{n - 100}" if n >= 100 else "") for n in range(10_000)]
    assert simulate(nodes, {}, 100).makespan == 100.0


@some.composite
def graphs(draw: Any) -> Tuple[Tuple[Node, ...], Dict[str, float], Dict[str, float]]:
    """Tasks, their durations (quarters of a second, so that sums are exact) and their longest remaining paths."""
    names = [f"t{number}" for number in range(draw(some.integers(1, 12)))]
    upstream = {
        name: draw(some.lists(some.sampled_from(names[:place]), unique=True, max_size=3)) if place else []
        for place, name in enumerate(names)
    }
    durations = {name: draw(some.integers(0, 20)) / 4 for name in names}
    paths = remaining_paths(names, upstream, durations)
    return tuple(task(name, " ".join(upstream[name]), rank=paths[name]) for name in names), durations, paths


@given(graphs(), some.integers(1, 4))
def test_no_run_beats_its_longest_path_nor_wastes_more_than_that(
    graph: Tuple[Tuple[Node, ...], Dict[str, float], Dict[str, float]], workers: int
) -> None:
    """The bound of R. L. Graham (1969) for any list scheduling: at most path + (work - path) / workers."""
    nodes, durations, paths = graph
    forecast = simulate(nodes, durations, workers)
    work, path = sum(durations.values()), max(paths.values())
    assert max(path, work / workers) <= forecast.makespan + 1e-9
    assert forecast.makespan <= path + (work - path) / workers + 1e-9
    check_batches(forecast.batches, max_workers=workers)


def test_a_world_that_comes_to_no_end_is_given_up() -> None:
    scheduler = Scheduler(KINDS, max_workers=1)
    world = World(scheduler, KINDS, Steady({}))
    world.feed(ev.Start())
    for second in range(100):
        world.later(float(second), ev.Tick())
    with pytest.raises(InternalError, match="within 50 inputs"):
        world.run(50)
