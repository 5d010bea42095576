"""Attempts in threads of our own: daemon threads that outlive a late stop, and that a run can leave behind."""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import queue
import sys
import threading
from collections import deque
from concurrent.futures import Executor, Future
from itertools import islice
from typing import Any, Callable, Deque, List, NamedTuple, Set

from flowdsl.engine.policy import Kind
from flowdsl.errors import AttemptStopped

# A thread cannot be killed: 0.1 s after it was asked to end it counts as abandoned, and another takes its place.
KIND = Kind("threads", grace=0.1, replaces=True, retries_timeouts=False)


class _Item(NamedTuple):
    future: Future[Any]
    function: Callable[..., Any]
    args: Any
    kwargs: Any


class ThreadExecutor(Executor):
    """A pool of daemon threads, started when needed.

    Unlike `ThreadPoolExecutor` it does not keep the interpreter from ending, it survives an asynchronous exception
    that reaches a thread after its work (there such a thread dies, and later work hangs), and `abandon` replaces a
    thread that will not come back.
    """

    def __init__(self, max_workers: int, name: str = "flowdsl") -> None:
        self._max_workers = max_workers
        self._name = name
        self._lock = threading.Lock()
        self._items: Deque[_Item] = deque()
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()  # one to wake a thread, an item or an end waits
        self._threads: Set[threading.Thread] = set()
        self._retired: Set[threading.Thread] = set()
        self._idle: Set[threading.Thread] = set()
        self._started = 0
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("this executor has been shut down")
            self._items.append(_Item(future, fn, args, kwargs))
            self._calls.put(None)
            self._start_thread_if_short()
        return future

    def abandon(self, thread: threading.Thread) -> None:
        """Count this thread no more; it ends with what it does now, and another may be started in its place."""
        with self._lock:
            if thread not in self._threads:
                return
            self._threads.discard(thread)
            self._retired.add(thread)
            self._start_thread_if_short()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more work; with `wait`, return when every thread that was not abandoned has ended."""
        with self._lock:
            self._closed = True
            while cancel_futures and self._items:
                self._items.popleft().future.cancel()
            threads: List[threading.Thread] = list(self._threads)
            for _ in threads:
                self._calls.put(None)
        for thread in threads if wait else ():
            thread.join()

    def _start_thread_if_short(self) -> None:
        if len(self._items) <= len(self._idle) or len(self._threads) >= self._max_workers:
            return
        self._started += 1
        name = "%s-%d" % (self._name, self._started)
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _work(self) -> None:
        me = threading.current_thread()
        slot: List[_Item] = []  # what has been taken and not answered: a stop may arrive between any two lines
        while True:
            try:
                if slot:
                    _answer(slot)
                elif not self._take(me, slot):
                    return
            except AttemptStopped:
                continue

    def _take(self, me: threading.Thread, slot: List[_Item]) -> bool:
        """Wait for work and put it into `slot`; False when this thread is to end.

        A stop may be raised after any line. What it makes us miss is only a call to wake up: items are looked for
        before each wait, and go from the queue into the slot in one step that no stop can divide.
        """
        while True:
            with self._lock:
                self._idle.discard(me)
            try:
                slot.extend(islice(iter(self._items.popleft, None), 1))
                return True
            except IndexError:  # nothing is there
                pass
            with self._lock:
                if me in self._retired or (self._closed and not self._items):
                    self._retired.discard(me)
                    self._threads.discard(me)
                    return False
                self._idle.add(me)
            self._calls.get()


def _answer(slot: List[_Item]) -> None:
    """Run what is in `slot` and settle its future, whatever comes; afterwards the slot is empty."""
    item = slot[0]
    if item.future.running():  # second time here: a stop arrived between the work and its answer
        item.future.set_exception(AttemptStopped("the work was over when a stop arrived"))
    elif not item.future.done() and item.future.set_running_or_notify_cancel():
        try:
            result = item.function(*item.args, **item.kwargs)
        except BaseException as exc:
            item.future.set_exception(exc)
        else:
            item.future.set_result(result)
    slot.clear()


def send_stop(thread_id: int) -> bool:
    """Raise AttemptStopped in that thread at its next bytecode; False when there is no such thread.

    The caller holds the lock under which the thread is flagged as being in user code.
    """
    found = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(AttemptStopped))
    _calm()
    return bool(found)


def withdraw_stop(thread_id: int) -> None:
    """Take back a stop that has not been raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), None)
    _calm()


class _Nothing(BaseException):
    """Raised and caught by a thread that does nothing else."""


def _calm() -> None:
    """Make the interpreter forget that an exception may wait for some thread; the thread itself still gets its own.

    Before Python 3.13 one flag says so for all threads, and only a thread that raises such an exception takes it down:
    not when a stop is withdrawn, and not while its thread sleeps. Until then every thread of the process takes the slow
    way at each call and loop, and on 3.11 a profiler or a debugger goes round in one instruction for ever (DO_TRACING
    of RESUME in ceval.c). So a thread of ours raises one. Whoever has one waiting puts the flag up again when it next
    takes the interpreter's lock (take_gil in ceval_gil.h).
    """
    if sys.version_info < (3, 13):
        with contextlib.suppress(RuntimeError):  # no more threads
            _thread.start_new_thread(_raise_nothing, ())


def _raise_nothing() -> None:
    try:
        ident = ctypes.c_ulong(_thread.get_ident())
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_Nothing))
        while True:
            pass
    except _Nothing:
        return
