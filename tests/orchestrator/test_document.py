"""The examples of the documented system, in Python, in the order in which it gives them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from flowdsl.orchestrator import LogOrchestrator, TaskOrchestrator
from flowdsl.storage.records import SCHEMA

OPTIONS = {
    "taskLogDir": "./logs/tasks",  # Task log directory
    "maxConcurrentTasks": 5,  # Maximum parallel tasks
    "taskTimeout": 300000,  # Task timeout (5 minutes)
    "retryAttempts": 3,  # Number of retry attempts
    "retryDelay": 5000,  # Delay between retries (5 seconds)
}


def with_handlers() -> TaskOrchestrator:
    task_orchestrator = TaskOrchestrator.from_options(OPTIONS)
    task_orchestrator.handler("validate-schema", lambda: {"valid": True})
    task_orchestrator.handler("generate", lambda target: "path/to/generated/docs", type="documentation")
    task_orchestrator.handler("generate-docs", lambda validate_schema: validate_schema["valid"], type="generation")
    return task_orchestrator


def test_basic_task_management() -> None:
    task_orchestrator = with_handlers()
    task_orchestrator.initialize()
    task_orchestrator.execute_task(task_orchestrator.add_task({"type": "validation", "action": "validate-schema"}))
    task_id = task_orchestrator.add_task(
        {"type": "documentation", "action": "generate", "target": "api-docs", "dependencies": ["validate-schema"]}
    )
    assert task_orchestrator.execute_task(task_id) == "path/to/generated/docs"
    task_orchestrator.close()


def test_basic_task_management_awaited() -> None:
    async def main() -> Any:
        async with with_handlers() as task_orchestrator:
            task_id = task_orchestrator.add_task({"type": "documentation", "action": "generate", "target": "api-docs"})
            return await task_orchestrator.execute_task_async(task_id)

    assert asyncio.run(main()) == "path/to/generated/docs"


def test_task_dependencies() -> None:
    with with_handlers() as task_orchestrator:
        task_a = task_orchestrator.add_task({"type": "validation", "action": "validate-schema"})
        task_b = task_orchestrator.add_task({"type": "generation", "action": "generate-docs", "dependencies": [task_a]})
        assert task_orchestrator.execute_with_dependencies(task_b) is True


def test_task_state_management() -> None:
    with with_handlers() as task_orchestrator:
        task_id = task_orchestrator.add_task({"type": "documentation", "action": "generate", "target": "api-docs"})
        assert task_orchestrator.get_task_status(task_id)["status"] == "pending"
        task_orchestrator.update_task_state(
            task_id, {"status": "in-progress", "progress": 50, "message": "Processing documentation"}
        )
        status = task_orchestrator.get_task_status(task_id)
        assert (status["status"], status["progress"]) == ("in-progress", 50)
        assert status["message"] == "Processing documentation"


def test_the_task_log_has_the_documents_format_field_for_field() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is in the extra `test`")
    with with_handlers() as task_orchestrator:
        task_orchestrator.add_task({"type": "validation", "action": "validate-schema", "taskId": "task_000"})
        task_id = task_orchestrator.add_task(
            {"type": "documentation", "action": "generate", "target": "docs", "dependencies": ["task_000"]}
        )
        assert task_id == "task_001"
        task_orchestrator.execute_with_dependencies(task_id)
    record = json.loads(Path("logs/tasks/task_001.json").read_text(encoding="utf-8"))
    expected: Dict[str, Any] = {
        "taskId": "task_001",
        "type": "documentation",
        "action": "generate",
        "status": "completed",
        "startTime": "2024-03-14T12:00:00.000Z",
        "endTime": "2024-03-14T12:01:00.000Z",
        "dependencies": ["task_000"],
        "result": {"success": True, "output": "path/to/generated/docs"},
    }
    assert list(record) == list(expected)
    times = {"startTime": record["startTime"], "endTime": record["endTime"]}
    assert record == {**expected, **times}
    assert all(len(time) == len(expected["startTime"]) for time in times.values())
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for one in (record, expected):
        jsonschema.Draft202012Validator(schema).validate(one)


def test_integration_with_the_log_orchestrator() -> None:
    heard: List[Dict[str, Any]] = []
    with LogOrchestrator.from_options({"logDir": "./logs"}) as log_orchestrator, with_handlers() as task_orchestrator:

        @task_orchestrator.on("taskComplete")
        def complete(task_result: Dict[str, Any]) -> None:
            heard.append(task_result)
            log_orchestrator.info(
                "Task completed", {"taskId": task_result["taskId"], "duration": task_result["duration"]}
            )

        task_id = task_orchestrator.add_task({"type": "validation", "action": "validate-schema"})
        task_orchestrator.execute_task(task_id)
        assert task_orchestrator.wait(10)
        row = log_orchestrator.search(task=task_id).iloc[0]
    assert (row["message"], row["fields"]) == ("Task completed", {"duration": heard[0]["duration"]})
