"""The options of a task, of a flow and of a run: what they are called, their defaults, the values they may have."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple, Union

from flowdsl.definition import checks
from flowdsl.definition.checks import (
    check_callable,
    check_choice,
    check_count,
    check_flag,
    check_limits,
    check_name,
    check_names,
    check_number,
    check_timeout,
    refuse,
    refuse_unknown,
)
from flowdsl.definition.retry import Retry, check_retries

__all__ = ["INHERIT", "FlowOptions", "Inherit", "Retry", "RunOptions", "TaskOptions", "check_log_dir", "check_workers"]


class Inherit(enum.Enum):
    """The type of INHERIT: an option that the task leaves to its flow."""

    INHERIT = "INHERIT"

    def __repr__(self) -> str:
        return "INHERIT"

    __str__ = __repr__
    __hash__ = object.__hash__  # that of an Enum is written in Python: a quarter of a microsecond, twice a task


INHERIT = Inherit.INHERIT


class OfFlow(str):
    """The isolation that a flow gives to a task of its own which another flow takes: a run's word goes before it."""

    __slots__ = ()


RUN_WHEN = ("all_succeeded", "all_done", "any_failed")
ISOLATION = ("thread", "process")
EXECUTORS = ("threads", "processes", "inline")
ON_FAILURE = ("continue", "stop")
KEEP = ("all", "targets")
DISPLAY = ("auto", "notebook", "terminal", "lines", "none")

Check = Callable[[Any, str, object], Any]  # the value met, the option, the place -> the value to store


def _retries(value: Any, option: str, where: object) -> Union[Retry, Inherit]:
    return INHERIT if value is INHERIT else check_retries(value, where)


def _timeout(value: Any, option: str, where: object) -> Union[float, Inherit, None]:
    return INHERIT if value is INHERIT else check_timeout(value, option, where)


def _isolation(value: Any, option: str, where: object) -> Union[str, Inherit]:
    return INHERIT if value is INHERIT else check_choice(value, option, where, ISOLATION)


def _isolation_or_none(value: Any, option: str, where: object) -> Optional[str]:
    return None if value is None else check_choice(value, option, where, ISOLATION)


def _run_when(value: Any, option: str, where: object) -> str:
    return check_choice(value, option, where, RUN_WHEN)


def _priority(value: Any, option: str, where: object) -> Optional[float]:
    hint = "the larger goes first; None leaves the order to the run"
    return None if value is None else check_number(value, option, where, hint=hint)


def _type(value: Any, option: str, where: object) -> str:
    return check_name(value, where, option)


def _cache(value: Any, option: str, where: object) -> bool:
    if check_flag(value, option, where):
        refuse(where, option, value, checks.LATER + "; leave it out")
    return False


class TaskOptions(NamedTuple):
    """What `task(...)` was told, checked; one is shared by every task of a decorator."""

    retries: Union[Retry, Inherit] = INHERIT
    timeout: Union[float, Inherit, None] = INHERIT
    isolation: Union[str, Inherit] = INHERIT
    run_when: str = "all_succeeded"
    verify: Optional[Callable[..., Any]] = None
    uses: Tuple[str, ...] = ()
    priority: Optional[float] = None
    tags: Tuple[str, ...] = ()
    type: str = "task"
    map: Tuple[str, ...] = ()
    cache: bool = False

    @classmethod
    def checked(cls, where: object, given: Mapping[str, Any]) -> TaskOptions:
        """The options in `given`, each checked; a name that is no option raises ConfigError."""
        return cls(**_checked(given, TASK_CHECKS, ("name", "depends_on"), where))


TASK_CHECKS: Dict[str, Check] = {
    "retries": _retries,
    "timeout": _timeout,
    "isolation": _isolation,
    "run_when": _run_when,
    "verify": check_callable,
    "uses": check_names,
    "priority": _priority,
    "tags": check_names,
    "type": _type,
    "map": check_names,
    "cache": _cache,
}


def _limits(value: Any, option: str, where: object) -> Mapping[str, int]:
    return check_limits(value, where)


def _flow_retries(value: Any, option: str, where: object) -> Retry:
    return check_retries(value, where)


