"""The policy of retries: how many, after which waits, after which errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, Optional, Sequence, Tuple, Type, Union

from flowdsl.definition.checks import check_count, check_flag, check_number, check_timeout, refuse, refuse_unknown

__all__ = ["Exceptions", "Retry", "check_retries"]

Exceptions = Union[Type[BaseException], Tuple[Type[BaseException], ...]]

COUNT_HINT = "it is the number of attempts after the first, 0 or more"


@dataclass(frozen=True)
class Retry:
    """When and how often an attempt that did not succeed is followed by another.

    Args:
        retries: attempts after the first, 0 or more.
        delay: seconds before the first retry.
        backoff: factor from one wait to the next, more than 0.
        max_delay: seconds; no wait is longer, jitter aside.
        jitter: share of the wait, 0 to 1, by which it varies at random.
        retry_on, give_up_on: an exception class or a tuple of them; what matches `give_up_on` is never retried.
        max_elapsed: seconds since the first attempt began, after which no retry starts; None is no limit.
        retry_abandoned: retry beside a timed-out thread that is still going.

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
