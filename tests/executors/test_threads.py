"""The pool of threads: what a stop that arrives late may not do, and what a thread left behind may not keep."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any, List

import pytest

from flowdsl.errors import AttemptStopped
from flowdsl.executors.threads import ThreadExecutor, send_stop, withdraw_stop


def spin_until(event: threading.Event) -> str:
    while not event.is_set():
        pass
    return "done"


def test_a_stop_is_raised_in_code_that_runs() -> None:
    seen: List[int] = []

    def endless() -> None:
        seen.append(threading.get_ident())
        while True:
            pass

    with ThreadExecutor(1) as pool:
        future = pool.submit(endless)
        while not seen:
            time.sleep(0.001)
        assert send_stop(seen[0])
        assert isinstance(future.exception(10), AttemptStopped)
        assert pool.submit(int, "1").result(10) == 1


def test_a_stop_that_finds_its_thread_idle_costs_no_later_work() -> None:
    with ThreadExecutor(1) as pool:
        idents = {pool.submit(threading.get_ident).result(10)}
        for number in range(50):
            send_stop(next(iter(idents)))
            assert pool.submit(int, str(number)).result(10) == number
            idents = {pool.submit(threading.get_ident).result(10)}


def test_a_stop_that_was_withdrawn_is_not_raised() -> None:
    gate, ready = threading.Event(), threading.Event()

    def waits() -> str:
        ready.set()
        gate.wait()  # a stop cannot be raised in here
        return "done"

    with ThreadExecutor(1) as pool:
        future = pool.submit(waits)
        ready.wait()
        ident = next(thread.ident for thread in pool._threads)
        assert ident is not None
        assert send_stop(ident)
        withdraw_stop(ident)
        gate.set()
        assert future.result(10) == "done"


def test_a_stop_for_a_thread_that_is_gone_says_so() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    assert not send_stop(thread.ident or 0)


def test_an_abandoned_thread_is_replaced_and_ends_with_its_work() -> None:
    release, workers = threading.Event(), []

    def stuck() -> str:
        workers.append(threading.current_thread())
        release.wait()
        return "late"

    with ThreadExecutor(1) as pool:
        late: Future[Any] = pool.submit(stuck)
        while not workers:
            time.sleep(0.001)
        waiting = pool.submit(int, "5")
        pool.abandon(workers[0])
        assert waiting.result(10) == 5
        release.set()
        assert late.result(10) == "late"
        workers[0].join(10)
        assert not workers[0].is_alive()


def test_its_threads_do_not_keep_the_interpreter_alive() -> None:
    with ThreadExecutor(2) as pool:
        assert pool.submit(threading.current_thread).result(10).daemon


def test_shutdown_can_cancel_what_has_not_begun() -> None:
    gate, begun = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        gate.wait()

    pool = ThreadExecutor(1)
    pool.submit(first)
    begun.wait()
    second = pool.submit(int)
    pool.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert second.cancelled()


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_threads_than_it_may_have(workers: int) -> None:
    with ThreadExecutor(workers) as pool:
        idents = set(pool.map(lambda _: threading.get_ident(), range(50)))
    assert 1 <= len(idents) <= workers


PROFILED = """
import cProfile, time, warnings
import flowdsl

warnings.simplefilter("ignore")
flow = flowdsl.Flow("late", log_dir="logs")

@flow.task(timeout=0.2)
def obeys():
    while True:
        time.sleep(0.01)

@flow.task(timeout=0.2)
def sleeps():
    time.sleep(3)

def profiled():
    return sum(n for n in range(10))

flow.run(display=None, raise_on_failure=False)
cProfile.Profile().runcall(profiled)  # while a stop waits for a thread that sleeps
time.sleep(3.5)
cProfile.Profile().runcall(profiled)  # after it
print("done")
"""


@pytest.mark.slow
def test_after_a_stop_a_profiler_gets_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROFILED], cwd=str(tmp_path), capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "done\n", done.stderr
