"""What a run would come to on other workers: small runs worked out by hand, recorded workflows by their references."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl import ConfigError, Flow, load_runs
from flowdsl.analysis.plan import Numbers, foresee, what_if
from flowdsl.analysis.timeline import Timeline
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.policy import Node, Policy
from flowdsl.engine.snapshot import Snapshot, fold
from tests.analysis.journals import START, batches, eventful, ready, run_ended, run_started, started, succeeded
from tests.workflows import REFERENCES, Reference, read_workflow

WORKER = Policy("worker")


def added(task: str, *upstream: str, **detail: Any) -> Event:
    return Event("task_added", task, 0, "", "pending", "added", detail={"upstream": upstream, **detail})


def one_after_the_other(seconds: Dict[str, float], *joined: Event, **header: Any) -> List[Batch]:
    """A run on one worker."""
    moments: List[Tuple[Any, ...]] = [(0.0, run_started(**header), *joined)]
    now = 0.0
    for name, duration in seconds.items():
        moments += [(now, ready(name), started(name)), (now + duration, succeeded(name))]
        now += duration
    return batches(*moments, (now, run_ended()))


def starts(frame: Any) -> Dict[str, float]:
    """Seconds from the run's start, by task."""
    return {
        row.task: round(row.started_at.timestamp() - START, 3)
        for row in frame.itertuples()
        if row.started_at == row.started_at
    }


def test_more_workers_shorten_a_run_down_to_its_critical_path() -> None:
    joined = (added("a"), added("b"), added("c"), added("end", "a", "b", "c"))
    run = fold(one_after_the_other({"a": 1.0, "b": 2.0, "c": 3.0, "end": 1.0}, *joined))
    assert what_if(run, 1).numbers == Numbers(1, 7.0, 7.0, 4.0, 7.0, 1.0)
    assert what_if(run, 2).numbers == Numbers(2, 4.0, 4.0, 4.0, 7.0, 0.875)
    assert what_if(run, 16).makespan_s == 4.0


def test_the_longest_remaining_path_goes_first_and_priority_before_it() -> None:
    seconds = {"short": 1.0, "long": 5.0}
    run = fold(one_after_the_other(seconds, added("short"), added("long")))
    assert starts(what_if(run, 1).tasks) == {"long": 0.0, "short": 5.0}
    urgent = fold(one_after_the_other(seconds, added("short", priority=1), added("long")))
    assert starts(what_if(urgent, 1).tasks) == {"short": 0.0, "long": 1.0}


def test_named_limits_hold_in_the_plan_too() -> None:
    joined = [added(name, uses=["db"]) for name in ("a", "b", "c", "d")]
    seconds = dict.fromkeys(("a", "b", "c", "d"), 2.0)
    assert what_if(fold(one_after_the_other(seconds, *joined)), 4).makespan_s == 2.0
    limited = fold(one_after_the_other(seconds, *joined, limits={"db": 2}))
    assert what_if(limited, 4).makespan_s == 4.0
    assert what_if(limited, 4, limits={"db": 1}).makespan_s == 8.0


def test_a_limit_that_the_run_does_not_have_is_refused() -> None:
    flow = Flow("limited", limits={"db": 2})
    flow.task(name="a", uses="db")(lambda: 1)
    run = flow.run(display="none")
    assert run.what_if(1, limits={"db": 1}).numbers.max_workers == 1
    with pytest.raises(ConfigError, match=r"the run has no limit 'dbs'; did you mean 'db'\?"):
        run.what_if(1, limits={"dbs": 1})
    with pytest.raises(ConfigError, match="the run has no limit 'network'; it has 'db'"):
        load_runs(run.dir.parent)[-1].what_if(1, limits={"network": 1})


def test_attempts_count_together_and_what_never_ran_does_not_run() -> None:
    plan = what_if(fold(eventful()), 8)
    assert plan.numbers.work_s == 2.0 + (1.0 + 3.0) + 4.5
    assert set(plan.tasks["task"]) == {"flights", "clean", "slow"}
    assert set(plan.tasks["state"]) == {"succeeded"}


