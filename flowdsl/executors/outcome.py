"""What one attempt of a call comes to: `perform` runs the user's function and never raises."""

from __future__ import annotations

import logging
import traceback
from time import perf_counter, thread_time
from types import CoroutineType, TracebackType
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence

from flowdsl.definition.options import Retry
from flowdsl.engine.policy import ONCE
from flowdsl.errors import FlowError, Skip


class Call(NamedTuple):
    """A function and its arguments, and what decides how its attempt ended."""

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    verify: Optional[Callable[[Any], Any]] = None
    retry: Retry = ONCE


class Outcome(NamedTuple):
    """How an attempt ended: plain data, but for the value and the exception."""

    state: str  # succeeded, failed, skipped
    cause: str  # a key of states.CAUSES
    value: Any = None
    retryable: bool = False
    seconds: float = 0.0  # wall time inside the user's function
    cpu_s: Optional[float] = None
    error_type: str = ""
    error: str = ""
    traceback: str = ""  # begins in the user's code
    exception: Optional[BaseException] = None


class VerifyFailed(FlowError):
    """`verify` refused the result of an attempt."""


def perform(call: Call, timed: bool = True) -> Outcome:
    """Run the call in this thread. Whatever it raises, `sys.exit` and KeyboardInterrupt too, is its outcome.

    `timed` says whether its CPU time is worth being read.
    """
    function, args, kwargs, verify, retry = call
    verifying = False
    cpu = thread_time() if timed else None
    begun = perf_counter()
    try:
        value = function(*args, **kwargs)
        seconds = perf_counter() - begun
        if type(value) is CoroutineType:
            refuse_coroutine(value)
        if verify is not None:
            verifying = True
            check_verdict(verify(value))
    except Skip as skip:
        return Outcome("skipped", "skip_raised", None, False, perf_counter() - begun, _since(cpu), error=text_of(skip))
    except BaseException as exc:
        cause = "verify_failed" if verifying else "raised"
        return failure(exc, cause, retry, perf_counter() - begun, _since(cpu))
    cpu_s = None if cpu is None else thread_time() - cpu
    # A third of the cost of the constructor, once an attempt.
    return tuple.__new__(Outcome, ("succeeded", "returned", value, False, seconds, cpu_s, "", "", "", None))


def exit_code(outcome: Outcome) -> int:
    """How a process ends that was forked by the call and came back from it: as it would anywhere else."""
    if outcome.state != "failed":
        return 0
    if isinstance(outcome.exception, SystemExit):
        code = outcome.exception.code
        return code & 0xFF if isinstance(code, int) else int(code is not None)
    return 1


def _since(cpu: Optional[float]) -> Optional[float]:
    return None if cpu is None else thread_time() - cpu


def refuse_coroutine(value: Any) -> None:
    """A coroutine has not run a line: taken for a result, a failure in it would look like success."""
    value.close()
    raise TypeError("the function returned a coroutine, which nobody awaits; make the task itself `async def`")


def check_verdict(verdict: Any) -> None:
    """A false bool does not pass, also one of numpy or a tensor; anything else does, such as a checked table."""
    if type(verdict) is CoroutineType:
        verdict.close()
        raise VerifyFailed("verify returned a coroutine, which nobody awaits; give a plain function")
    if not isinstance(verdict, bool) and not str(getattr(verdict, "dtype", "")).lower().endswith(("bool", "boolean")):
        return
    if getattr(verdict, "shape", ()) != ():
        raise VerifyFailed("verify returned a %s of bools; make one of them, as with .all()" % type(verdict).__name__)
    if not verdict:
        raise VerifyFailed("verify returned %r for the result" % (verdict,))


def failure(
    exc: BaseException, cause: str, retry: Retry, seconds: float = 0.0, cpu_s: Optional[float] = None
) -> Outcome:
    """The outcome of an attempt that raised; the exception keeps the part of its traceback that is the user's."""
    keep_users_traceback(exc)
    return Outcome(
        "failed",
        cause,
        None,
        matches(retry, exc),
        seconds,
        cpu_s,
        type(exc).__qualname__,
        text_of(exc),
        traceback_text(exc),
        exc,
    )


def text_of(exc: BaseException) -> str:
    """What the exception says, also when its `__str__` is at fault."""
    try:
        return str(exc)
    except BaseException as broken:
        return "<%s while reading the message of %s>" % (type(broken).__name__, type(exc).__name__)


def traceback_text(exc: BaseException) -> str:
    """The traceback as text, from the first frame of the user's code on; no locals."""
    try:
        return "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))
    except BaseException as broken:
        return "%s: %s (no traceback: %s)\n" % (type(exc).__name__, text_of(exc), type(broken).__name__)


def matches(retry: Retry, exc: BaseException) -> bool:
    """Whether to retry after this exception; where a class of the user's cannot be asked: no, and that is said."""
    try:
        return retry.matches(exc)
    except Exception as broken:
        kind, why = type(exc).__name__, "%s: %s" % (type(broken).__name__, text_of(broken))
        logging.getLogger("flowdsl").warning("no retry after %s: retry_on or give_up_on raised %s", kind, why)
        return False


def keep_users_traceback(exc: BaseException) -> None:
    """Cut our own frames off the exception's traceback, if it lets itself be touched."""
    try:
        exc.__traceback__ = users_traceback(exc)
    except Exception:  # its class is at fault; the text of the traceback says as much as can be said
        return


def users_traceback(exc: BaseException) -> Optional[TracebackType]:
    """The exception's traceback without the frames of flowdsl at its head."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "flowdsl":
        trace = trace.tb_next
    return trace
