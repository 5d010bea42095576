"""The options of an orchestrator: both ways of writing them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowdsl import ConfigError, LogWriteError
from flowdsl.orchestrator import TaskOrchestrator
from flowdsl.orchestrator.options import OrchestratorOptions


def test_the_defaults_are_those_of_the_document() -> None:
    options = TaskOrchestrator().options
    assert options == TaskOrchestrator.from_options({}).options
    assert options.task_log_dir == "./logs/tasks"
    assert (options.max_concurrent_tasks, options.retry_attempts) == (5, 3)
    assert (options.task_timeout, options.retry_delay) == (300.0, 5.0)


def test_the_documents_dictionary_has_camel_case_and_milliseconds() -> None:
    document = {
        "taskLogDir": "./logs/elsewhere",
        "maxConcurrentTasks": 2,
        "taskTimeout": 1500,
        "retryAttempts": 1,
        "retryDelay": 250,
    }
    assert TaskOrchestrator.from_options(document).options == OrchestratorOptions("./logs/elsewhere", 2, 1.5, 1, 0.25)


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "5", float("nan"), None])
def test_the_number_of_concurrent_tasks_is_a_whole_number_of_at_least_one(value: Any) -> None:
    with pytest.raises(ConfigError, match="maxConcurrentTasks"):
        TaskOrchestrator.from_options({"maxConcurrentTasks": value})
    with pytest.raises(ConfigError, match="max_concurrent_tasks"):
        TaskOrchestrator(max_concurrent_tasks=value)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "5", True])
def test_a_time_out_is_more_than_nothing_and_none_is_no_limit(value: Any) -> None:
    with pytest.raises(ConfigError, match="taskTimeout"):
        TaskOrchestrator.from_options({"taskTimeout": value})
    with pytest.raises(ConfigError, match="task_timeout"):
        TaskOrchestrator(task_timeout=value)
    assert TaskOrchestrator.from_options({"taskTimeout": None}).options.task_timeout is None


@pytest.mark.parametrize(("option", "value"), [("retryAttempts", -1), ("retryDelay", -5), ("retryAttempts", 1.5)])
def test_retries_are_not_negative(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=option):
        TaskOrchestrator.from_options({option: value})


def test_a_misspelt_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'retryAttemps'; did you mean 'retryAttempts'"):
        TaskOrchestrator.from_options({"retryAttemps": 3})
    with pytest.raises(ConfigError, match="'retry_attemps'; did you mean 'retry_attempts'"):
        TaskOrchestrator(retry_attemps=3)


def test_options_that_are_no_dictionary_are_refused() -> None:
    with pytest.raises(ConfigError, match="give a dict"):
        TaskOrchestrator.from_options(["taskLogDir"])  # type: ignore[arg-type]


def test_a_log_directory_that_cannot_be_made_is_said_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogWriteError, match="log_dir"):
        TaskOrchestrator(task_log_dir=tmp_path / "file" / "tasks").initialize()
