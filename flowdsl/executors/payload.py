"""A call and its outcome as bytes: what crosses the border to a worker that shares no memory with us.

Payload: ``FDSL``, the version of this format, major and minor number of the Python that made it, then the function
with its policy, and its arguments, made by cloudpickle, which sends functions of `__main__` by value. A worker answers
with bytes too, and never raises: one exception that cannot be unpickled breaks a whole `ProcessPoolExecutor`.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import time
from types import TracebackType
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import cloudpickle

from flowdsl.definition.function import is_async
from flowdsl.definition.options import Retry
from flowdsl.errors import FlowError, WorkerDied
from flowdsl.executors import letters, obstacle, pickling, sharing
from flowdsl.executors.current import Current, Scribe, enter, leave
from flowdsl.executors.outcome import Call, Outcome, failure, perform, text_of

MAGIC = b"FDSL"
VERSION = 2
START = struct.Struct(">4sBBB")  # of every version
HEADER = struct.Struct(START.format + "?I")  # then: whether the policy may be remembered, its length
ELSEWHERE = b"+"  # behind the pickle of an answer, where unpickling does not look: its value is in a file
HEAD = (MAGIC, VERSION, *sys.version_info[:2])

scribe: Optional[Scribe] = None  # in a worker of our own: whom its attempts tell what they have to say

Bytes = Union[bytes, bytearray, memoryview]
Attempt = Tuple[str, int, Call]  # of that task, with that number


class Unpicklable(FlowError):
    """A call, a result or an exception that cannot be moved between processes."""


class Answer(NamedTuple):
    """What came back: the outcome, and where and how long the worker was at it."""

    outcome: Outcome
    pid: Optional[int]
    seconds: float


class Packed:
    """A payload in pieces: what comes first, and the pickle of the arguments."""

    def __init__(self, head: bytes, pieces: Sequence[bytes]) -> None:
        self._head = head
        self._pieces = pieces

    @property
    def is_large(self) -> bool:
        return letters.is_large(self._pieces)

    def seal(self, places: Sequence[str]) -> Mapping[int, str]:
        """Put the arguments into a file there, if there is room; which that is, of the only attempt, number 0."""
        sealed = letters.seal(self._pieces, places)
        self._pieces = (sealed.data,)
        return {0: sealed.path}

    def data(self) -> bytes:
        return b"".join((self._head, *self._pieces))


def pack(task: str, attempt: int, call: Call, book: sharing.Book = sharing.NO_BOOK) -> bytes:
    """The payload of an attempt; raises Unpicklable with the name of what cannot be sent."""
    return prepare(task, attempt, call, book).data()


def prepare(task: str, attempt: int, call: Call, book: sharing.Book) -> Packed:
    """The payload of an attempt, in pieces; raises Unpicklable with the name of what cannot be sent."""
    try:
        lasting, policy = pickling.dump_policy((call.function, call.verify, call.retry))
        arguments = pickling.dump_arguments(task, attempt, call.args, call.kwargs, book)
    except Exception as exc:
        raise refused(task, call, exc) from exc
    return Packed(HEADER.pack(*HEAD, lasting, len(policy)) + policy, arguments)


def refused(task: str, call: Call, exc: Exception) -> Unpicklable:
    """The error for a call that cannot be sent, which names the variable or the argument that is at fault."""
    BaseException.with_traceback(exc, _below("cloudpickle", exc.__traceback__))  # the user's lines, if there are any
    found = obstacle.of_call(call)
    said = text_of(exc) if found is None else "%s cannot be pickled: %s; %s" % (*found, obstacle.INSTEAD)
    return Unpicklable("task %r cannot be sent to another process: %s" % (task, said))


def work(payload: Bytes, hears: Optional[Scribe] = None) -> bytes:
    """Perform the attempt in this process; for a worker. It never raises. `hears` is told what it has to say."""
    return answer(*perform_opened(lambda: open_whole(payload), hears))


def perform_opened(opened: Callable[[], Attempt], hears: Optional[Scribe] = None) -> Tuple[Outcome, float]:
    """Open an attempt and perform it in this process; what came of it, and seconds in all. It never raises."""
    begun = time.perf_counter()
    try:
        task, attempt, call = opened()
    except BaseException as exc:
        return failure(exc, "unpicklable", Retry(0)), time.perf_counter() - begun
    if is_async(call.function):
        call = call._replace(function=_awaited(call.function))
    token = enter(Current(task, attempt, hears or scribe))
    try:
        outcome = perform(call)
    finally:
        leave(token)
    return outcome, time.perf_counter() - begun


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    """A coroutine function as one that waits for its end, on a loop of its own."""

    def wait(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        try:
            return asyncio.run(function(*args, **kwargs))
        except BaseException as exc:
            raise exc.with_traceback(_below("asyncio", exc.__traceback__))  # noqa: B904 - it is the same one

    return wait


def _below(package: str, trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """The traceback from the first frame on that is neither ours nor that package's."""
    ours = ("flowdsl", package)
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in ours:
        trace = trace.tb_next
    return trace


