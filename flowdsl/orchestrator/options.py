"""The options of a TaskOrchestrator, in Python's words and seconds and in the document's: camelCase, milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

from flowdsl.definition.checks import check_choice, check_count, check_number, check_timeout, refuse_unknown
from flowdsl.definition.options import DISPLAY, FLOW_CHECKS, ISOLATION
from flowdsl.errors import ConfigError

__all__ = ["ON_INTERRUPTED", "OrchestratorOptions"]

ON_INTERRUPTED = ("rerun", "hold")
MILLISECONDS = "give milliseconds"

Check = Callable[[Any, str, object], Any]


@dataclass(frozen=True)
class OrchestratorOptions:
    """What a TaskOrchestrator was told, checked; durations in seconds."""

    task_log_dir: str = "./logs/tasks"
    max_concurrent_tasks: int = 5
    task_timeout: Optional[float] = 300.0  # of an attempt; None: no limit
    retry_attempts: int = 3  # after the first attempt
    retry_delay: float = 5.0
    isolation: str = "thread"
    on_interrupted: str = "rerun"
    display: str = "none"

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> OrchestratorOptions:
        """The options by their names in Python; ConfigError names the first that is wrong."""
        where = "TaskOrchestrator"
        refuse_unknown([name for name in given if name not in CHECKS], tuple(CHECKS), where)
        return cls(**{name: CHECKS[name](value, name, where) for name, value in given.items()})

    @classmethod
    def from_document(cls, options: Any) -> OrchestratorOptions:
        """The options by their names in the document, with milliseconds; ConfigError names the first that is wrong."""
        where = "TaskOrchestrator.from_options"
        if not isinstance(options, Mapping):
            raise ConfigError("%s: give a dict, such as {'taskLogDir': './logs/tasks'}" % where)
        refuse_unknown([name for name in options if name not in DOCUMENT], tuple(DOCUMENT), where)
        read: Dict[str, Any] = {}
        for name, value in options.items():
            read[DOCUMENT[name].name] = DOCUMENT[name].check(value, name, where)
        return cls(**read)


def _max_tasks(value: Any, option: str, where: object) -> int:
    return check_count(value, option, where, least=1, hint="it is how many tasks may run at once, 1 or more")


def attempts(value: Any, option: str, where: object) -> int:
    """A number of attempts after the first, 0 or more; ConfigError for anything else."""
    return check_count(value, option, where, least=0, hint="it is the number of attempts after the first, 0 or more")


def _delay(value: Any, option: str, where: object) -> float:
    return check_number(value, option, where, least=0, hint="give seconds")


def _isolation(value: Any, option: str, where: object) -> str:
    return check_choice(value, option, where, ISOLATION)


def _on_interrupted(value: Any, option: str, where: object) -> str:
    return check_choice(value, option, where, ON_INTERRUPTED)


def _display(value: Any, option: str, where: object) -> str:
    return check_choice(value, option, where, DISPLAY)


CHECKS: Mapping[str, Check] = {
    "task_log_dir": FLOW_CHECKS["log_dir"],
    "max_concurrent_tasks": _max_tasks,
    "task_timeout": check_timeout,
    "retry_attempts": attempts,
    "retry_delay": _delay,
    "isolation": _isolation,
    "on_interrupted": _on_interrupted,
    "display": _display,
}


# ---- the document's words


def _timeout_ms(value: Any, option: str, where: object) -> Optional[float]:
    hint = MILLISECONDS + ", or None for no limit"
    return None if value is None else check_number(value, option, where, above=0, hint=hint) / 1000


def _delay_ms(value: Any, option: str, where: object) -> float:
    return check_number(value, option, where, least=0, hint=MILLISECONDS) / 1000


class Option(NamedTuple):
    """An option of the document: what it is called in Python, and how its value is read."""

    name: str
    check: Check


DOCUMENT: Mapping[str, Option] = {
    "taskLogDir": Option("task_log_dir", FLOW_CHECKS["log_dir"]),
    "maxConcurrentTasks": Option("max_concurrent_tasks", _max_tasks),
    "taskTimeout": Option("task_timeout", _timeout_ms),
    "retryAttempts": Option("retry_attempts", attempts),
    "retryDelay": Option("retry_delay", _delay_ms),
    "isolation": Option("isolation", _isolation),
    "onInterrupted": Option("on_interrupted", _on_interrupted),
    "display": Option("display", _display),
}
