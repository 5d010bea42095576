"""The options of a task and of a run: what they are called, what they default to, what values they may have."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple, Type, Union

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

__all__ = [
    "INHERIT",
    "Inherit",
    "Retry",
    "RunOptions",
    "TaskOptions",
    "check_callable",
    "check_choice",
    "check_count",
    "check_flag",
    "check_isolation",
    "check_limits",
    "check_name",
    "check_names",
    "check_number",
    "check_retries",
    "check_timeout",
    "refuse_unknown",
]


class Inherit(enum.Enum):
    """The type of INHERIT: an option that the task leaves to its flow."""

    INHERIT = "INHERIT"

    def __repr__(self) -> str:
        return "INHERIT"


INHERIT = Inherit.INHERIT

Exceptions = Union[Type[BaseException], Tuple[Type[BaseException], ...]]

RUN_WHEN = ("all_succeeded", "all_done", "any_failed")
ISOLATION = ("thread",)
ISOLATION_LATER = ("process",)
EXECUTORS = ("threads", "inline")
EXECUTORS_LATER = ("processes",)
ON_FAILURE = ("continue", "stop")
KEEP = ("all", "targets")
DISPLAY = ("auto", "none")
COUNT_HINT = "it is the number of attempts after the first, 0 or more"


@dataclass(frozen=True)
class Retry:
    """When and how often an attempt that did not succeed is followed by another.

    Parameters
    ----------
    retries : attempts after the first, 0 or more.
    delay : seconds before the first retry.
    backoff : factor from one wait to the next, more than 0.
    max_delay : seconds; no wait is longer, jitter aside.
    jitter : share of the wait, 0 to 1, by which it varies at random.
    retry_on, give_up_on : an exception class or a tuple of them; what matches `give_up_on` is never retried.
    max_elapsed : seconds since the first attempt began, after which no retry starts; None is no limit.
    retry_abandoned : retry beside a timed-out thread that is still going.

    >>> Retry(3, delay=1, backoff=2).wait(3, 0.0)
    4.0
    """

    retries: int
    delay: float
    backoff: float
    max_delay: float
    jitter: float
    retry_on: Exceptions
    give_up_on: Exceptions
    max_elapsed: Optional[float]
    retry_abandoned: bool

    def __init__(
        self,
        retries: int = 3,
        *,
        delay: float = 0.0,
        backoff: float = 1.0,
        max_delay: float = 300.0,
        jitter: float = 0.0,
        retry_on: Union[Exceptions, Sequence[Type[BaseException]]] = Exception,
        give_up_on: Union[Exceptions, Sequence[Type[BaseException]]] = (),
        max_elapsed: Optional[float] = None,
        retry_abandoned: bool = False,
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, tuple(Retry.__dataclass_fields__), "Retry")
        here, seconds = "Retry", "give seconds"
        values: Dict[str, Any] = {
            "retries": check_count(retries, "retries", here, least=0, hint=COUNT_HINT),
            "delay": check_number(delay, "delay", here, least=0, hint=seconds),
            "backoff": check_number(backoff, "backoff", here, above=0, hint="it is a factor, such as 2"),
            "max_delay": check_number(max_delay, "max_delay", here, least=0, hint=seconds),
            "jitter": check_number(jitter, "jitter", here, least=0, most=1, hint="it is a share of the wait"),
            "retry_on": _check_exceptions(retry_on, "retry_on"),
            "give_up_on": _check_exceptions(give_up_on, "give_up_on"),
            "max_elapsed": check_timeout(max_elapsed, "max_elapsed", here),
            "retry_abandoned": check_flag(retry_abandoned, "retry_abandoned", here),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def wait(self, k: int, u: float) -> float:
        """Seconds before the k-th retry (k from 1), with `u` in [-1, 1] for the jitter."""
        try:
            grown = self.delay * self.backoff ** (k - 1)
        except OverflowError:
            grown = self.max_delay if self.delay else 0.0
        return min(grown, self.max_delay) * (1.0 + self.jitter * u)

    def matches(self, exc: BaseException) -> bool:
        """Whether this exception is one to retry after."""
        return isinstance(exc, self.retry_on) and not isinstance(exc, self.give_up_on)


def _check_exceptions(value: Any, option: str) -> Exceptions:
    kinds = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        refuse("Retry", option, value, "is not an exception class or a tuple of them; write %s=(OSError,)" % option)
    return kinds if isinstance(value, (tuple, list)) else kinds[0]


@lru_cache(maxsize=64)
def _retries(count: int) -> Retry:
    return Retry(count)  # shared: most tasks of a flow have the same number


def check_retries(value: Any, where: object) -> Retry:
    """The Retry that a whole number stands for, or the Retry that was given."""
    if isinstance(value, Retry):
        return value
    return _retries(check_count(value, "retries", where, least=0, hint=COUNT_HINT + ", or a Retry(...)"))


def check_isolation(value: Any, where: object) -> str:
    """The name of an isolation that works in this version."""
    return check_choice(value, "isolation", where, ISOLATION, ISOLATION_LATER)


class TaskOptions(NamedTuple):
    """What `task(...)` was told, checked; one is shared by every task of a decorator."""

    retries: Union[Retry, Inherit] = INHERIT
    timeout: Union[float, None, Inherit] = INHERIT
    isolation: Union[str, Inherit] = INHERIT
    run_when: str = "all_succeeded"
    verify: Any = None
    uses: Tuple[str, ...] = ()
    priority: Optional[float] = None
    tags: Tuple[str, ...] = ()
    type: str = "task"
    map: Tuple[str, ...] = ()
    cache: bool = False

    @classmethod
    def checked(cls, where: object, **given: Any) -> TaskOptions:
        """The options in `given`, each checked; names that are no option raise ConfigError."""
        refuse_unknown([name for name in given if name not in cls._fields], TASK_OPTIONS, where)
        return cls(**{name: _check_task_option(name, value, where) for name, value in given.items()})


TASK_OPTIONS = ("name", "depends_on") + TaskOptions._fields


def _check_task_option(option: str, value: Any, where: object) -> Any:
    if value is INHERIT and option in ("retries", "timeout", "isolation"):
        return value
    if option == "retries":
        return check_retries(value, where)
    if option == "timeout":
        return check_timeout(value, option, where)
    if option == "isolation":
        return check_isolation(value, where)
    if option == "run_when":
        return check_choice(value, option, where, RUN_WHEN)
    if option == "verify":
        return check_callable(value, option, where)
    if option in ("uses", "tags"):
        return check_names(value, option, where)
    if option == "priority":
        hint = "the larger goes first; None leaves the order to the run"
        return None if value is None else check_number(value, option, where, hint=hint)
    if option == "type":
        return check_name(value, "%s: type" % (where,))
    return _check_later(option, value, where)


def _check_later(option: str, value: Any, where: object) -> Any:
    if option == "map":
        if value is not None:
            refuse(where, option, value, checks.LATER + "; loop over the items inside the task")
        return ()
    if check_flag(value, option, where):
        refuse(where, option, value, checks.LATER + "; leave it out")
    return False


@dataclass(frozen=True)
class RunOptions:
    """What `run(...)` was told besides its inputs and targets; `RunOptions.checked(...)` makes one."""

    executor: Any = "threads"  # "threads", "inline", or a concurrent.futures.Executor
    max_workers: int = 5
    on_failure: str = "continue"
    raise_on_failure: bool = True
    isolation: Optional[str] = None
    keep: str = "all"
    display: str = "auto"
    log_dir: Optional[str] = None
    fsync: bool = False

    @classmethod
    def checked(cls, where: object = "run", **given: Any) -> RunOptions:
        """The options in `given`, each checked; names that are no option raise ConfigError."""
        refuse_unknown([name for name in given if name not in RUN_OPTIONS], RUN_OPTIONS, where)
        return cls(**{name: _check_run_option(name, value, where) for name, value in given.items()})


RUN_OPTIONS: Tuple[str, ...] = tuple(RunOptions.__dataclass_fields__)


def _check_run_option(option: str, value: Any, where: object) -> Any:
    if option == "executor":
        return _check_executor(value, where)
    if option == "max_workers":
        return check_count(value, option, where, least=1, hint="it is how many attempts may run at once, 1 or more")
    if option == "on_failure":
        return check_choice(value, option, where, ON_FAILURE)
    if option in ("raise_on_failure", "fsync"):
        return check_flag(value, option, where)
    if option == "isolation":
        return None if value is None else check_isolation(value, where)
    if option == "keep":
        return check_choice(value, option, where, KEEP)
    if option == "display":
        return _check_display(value, where)
    return check_log_dir(value, where)


def _check_executor(value: Any, where: object) -> Any:
    if not isinstance(value, (str, type)) and callable(getattr(value, "submit", None)):
        return value
    if isinstance(value, str):
        return check_choice(value, "executor", where, EXECUTORS, EXECUTORS_LATER)
    refuse(where, "executor", value, "is neither a name nor an executor; use 'threads', 'inline' or an Executor instance")


def _check_display(value: Any, where: object) -> str:
    if value is None or isinstance(value, bool):
        return "auto" if value else "none"
    return check_choice(value, "display", where, DISPLAY)


def check_log_dir(value: Any, where: object) -> Optional[str]:
    """The path of a directory as text, or None for the flow's."""
    if value is None:
        return None
    try:
        path = os.fspath(value)
    except TypeError:
        refuse(where, "log_dir", value, "is not a path; give the directory as str or Path")
    if not isinstance(path, str) or not path:
        refuse(where, "log_dir", value, "is not the path of a directory")
    return path