def open_whole(payload: Bytes) -> Attempt:
    """What `pack` made; raises Unpicklable where this process cannot open it, and whatever unpickling raises."""
    magic, version, major, minor = START.unpack_from(payload)
    if magic != MAGIC or version != VERSION:
        raise Unpicklable("the payload is not of this version of flowdsl; install the same version everywhere")
    if (major, minor) != sys.version_info[:2]:
        here = "%d.%d" % sys.version_info[:2]
        raise Unpicklable("the task comes from Python %d.%d, this worker is %s; use the same" % (major, minor, here))
    lasting, length = HEADER.unpack_from(payload)[4:]
    begin = HEADER.size + length
    function, verify, retry = pickling.load_policy(lasting, bytes(payload[HEADER.size : begin]))
    task, attempt, args, kwargs = sharing.mine.loads(memoryview(payload)[begin:])
    return task, attempt, Call(function, args, kwargs, verify, retry)


def answer(outcome: Outcome, seconds: float) -> bytes:
    """What a worker answers: plain data, with the value and the exception as blobs of their own."""
    if outcome.state == "succeeded":
        try:
            value = outcome.value if pickling.are_plain((outcome.value,)) else sharing.mine.seal(outcome.value)
        except BaseException as exc:
            outcome = failure(_unsendable(outcome.value, exc), "unpicklable", Retry(0), outcome.seconds, outcome.cpu_s)
            value = None
    else:
        value = None
    try:
        exception = b"" if outcome.exception is None else cloudpickle.dumps(outcome.exception)
    except BaseException:  # its name, text and traceback go as text anyway
        exception = b""
    plain = outcome._replace(value=None, exception=None)
    mark = ELSEWHERE if type(value) is letters.Sealed and value.path else b""
    return pickle.dumps((tuple(plain), value, exception, os.getpid(), seconds)) + mark


def _unsendable(value: Any, exc: BaseException) -> Unpicklable:
    """The error for a result that cannot be sent back."""
    name = "the result, of type %s," % type(value).__qualname__
    found = obstacle.of_value(name, value) or obstacle.Obstacle(name, text_of(exc))
    return Unpicklable("%s cannot be pickled: %s" % found)


def takes_long(data: Bytes) -> bool:
    """Whether an answer is large, or is in a file."""
    return len(data) >= letters.LARGE or data[-1:] == ELSEWHERE


def unpack(data: Bytes, book: sharing.Book = sharing.NO_BOOK) -> Answer:
    """What a worker answered; a value that cannot be unpickled here is a failed attempt, not an error."""
    plain, value, exception, pid, seconds = pickle.loads(data)
    outcome = Outcome(*plain)
    if type(value) is not letters.Sealed:  # it is itself, and None where there is none
        outcome = outcome._replace(value=value)
    else:
        try:
            outcome = outcome._replace(value=book.loads(value.data))
        except BaseException as exc:
            told = Unpicklable("the result cannot be unpickled here: %s: %s" % (type(exc).__name__, text_of(exc)))
            outcome = failure(told, "unpicklable", Retry(0), outcome.seconds, outcome.cpu_s)
    if exception:
        outcome = outcome._replace(exception=_exception(exception))
    return Answer(outcome, pid, seconds)


def _exception(blob: bytes) -> Optional[BaseException]:
    try:
        found = pickle.loads(blob)
    except BaseException:  # type, text and traceback are there as text
        return None
    return found if isinstance(found, BaseException) else None


def died(exc: BaseException) -> Outcome:
    """The outcome of an attempt whose executor lost it; such an attempt may be retried."""
    told = WorkerDied("the executor lost the attempt: %s: %s" % (type(exc).__name__, text_of(exc)))
    told.__cause__ = exc
    return failure(told, "worker_died", Retry(0))._replace(retryable=True)
