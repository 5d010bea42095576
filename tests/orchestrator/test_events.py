"""Listeners: what they hear, in which order, and that none of them disturbs a run."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest

from flowdsl import ConfigError, RunFailed
from flowdsl.orchestrator import TaskOrchestrator
from tests.orchestrator.making import hear, make, status


def test_a_task_is_told_from_its_adding_to_its_end(orchestrator: TaskOrchestrator) -> None:
    heard = hear(orchestrator)
    task = orchestrator.add_task(action="echo", target="docs", type="documentation")
    orchestrator.execute_task(task)
    assert orchestrator.wait(10)
    assert [name for name, _ in heard] == ["taskAdded", "taskStart", "taskComplete", "queueDrained"]
    complete = heard[2][1]
    assert complete["duration"] >= 0
    assert complete == {
        "taskId": task,
        "type": "documentation",
        "action": "echo",
        "status": "completed",
        "duration": complete["duration"],
        "runId": orchestrator.get_task_status(task)["runId"],
        "result": {"success": True, "output": "docs"},
    }
    assert heard[3][1] == {"tasks": {"completed": 1}}


def test_retries_and_failures_are_told(log_dir: Path) -> None:
    with make(log_dir, retry_attempts=1, retry_delay=0.01) as orchestrator:
        heard = hear(orchestrator)
        first = orchestrator.add_task(action="fail", target="luck")
        second = orchestrator.add_task(action="add", dependencies=[first])
        with pytest.raises(RunFailed):
            orchestrator.execute_with_dependencies(second)
        assert orchestrator.wait(10)
        told = [(name, payload.get("taskId"), payload.get("status")) for name, payload in heard[2:-1]]
        assert told == [
            ("taskStart", first, "in-progress"),
            ("taskRetry", first, "retrying"),
            ("taskStart", first, "in-progress"),
            ("taskFailed", first, "failed"),
            ("taskFailed", second, "blocked"),
        ]
        retry = next(payload for name, payload in heard if name == "taskRetry")
        assert (retry["attempt"], retry["error"], retry["delay"]) == (1, "no luck", 10)
        assert heard[-2][1]["causeTask"] == first


def test_once_hears_once_and_off_hears_no_more(orchestrator: TaskOrchestrator) -> None:
    heard: List[str] = []

    @orchestrator.on("taskAdded")
    def always(payload: Dict[str, Any]) -> None:
        heard.append("always")

    orchestrator.once("taskAdded", lambda payload: heard.append("once"))
    orchestrator.add_task(action="one")
    orchestrator.add_task(action="one")
    assert orchestrator.wait(10)
    assert heard == ["always", "once", "always"]
    orchestrator.off("taskAdded", always)
    orchestrator.add_task(action="one")
    assert orchestrator.wait(10)
    assert len(heard) == 3


def test_a_listener_that_raises_is_logged_once_and_disturbs_nothing(
    orchestrator: TaskOrchestrator, caplog: pytest.LogCaptureFixture
) -> None:
    heard: List[str] = []

    def broken(payload: Dict[str, Any]) -> None:
        raise ValueError("broken listener")

    orchestrator.on("taskComplete", broken)
    orchestrator.on("taskComplete", lambda payload: sys.exit(3))
    orchestrator.on("taskComplete", lambda payload: heard.append(payload["taskId"]))
    ids = [orchestrator.add_task(action="one") for _ in range(3)]
    orchestrator.execute_all()
    assert orchestrator.wait(10)
    assert sorted(heard) == ids
    assert caplog.text.count("ValueError: broken listener") == 1
    assert caplog.text.count("raised SystemExit") == 1


def test_a_slow_listener_holds_up_no_run(orchestrator: TaskOrchestrator) -> None:
    go_on = threading.Event()
    orchestrator.on("taskStart", lambda payload: go_on.wait(20))
    ids = [orchestrator.add_task(action="one") for _ in range(5)]
    assert orchestrator.execute_all() == dict.fromkeys(ids, 1)
    assert orchestrator.logs()["status"].tolist() == ["completed"] * 5
    assert not orchestrator.wait(0.05)
    go_on.set()
    assert orchestrator.wait(10)


def test_a_listener_may_add_execute_and_cancel_tasks(orchestrator: TaskOrchestrator) -> None:
    done: List[Any] = []
    waiting = orchestrator.add_task(action="one", task_id="waiting")

    def listen(payload: Dict[str, Any]) -> None:
        orchestrator.cancel(waiting)
        follow = orchestrator.add_task(action="echo", target=payload["taskId"], type="follow")
        done.append(orchestrator.execute_task(follow))

    orchestrator.once("taskComplete", listen)
    first = orchestrator.add_task(action="one")
    orchestrator.execute_task(first)
    assert orchestrator.wait(10)
    assert done == [first]
    assert status(orchestrator, waiting) == "cancelled"


def test_an_event_that_there_is_not_is_refused(orchestrator: TaskOrchestrator) -> None:
    async def later(payload: Dict[str, Any]) -> None:
        return None

    with pytest.raises(ConfigError, match="did you mean 'taskComplete'"):
        orchestrator.on("taskCompleted", print)
    with pytest.raises(ConfigError, match="cannot be called"):
        orchestrator.on("taskComplete", 3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="coroutine function"):
        orchestrator.on("taskComplete", later)


def test_a_listener_of_failures_hears_why(orchestrator: TaskOrchestrator) -> None:
    heard: Dict[str, Any] = {}
    orchestrator.on("taskFailed", lambda payload: heard.update({payload["taskId"]: payload["error"]}))
    failing = orchestrator.add_task(action="fail", target="coffee")
    blocked = orchestrator.add_task(action="one", dependencies=[failing])
    with pytest.raises(RunFailed):
        orchestrator.execute_with_dependencies(blocked)
    by_hand = orchestrator.add_task(action="one")
    orchestrator.update_task_state(by_hand, {"status": "failed", "error": "no power"})
    assert orchestrator.wait(10)
    assert heard == {failing: "no coffee", blocked: "task 'task_001': upstream_failed", by_hand: "no power"}
