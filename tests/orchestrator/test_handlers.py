"""Handlers: which one does a task, what it is called with, what it can say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List

import pytest

from flowdsl import ConfigError, DefinitionError, RunFailed
from flowdsl.orchestrator import TaskOrchestrator
from tests.orchestrator.making import hear, make, status


def test_the_nearest_handler_does_a_task(orchestrator: TaskOrchestrator) -> None:
    @orchestrator.handler("generate")
    def any_type() -> str:
        return "action"

    @orchestrator.handler("generate", type="documentation")
    def both() -> str:
        return "both"

    @orchestrator.handler(type="documentation")
    def any_action() -> str:
        return "type"

    def does(**config: Any) -> Any:
        return orchestrator.execute_task(orchestrator.add_task(**config))

    assert does(action="generate", type="documentation") == "both"
    assert does(action="generate", type="other") == "action"
    assert does(action="whatever", type="documentation") == "type"


def test_a_second_handler_replaces_the_first(orchestrator: TaskOrchestrator) -> None:
    orchestrator.handler("one", lambda: "new")
    assert orchestrator.execute_task(orchestrator.add_task(action="one")) == "new"


def test_a_handler_says_what_it_is_for(orchestrator: TaskOrchestrator) -> None:
    with pytest.raises(ConfigError, match="say which action"):
        orchestrator.handler(lambda: 1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="give the action"):
        orchestrator.handler()(lambda: 1)
    with pytest.raises(ConfigError, match="isolation='proces'"):
        orchestrator.handler("x", isolation="proces")(lambda: 1)
    with pytest.raises(DefinitionError, match="generator"):
        orchestrator.handler("x", lambda: (yield))


def test_a_handler_gets_what_its_parameters_name(orchestrator: TaskOrchestrator) -> None:
    seen: Dict[str, Any] = {}

    @orchestrator.handler("generate-docs")
    def generate(target, parameters, results, context, task, one, depth, width=80):  # type: ignore[no-untyped-def]
        seen.update(locals())

    first = orchestrator.add_task(action="one")
    second = orchestrator.add_task(
        action="generate-docs", target="api", parameters={"depth": 2}, dependencies=[first], type="documentation"
    )
    orchestrator.execute_with_dependencies(second)
    assert (seen["target"], seen["one"], seen["depth"], seen["width"]) == ("api", 1, 2, 80)
    assert (seen["parameters"], seen["results"]) == ({"depth": 2}, {first: 1})
    assert seen["task"]["taskId"] == seen["context"].task_id == second
    assert seen["context"].attempt == 1
    assert not seen["context"].cancelled


def test_a_handler_may_take_all_results_or_all_parameters(orchestrator: TaskOrchestrator) -> None:
    orchestrator.handler("all", lambda target, *parts, **more: (target, parts, more))
    ids = [orchestrator.add_task(action="echo", target=number) for number in (1, 2)]
    task = orchestrator.add_task(action="all", target="t", dependencies=ids, parameters={"x": 3})
    assert orchestrator.execute_with_dependencies(task) == ("t", (1, 2), {"x": 3})


def test_progress_and_message_are_told_and_kept(orchestrator: TaskOrchestrator) -> None:
    @orchestrator.handler("slow")
    def slow(context: Any) -> None:
        context.progress(50, "half way")
        context.message("nearly")
        raise ValueError("broken")

    heard = hear(orchestrator)
    task = orchestrator.add_task(action="slow")
    with pytest.raises(RunFailed):
        orchestrator.execute_task(task)
    assert orchestrator.wait(10)
    found = orchestrator.get_task_status(task)
    assert (found["progress"], found["message"], found["status"]) == (50.0, "nearly", "failed")
    assert [payload["progress"] for name, payload in heard if name == "taskProgress"][-1] == 50.0


@pytest.mark.parametrize("value", [150, -1, "half", True, float("nan")])
def test_a_progress_is_a_percentage(orchestrator: TaskOrchestrator, value: Any) -> None:
    orchestrator.handler("wrong", lambda context: context.progress(value))
    with pytest.raises(RunFailed, match="progress="):
        orchestrator.execute_task(orchestrator.add_task(action="wrong"))


def test_a_coroutine_function_is_a_handler(orchestrator: TaskOrchestrator) -> None:
    @orchestrator.handler("awaited")
    async def awaited(target: Any) -> Any:
        return target

    assert orchestrator.execute_task(orchestrator.add_task(action="awaited", target=5)) == 5


@pytest.mark.slow
def test_a_handler_runs_in_a_process_of_its_own(log_dir: Path) -> None:
    with make(log_dir) as orchestrator:
        orchestrator.handler("pid", pid, isolation="process")
        orchestrator.add_task(action="one")
        task = orchestrator.add_task(action="pid", target=os.getpid(), dependencies=["one"])
        assert orchestrator.execute_with_dependencies(task) == [1, False]
        assert orchestrator.get_task_status(task)["message"] == "in there"


def pid(one: int, target: int, context: Any) -> List[Any]:
    context.progress(100, "in there")
    return [one, os.getpid() == target]


@pytest.mark.slow
def test_an_orchestrator_does_not_travel_to_a_process(log_dir: Path) -> None:
    with make(log_dir, isolation="process") as orchestrator:
        orchestrator.handler("outer", lambda: orchestrator.add_task(action="one"))
        with pytest.raises(RunFailed, match="a TaskOrchestrator stays in its process"):
            orchestrator.execute_task(orchestrator.add_task(action="outer"))


def test_a_result_is_verified_by_a_function_or_a_json_schema(orchestrator: TaskOrchestrator) -> None:
    schema = {"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}}
    good = orchestrator.add_task(action="echo", target={"path": "docs"}, verify=schema)
    bad = orchestrator.add_task(action="echo", target={"path": 3}, verify=schema)
    never = orchestrator.add_task(action="echo", target=1, verify=lambda result: result > 1)
    assert orchestrator.execute_task(good) == {"path": "docs"}
    with pytest.raises(RunFailed, match=r"result\['path'\]: 3 is not of type 'string'"):
        orchestrator.execute_task(bad)
    with pytest.raises(RunFailed, match="verify_failed"):
        orchestrator.execute_task(never)
    assert status(orchestrator, bad) == "failed"
    with pytest.raises(ConfigError, match="verify is not a JSON Schema"):
        orchestrator.add_task(action="one", verify={"type": "nonsense"})
