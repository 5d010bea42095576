"""The debugger and the documentation of a TaskOrchestrator: its tasks by their ids, their handlers as the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

import flowdsl
from flowdsl import RunFailed
from flowdsl.orchestrator import (
    DebugOrchestrator,
    DocumentationOrchestrator,
    DocumentationOutdated,
    TaskOrchestrator,
)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[TaskOrchestrator]:
    with TaskOrchestrator(task_log_dir=tmp_path / "queue", retry_attempts=1, retry_delay=0.0) as orchestrator:

        @orchestrator.handler("validate-schema")
        def validate() -> Dict[str, int]:
            """Checks the schema."""
            return {"errors": 0}

        @orchestrator.handler("generate", type="documentation")
        def generate(target: str, results: Dict[str, Any], pages: int = 1) -> List[float]:
            """Writes the pages."""
            found = [result["errors"] for result in results.values()]
            return [1 / pages, *found]

        orchestrator.add_task({"type": "validation", "action": "validate-schema"})
        orchestrator.add_task(
            type="documentation",
            action="generate",
            target="api-docs",
            dependencies=["validate-schema"],
            parameters={"pages": 0},
        )
        yield orchestrator


def fail(queue: TaskOrchestrator) -> None:
    with pytest.raises(RunFailed):
        queue.execute_with_dependencies("task_002")


def test_a_task_of_the_queue_is_inspected_with_its_handler_as_the_code(queue: TaskOrchestrator) -> None:
    with DebugOrchestrator(queue) as debug:
        fail(queue)
    capsule = debug.inspect("task_002")
    assert (capsule.attempt, capsule.error_type) == (2, "ZeroDivisionError")
    assert capsule.code is not None and "def generate(target" in capsule.code.source
    assert [str(one) for one in capsule.arguments or ()] == ["task_001: result of task_001 (dict)"]
    assert list(debug.failures()["task"]) == ["task_002"]


def test_a_task_of_the_queue_is_done_again_with_other_parameters_target_and_results(queue: TaskOrchestrator) -> None:
    with DebugOrchestrator(queue) as debug:
        fail(queue)
    with pytest.raises(ZeroDivisionError):
        debug.replay("task_002")
    assert debug.replay("task_002", pages=2, target="other") == [0.5, 0]
    assert debug.replay("task_002", pages=2, task_001={"errors": 3}) == [0.5, 3]
    with pytest.raises(flowdsl.InputError, match="takes no 'page'"):
        debug.replay("task_002", page=2)


def test_runs_of_a_queue_from_before_are_read_back(queue: TaskOrchestrator) -> None:
    fail(queue)
    debug = DebugOrchestrator(queue)
    assert debug.inspect("task_002").error == "division by zero"
    assert list(debug.failures()["attempts"]) == [2]
    debug.close()


def test_two_runs_of_a_queue_are_compared(queue: TaskOrchestrator) -> None:
    with DebugOrchestrator(queue) as debug:
        fail(queue)
        queue.handler("generate", lambda target, results, pages: [1.0], type="documentation")
        queue.execute_task("task_002")
        found = debug.diff(*debug.runs[-2:])
    kinds = {(one.kind, one.task) for one in found.changes}
    assert ("code", "task_002") in kinds and ("state", "task_002") in kinds


def test_the_queue_is_documented_and_its_page_notices_a_new_task(queue: TaskOrchestrator, tmp_path: Path) -> None:
    writer = DocumentationOrchestrator(queue)
    page = writer.markdown()
    assert "def generate(target, results, pages=1)" in page and "Writes the pages." in page
    assert "- **action**: generate" in page and "- **target**: api-docs" in page
    assert "- **parameters**: `pages`" in page and "generate: Writes the pages." in page
    writer.generate(tmp_path / "site")
    queue.execute_task("task_001")
    writer.check(tmp_path / "site")
    queue.add_task(action="validate-schema")
    with pytest.raises(DocumentationOutdated, match="section 'task_003' is new"):
        writer.check(tmp_path / "site")


def test_a_queue_without_its_handlers_is_documented_too(queue: TaskOrchestrator, tmp_path: Path) -> None:
    queue.close()
    with TaskOrchestrator(task_log_dir=tmp_path / "queue") as again:
        assert "No handler is registered" in DocumentationOrchestrator(again).markdown()