def test_a_mapped_task_is_planned_item_by_item() -> None:
    expanded = Event("task_expanded", "part", 0, "ready", "running", "expanded", detail={"size": 3})
    done = Event("task_succeeded", "part", 0, "running", "succeeded", "items_done")
    items = [f"part[{number}]" for number in range(3)]
    moments = [
        (0, run_started(), added("part", map=["n"]), added("end", "part"), ready("part"), expanded, *map(added, items))
    ]
    for number, name in enumerate(items):
        moments += [(number * 2.0, ready(name), started(name)), (number * 2.0 + 2.0, succeeded(name))]
    moments += [(6.0, done, ready("end"), started("end")), (7.0, succeeded("end"), run_ended())]
    plan = what_if(fold(batches(*moments)), 3)
    assert plan.numbers == Numbers(3, 3.0, 3.0, 3.0, 7.0, round(7 / 9, 6))
    assert plan.tasks["map_index"].tolist()[2:] == [0, 1, 2]


def test_of_a_run_that_goes_on_what_is_open_takes_what_is_expected() -> None:
    run = fold(
        batches((0, run_started(), added("a"), added("b", "a"), ready("a")), (0, started("a")), (2, succeeded("a")))
    )
    assert what_if(run, 1).makespan_s == 3.0
    assert what_if(run, 1, durations={"a": 9.0, "b": 5.0}).makespan_s == 7.0


def test_a_plan_has_the_frames_and_the_picture_of_a_run() -> None:
    run = fold(one_after_the_other({"a": 1.0, "b": 2.0, "c": 3.0}, added("a"), added("b"), added("c")))
    plan = what_if(run, 2, show=partial(Timeline, draw=lambda bars: "<svg>%d</svg>" % len(bars)))
    used = plan.utilisation()
    assert dict(zip(used["worker"], used["busy_s"])) == {"worker-1": 3.0, "worker-2": 3.0}
    assert plan.critical_path()["task"].tolist() == ["c", "b", "a"]
    assert plan.timeline().svg() == "<svg>3</svg>"
    assert set(plan.tasks["run_id"]) == {"r1"}
    assert "2 workers: 3 s" in repr(plan)


def test_an_empty_run_has_an_empty_plan() -> None:
    assert what_if(Snapshot("r1", "etl"), 4).numbers == Numbers(4, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_a_journal_from_elsewhere_may_say_anything() -> None:
    odd: Dict[str, Any] = {"limits": {"db": "two", 3: 4}, "run_id": "r7"}
    joined = (added("a", "b", uses=["db", "no such"]), added("b", "a", priority="high"), added("c", uses=5))
    plan = what_if(fold(batches((0, run_started(**odd), *joined, ready("a"), started("a")), (1, succeeded("a")))), 2)
    assert plan.makespan_s == 2.0


@given(some.lists(some.integers(0, 9), min_size=1, max_size=12), some.integers(1, 5), some.data())
def test_no_plan_is_shorter_than_its_bound_or_longer_than_the_work(
    seconds: List[int], workers: int, data: some.DataObject
) -> None:
    names = [f"t{number}" for number in range(len(seconds))]
    nodes = []
    for place, name in enumerate(names):
        upstream = data.draw(some.lists(some.sampled_from(names[:place]), unique=True)) if place else []
        nodes.append(Node(name, tuple(upstream), WORKER, detail={"upstream": tuple(upstream)}))
    numbers = foresee(nodes, dict(zip(names, map(float, seconds))), workers).numbers
    assert numbers.work_s == sum(seconds)
    assert numbers.bound_s - 1e-6 <= numbers.makespan_s <= numbers.work_s + 1e-6
    assert numbers.makespan_s <= numbers.work_s / workers + numbers.critical_path_s + 1e-6  # Graham 1966


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda one: f"{one.workflow} on {one.workers}")
def test_recorded_workflows_reach_their_reference_whatever_they_ran_on(reference: Reference, shared: Path) -> None:
    workflow = read_workflow(shared, reference.workflow)
    joined = [added(name, *parents) for name, parents in workflow.upstream.items()]
    run = fold(one_after_the_other({name: workflow.seconds[name] for name in workflow.upstream}, *joined))
    numbers = what_if(run, reference.workers).numbers
    assert numbers.bound_s == pytest.approx(workflow.bound(reference.workers), rel=1e-6)
    assert numbers.makespan_s / numbers.bound_s == pytest.approx(reference.longest_path_first, rel=0.01)
