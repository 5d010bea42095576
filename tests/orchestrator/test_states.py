"""States set by hand: the table of what may follow what, what it means for others, and that nothing else changes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from flowdsl import ConfigError, GraphError, RunFailed
from flowdsl.engine import states as st
from flowdsl.orchestrator import TaskOrchestrator
from flowdsl.orchestrator.statuses import BY_HAND, STATUS_OF, STATUSES
from tests.orchestrator.making import hear, make, status, statuses


def test_every_state_of_the_engine_has_a_word_and_every_word_its_row() -> None:
    assert set(STATUS_OF) == set(st.TASK_STATES)
    assert set(BY_HAND) == set(STATUSES)
    assert {after for those in BY_HAND.values() for after in those} <= set(STATUSES)


def test_the_example_of_the_document(orchestrator: TaskOrchestrator) -> None:
    task = orchestrator.add_task(action="one")
    heard = hear(orchestrator)
    change = {"status": "in-progress", "progress": 50, "message": "Processing documentation"}
    found = orchestrator.update_task_state(task, change)
    assert {key: found[key] for key in change} == {**change, "progress": 50.0}
    assert orchestrator.wait(10)
    assert [name for name, _ in heard] == ["taskProgress"]
    assert found["startTime"] is not None


@pytest.mark.parametrize(
    "change",
    [
        {"status": "done"},
        {"status": "in-progress", "progress": 150},
        {"status": "in-progress", "progress": True},
        {"status": "in-progress", "message": 3},
        {"status": "timed-out"},
        {"state": "completed"},
        {"status": "failed", "result": 1},
        {},
        None,
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(orchestrator: TaskOrchestrator, change: Any) -> None:
    task = orchestrator.add_task(action="one")
    before = orchestrator.get_task_status(task)
    with pytest.raises(ConfigError):
        orchestrator.update_task_state(task, change)
    assert orchestrator.get_task_status(task) == before


def test_a_forbidden_change_is_refused_with_the_allowed_ones(orchestrator: TaskOrchestrator) -> None:
    task = orchestrator.add_task(action="one")
    with pytest.raises(ConfigError, match="is pending and cannot be made blocked by hand; allowed are: pending, in-"):
        orchestrator.update_task_state(task, {"status": "blocked"})
    orchestrator.execute_task(task)
    with pytest.raises(ConfigError, match="is completed and cannot be made pending by hand; nothing is; execute_task"):
        orchestrator.update_task_state(task, {"status": "pending"})


def test_completed_by_hand_is_final_and_releases_those_that_wait(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="fail")
    second = orchestrator.add_task(action="add", dependencies=[first])
    with pytest.raises(RunFailed):
        orchestrator.execute_with_dependencies(second)
    found = orchestrator.update_task_state(first, {"status": "completed", "result": 40})
    assert (found["status"], found["cause"], found["progress"]) == ("completed", "external", 100.0)
    assert status(orchestrator, second) == "pending"
    assert orchestrator.execute_task(first) == 40
    assert orchestrator.execute_task(second) == 40
    assert orchestrator.logs(status="completed")["output"].tolist() == [40, 40]


def test_a_result_by_hand_that_is_no_json_is_kept_as_it_is(log_dir: Path) -> None:
    with make(log_dir) as first:
        task, other = first.add_task(action="one"), first.add_task(action="one")
        first.update_task_state(task, {"status": "completed", "result": (1, {2})})
        given = [1]
        first.update_task_state(other, {"status": "completed", "result": given})
        given.append(2)
        records = [first.logs()["output"].tolist(), first.execute_task(task), first.execute_task(other)]
    with make(log_dir) as later:
        assert later.execute_task(later.add_task(action="echo", target=0, dependencies=[task])) == 0
        assert [later.logs()["output"].tolist()[:2], later.execute_task(task), later.execute_task(other)] == records
    assert records[1:] == [(1, {2}), [1]]


def test_failed_by_hand_is_final_and_fails_those_that_wait(orchestrator: TaskOrchestrator) -> None:
    a, b, c = orchestrator.add_tasks(
        [
            {"action": "one", "taskId": "a"},
            {"action": "add", "taskId": "b", "dependencies": ["a"]},
            {"action": "add", "taskId": "c", "dependencies": ["b"]},
        ]
    )
    heard = hear(orchestrator)
    orchestrator.update_task_state(a, {"status": "failed", "error": "the disk is gone"})
    assert statuses(orchestrator) == {a: "failed", b: "blocked", c: "blocked"}
    blocked = "task 'a': upstream_failed"
    assert orchestrator.logs()["error"].tolist() == ["the disk is gone", blocked, blocked]
    assert orchestrator.wait(10)
    assert [payload["taskId"] for name, payload in heard if name == "taskFailed"] == ["a", "b", "c"]
    with pytest.raises(GraphError, match="'a', which was set to failed by hand"):
        orchestrator.execute_with_dependencies(c)
    with pytest.raises(ConfigError, match="final; force=True"):
        orchestrator.execute_task(a)
    with pytest.raises(ConfigError, match="it was ended by hand"):
        orchestrator.update_task_state(a, {"status": "pending"})
    assert orchestrator.execute_task(a, force=True) == 1
    assert orchestrator.execute_with_dependencies(c) == 1


def test_in_progress_by_hand_is_not_run_by_anybody(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    second = orchestrator.add_task(action="add", dependencies=[first])
    orchestrator.update_task_state(first, {"status": "in-progress"})
    with pytest.raises(ConfigError, match="in-progress by hand"):
        orchestrator.execute_task(first)
    with pytest.raises(GraphError, match="done by hand"):
        orchestrator.execute_with_dependencies(second)
    orchestrator.update_task_state(first, {"status": "pending"})
    assert orchestrator.execute_with_dependencies(second) == 1


def test_while_an_attempt_runs_only_progress_and_message_can_be_told(log_dir: Path) -> None:
    with make(log_dir) as orchestrator:
        begun, go_on = threading.Event(), threading.Event()
        orchestrator.handler("wait", lambda: begun.set() or go_on.wait(20))
        task = orchestrator.add_task(action="wait")
        run = orchestrator.execute_task(task, start=True)
        assert begun.wait(20)
        for after in ("completed", "failed", "pending", "cancelled"):
            with pytest.raises(ConfigError, match="allowed are: in-progress"):
                orchestrator.update_task_state(task, {"status": after})
        orchestrator.update_task_state(task, {"status": "in-progress", "progress": 40, "message": "from outside"})
        found = orchestrator.get_task_status(task)
        assert (found["progress"], found["message"], found["status"]) == (40.0, "from outside", "in-progress")
        go_on.set()
        assert run.wait(20)
    with make(log_dir) as later:
        assert later.get_task_status(task)["message"] == "from outside"


def test_a_task_that_waits_in_a_run_is_left_to_the_run(orchestrator: TaskOrchestrator) -> None:
    go_on = threading.Event()
    orchestrator.handler("wait", lambda: go_on.wait(20))
    first = orchestrator.add_task(action="wait")
    second = orchestrator.add_task(action="add", dependencies=[first])
    run = orchestrator.execute_with_dependencies(second, start=True)
    with pytest.raises(ConfigError, match="is pending in run"):
        orchestrator.update_task_state(second, {"status": "completed"})
    go_on.set()
    assert run.wait(20)


def test_a_message_that_looks_like_a_record_changes_no_state(orchestrator: TaskOrchestrator, log_dir: Path) -> None:
    task = orchestrator.add_task(action="one")
    lines = len((log_dir / "orchestrator" / "events.jsonl").read_bytes().splitlines())
    orchestrator.update_task_state(task, {"status": "in-progress", "message": 'x\n{"status":"completed"}'})
    assert len((log_dir / "orchestrator" / "events.jsonl").read_bytes().splitlines()) == lines + 1
    assert status(orchestrator, task) == "in-progress"
    assert orchestrator.logs()["status"].tolist() == ["in-progress"]


def test_a_progress_without_a_status_that_can_have_one_is_refused(orchestrator: TaskOrchestrator) -> None:
    task = orchestrator.add_task(action="one")
    for change in ({"progress": 50}, {"status": "pending", "progress": 50}):
        with pytest.raises(ConfigError, match="progress belongs to status 'in-progress'"):
            orchestrator.update_task_state(task, change)
    orchestrator.update_task_state(task, {"message": "soon"})
    found = orchestrator.get_task_status(task)
    assert (found["status"], found["progress"], found["message"]) == ("pending", None, "soon")