def check_log_dir(value: Any, option: str, where: object) -> str:
    """The path of a directory, as a str; whether it is there is not asked."""
    try:
        path = os.fspath(value)
    except TypeError:
        refuse(where, option, value, "is not a path; give the directory as str or Path")
    if not isinstance(path, str) or not path or "\0" in path:
        refuse(where, option, value, "is not the path of a directory; give it as str or Path")
    return path


def _log_dir_or_none(value: Any, option: str, where: object) -> Optional[str]:
    return None if value is None else check_log_dir(value, option, where)


class FlowOptions(NamedTuple):
    """What `Flow(...)` was told, checked: what its tasks inherit, and where its journals go."""

    limits: Mapping[str, int] = {}
    retries: Retry = Retry(0)
    timeout: Optional[float] = None  # seconds
    isolation: Optional[str] = None
    log_dir: str = "./logs/tasks"

    @classmethod
    def checked(cls, where: object, given: Mapping[str, Any]) -> FlowOptions:
        """The options in `given`, each checked; a name that is no option raises ConfigError."""
        return cls(**_checked(given, FLOW_CHECKS, ("name", "fresh"), where))


FLOW_CHECKS: Dict[str, Check] = {
    "limits": _limits,
    "retries": _flow_retries,
    "timeout": check_timeout,
    "isolation": _isolation_or_none,
    "log_dir": check_log_dir,
}


def _executor(value: Any, option: str, where: object) -> Any:
    if not isinstance(value, (str, type)) and callable(getattr(value, "submit", None)):
        return value
    if not isinstance(value, str):
        refuse(where, option, value, "is not an executor; use 'threads', 'processes', 'inline' or an Executor instance")
    return check_choice(value, option, where, EXECUTORS)


def _max_workers(value: Any, option: str, where: object) -> int:
    return check_count(value, option, where, least=1, hint="it is how many attempts may run at once, 1 or more")


def check_workers(value: Any, where: object) -> int:
    """A number of workers; ConfigError for anything else."""
    return _max_workers(value, "max_workers", where)


def _on_failure(value: Any, option: str, where: object) -> str:
    return check_choice(value, option, where, ON_FAILURE)


def _keep(value: Any, option: str, where: object) -> str:
    return check_choice(value, option, where, KEEP)


def _display(value: Any, option: str, where: object) -> str:
    if value is None or isinstance(value, bool):
        return "auto" if value else "none"
    return check_choice(value, option, where, DISPLAY)


@dataclass(frozen=True)
class RunOptions:
    """What `run(...)` was told besides its inputs and targets; `RunOptions.checked(...)` makes one."""

    executor: Any = "threads"  # "threads", "processes", "inline", or a concurrent.futures.Executor
    max_workers: int = 5
    on_failure: str = "continue"
    raise_on_failure: bool = True
    isolation: Optional[str] = None
    keep: str = "all"
    display: str = "auto"
    log_dir: Optional[str] = None  # None: the flow's
    fsync: bool = False
    targets: Optional[Tuple[str, ...]] = None  # names of tasks; None: the whole flow

    @classmethod
    def checked(cls, where: object = "run", **given: Any) -> RunOptions:
        """The options in `given`, each checked; a name that is no option raises ConfigError."""
        return cls(**_checked(given, RUN_CHECKS, (), where))


RUN_CHECKS: Dict[str, Check] = {
    "executor": _executor,
    "max_workers": _max_workers,
    "on_failure": _on_failure,
    "raise_on_failure": check_flag,
    "isolation": _isolation_or_none,
    "keep": _keep,
    "display": _display,
    "log_dir": _log_dir_or_none,
    "fsync": check_flag,
}
RUN_OPTIONS: Tuple[str, ...] = ("targets", *RUN_CHECKS)


def _checked(
    given: Mapping[str, Any], table: Mapping[str, Check], others: Tuple[str, ...], where: object
) -> Dict[str, Any]:
    """Every given value as its entry in the table wants it; `others` are options that are checked elsewhere."""
    refuse_unknown([name for name in given if name not in table], (*others, *table), where)
    return {name: table[name](value, name, where) for name, value in given.items()}
