"""The queue: its order, priorities, cancel, remove, pause and resume."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, List

import pytest

from flowdsl import ConfigError, FlowError
from flowdsl.orchestrator import TaskOrchestrator
from flowdsl.orchestrator.statuses import CAUSES
from tests.orchestrator.making import hear, make, status, statuses


def test_the_frame_of_an_empty_queue_has_the_dtypes_of_a_full_one(orchestrator: TaskOrchestrator) -> None:
    empty, no_records = orchestrator.queue(), orchestrator.logs()
    orchestrator.execute_task(orchestrator.add_task(action="one"))
    assert list(empty.dtypes.items()) == list(orchestrator.queue().dtypes.items())
    assert list(no_records.dtypes.items()) == list(orchestrator.logs().dtypes.items())


def test_higher_priorities_go_first_then_longer_paths_then_as_they_came(log_dir: Path) -> None:
    ran: List[Any] = []
    with make(log_dir, max_concurrent_tasks=1) as orchestrator:
        orchestrator.handler("run", lambda target: ran.append(target))
        for name, priority, needs in (("a", 0, []), ("b", 0, []), ("c", 5, []), ("d", 0, ["b"]), ("e", 0, [])):
            orchestrator.add_task(action="run", target=name, task_id=name, priority=priority, dependencies=needs)
        orchestrator.set_priority("e", 2)
        order = orchestrator.queue().set_index("taskId")["position"].sort_values().index.tolist()
        assert order == orchestrator.optimize_queue().order == ["c", "e", "b", "a", "d"]
        orchestrator.execute_all()
    assert ran == order


def test_the_frame_may_be_limited_to_some_states(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    orchestrator.add_task(action="one")
    orchestrator.execute_task(first)
    assert orchestrator.queue(status="completed")["taskId"].tolist() == [first]
    with pytest.raises(ConfigError, match="did you mean 'completed'"):
        orchestrator.queue(status="complete")


def test_a_task_that_waits_is_cancelled_with_those_that_wait_for_it(orchestrator: TaskOrchestrator) -> None:
    a, b = orchestrator.add_task(action="one"), orchestrator.add_task(action="add", dependencies=["one"])
    assert orchestrator.cancel(a)
    assert not orchestrator.cancel(a)
    assert statuses(orchestrator) == {a: "cancelled", b: "cancelled"}
    assert orchestrator.execute_all() == {}
    assert orchestrator.execute_with_dependencies(b) == 1


@pytest.mark.parametrize("isolation", ["thread", pytest.param("process", marks=pytest.mark.slow)])
def test_a_running_task_is_cancelled_and_the_others_of_its_run_go_on(log_dir: Path, isolation: str) -> None:
    with make(log_dir) as orchestrator:
        orchestrator.handler("endless", endless, isolation=isolation)
        task = orchestrator.add_task(action="endless")
        after = orchestrator.add_task(action="add", dependencies=[task])
        beside = orchestrator.add_task(action="one")
        run = orchestrator.execute_all(start=True)
        while status(orchestrator, task) != "in-progress":
            time.sleep(0.005)
        assert orchestrator.cancel(task)
        assert run.wait(20) and orchestrator.wait(20)
        assert statuses(orchestrator) == {task: "cancelled", after: "cancelled", beside: "completed"}
        assert orchestrator.logs()["status"].tolist() == ["cancelled", "cancelled", "completed"]


def test_a_task_that_is_cancelled_alone_is_told_of_in_the_same_way_everywhere(log_dir: Path) -> None:
    with make(log_dir, retry_attempts=1, retry_delay=30) as orchestrator:
        orchestrator.handler("endless", endless)
        heard = hear(orchestrator)
        running, waits, retries = (
            orchestrator.add_task(action="endless", task_id="running"),
            orchestrator.add_task(action="add", dependencies=["running"], task_id="waits"),
            orchestrator.add_task(action="fail", target="luck", task_id="retries"),
        )
        run = orchestrator.execute_all(start=True)
        while (status(orchestrator, running), status(orchestrator, retries)) != ("in-progress", "retrying"):
            time.sleep(0.005)
        assert orchestrator.cancel(running) and orchestrator.cancel(retries)
        assert run.wait(20) and orchestrator.wait(20)
        ids = [running, waits, retries]
        because = CAUSES["task_cancelled"]
        errors = [because, "task 'running': upstream_cancelled", because + "; an attempt had failed: no luck"]
        assert sorted(one["taskId"] for name, one in heard if name == "taskCancelled") == sorted(ids)
        assert {one["causeTask"] for name, one in heard if one.get("taskId") == waits and name != "taskAdded"} == {
            running
        }
        assert heard[-1] == ("queueDrained", {"tasks": {"cancelled": 3}})
        assert not any(name in ("taskFailed", "taskComplete") for name, _ in heard)
        queue, logs = orchestrator.queue(), orchestrator.logs().set_index("taskId").loc[ids]
        assert queue["status"].tolist() == logs["status"].tolist() == ["cancelled"] * 3
        assert queue["error"].tolist() == logs["error"].tolist() == errors
        assert queue["attempts"].tolist() == [1, 0, 1]
        assert [orchestrator.get_task_status(task)["error"] for task in ids] == errors
        attempts = orchestrator.performance().attempts.set_index("taskId")["state"].to_dict()
        assert attempts == {running: "cancelled", retries: "failed"}
        assert orchestrator.performance().summary["completed"] == 0
        assert run.tasks.set_index("task").loc[ids, "state"].tolist() == ["cancelled"] * 3
    with make(log_dir) as later:
        assert later.queue()["error"].tolist() == errors
        assert later.execute_all() == {}


def test_a_reason_that_was_given_by_hand_is_the_error(orchestrator: TaskOrchestrator) -> None:
    task = orchestrator.add_task(action="one")
    orchestrator.update_task_state(task, {"status": "cancelled", "message": "no longer needed"})
    assert orchestrator.get_task_status(task)["error"] == "no longer needed"
    assert orchestrator.logs()["error"].tolist() == ["no longer needed"]


def endless(context: Any) -> None:
    context.sleep(1000)


def test_a_removed_task_is_gone_with_its_record_and_its_id_is_not_given_again(
    orchestrator: TaskOrchestrator, log_dir: Path
) -> None:
    task = orchestrator.add_task(action="one")
    user = orchestrator.add_task(action="add", dependencies=[task])
    with pytest.raises(ConfigError, match="is needed by task_002"):
        orchestrator.remove(task)
    orchestrator.remove(user)
    orchestrator.remove(task)
    assert (len(orchestrator), list(log_dir.glob("*.json"))) == (0, [])
    with pytest.raises(ConfigError, match="'task_001' is taken"):
        orchestrator.add_task(action="one", task_id="task_001")
    assert orchestrator.add_task(action="one") == "task_003"


def test_what_a_run_has_in_hand_cannot_be_removed(orchestrator: TaskOrchestrator) -> None:
    go_on = threading.Event()
    orchestrator.handler("wait", lambda: go_on.wait(20))
    task = orchestrator.add_task(action="wait")
    run = orchestrator.execute_task(task, start=True)
    with pytest.raises(ConfigError, match="in a run that goes on"):
        orchestrator.remove(task)
    go_on.set()
    assert run.wait(20)


def test_a_paused_queue_starts_nothing_until_it_goes_on(orchestrator: TaskOrchestrator) -> None:
    task = orchestrator.add_task(action="one")
    orchestrator.pause()
    orchestrator.pause()
    with pytest.raises(FlowError, match="the queue is paused"):
        orchestrator.execute_task(task)
    run = orchestrator.execute_task(task, start=True)
    assert not run.wait(0.1)
    assert status(orchestrator, task) == "pending"
    with pytest.raises(FlowError, match="1 run waiting in it"):
        orchestrator.close()
    orchestrator.resume()
    assert run.wait(20)
    assert orchestrator.execute_task(task) == 1


def test_a_run_in_the_middle_is_paused_too(orchestrator: TaskOrchestrator) -> None:
    begun, go_on = threading.Event(), threading.Event()
    orchestrator.handler("wait", lambda: begun.set() or go_on.wait(20))
    first = orchestrator.add_task(action="wait")
    second = orchestrator.add_task(action="add", dependencies=[first])
    run = orchestrator.execute_with_dependencies(second, start=True)
    assert begun.wait(20)
    orchestrator.pause()
    go_on.set()
    while status(orchestrator, first) != "completed":
        time.sleep(0.005)
    assert not run.wait(0.1)
    assert status(orchestrator, second) == "pending"
    orchestrator.resume()
    assert run.wait(20)
    assert run[second] == 1


def test_the_report_finds_what_keeps_tasks_from_running_and_what_is_idle(orchestrator: TaskOrchestrator) -> None:
    a, b = orchestrator.add_task(action="one"), orchestrator.add_task(action="add", dependencies=["one"])
    c = orchestrator.add_task(action="add", task_id="c", dependencies=[a, b])
    report = orchestrator.validate()
    assert report.ok
    assert (report.of("redundant edge"), report.of("dead end")) == ([c], [c])
    orchestrator.cancel(a)
    orchestrator.update_task_state(b, {"status": "pending"})
    assert orchestrator.validate().of("unreachable") == [b]


def test_the_report_finds_what_a_damaged_queue_or_a_new_process_lacks(log_dir: Path) -> None:
    with make(log_dir) as first:
        a, b = first.add_task(action="one"), first.add_task(action="add", dependencies=["one"])
    journal = log_dir / "orchestrator" / "events.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"action":"one"', b'"action":"two"'))
    with TaskOrchestrator(task_log_dir=log_dir) as later:
        report = later.validate()
        assert not report.ok
        assert (report.of("missing"), report.of("no handler"), report.of("damage")) == ([b], [b], [""])
        assert f"task {b!r} depends on {a!r}, which is not there" in repr(report)
        assert report.frame["kind"].tolist() == ["damage", "missing", "no handler", "dead end"]


def test_the_saving_of_the_order_is_what_the_machine_says(log_dir: Path) -> None:
    with make(log_dir, max_concurrent_tasks=2) as orchestrator:
        orchestrator.handler("short", lambda: time.sleep(0.01))
        orchestrator.handler("long", lambda: time.sleep(0.05))
        for action in ("short", "long"):
            orchestrator.execute_task(orchestrator.add_task(action=action))
        for action in ["short"] * 4 + ["long"]:
            orchestrator.add_task(action=action)
        found = orchestrator.optimize_queue()
        assert found.order[0] == "task_007"
        assert 0 < found.saves_s < found.unordered_s
        assert found.frame["taskId"].tolist() == found.order
        assert "saves" in repr(found)
