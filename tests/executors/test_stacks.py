"""Where an attempt was when it was killed, crashed or was left behind: told by the log, without any variable."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from flowdsl import Flow
from flowdsl.executors import stacks
from flowdsl.storage.reading import read_journal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="worker processes need Linux or macOS"),
    pytest.mark.filterwarnings("ignore::flowdsl.AbandonedWarning"),
]


def stuck_in_c() -> None:
    re.match(r"(a+)+$", "a" * 40 + "b")


def with_a_second_thread() -> None:
    def wait_aside() -> None:
        threading.Event().wait(30)

    threading.Thread(target=wait_aside, daemon=True).start()
    secret = "hunter2"
    time.sleep(30 + len(secret))


def deaf() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {stacks.SIGNAL})
    Path("ready").touch()
    time.sleep(30)


def stopped() -> None:
    Path("ready").touch()
    os.kill(os.getpid(), signal.SIGSTOP)


def crashes() -> None:
    ctypes.string_at(0)


def sleeps_in_a_thread() -> None:
    time.sleep(1.5)


def said_of(function: Callable[[], None], **options: Any) -> Any:
    """The detail of the event that ended the only attempt of a run of `function`."""
    flow = Flow("told")
    flow.task(name="it", **options)(function)
    run = flow.run(display="none", raise_on_failure=False)
    events = [event for batch in read_journal(run.dir).batches for event in batch.events]
    (end,) = [event for event in events if event.event in ("attempt_timed_out", "attempt_failed")]
    assert end.detail is not None
    assert run.attempts["duration_s"].iloc[0] < 8.0
    return end.detail


def test_a_worker_stuck_in_c_code_says_where_it_is_before_it_is_killed() -> None:
    told = said_of(stuck_in_c, isolation="process", timeout=2.0)["stacks"]
    assert re.search(r'File ".*test_stacks\.py", line \d+ in stuck_in_c', told)


def test_every_thread_of_a_killed_worker_is_told_and_no_variable() -> None:
    told = said_of(with_a_second_thread, isolation="process", timeout=2.0)["stacks"]
    assert "in wait_aside" in told and "in with_a_second_thread" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("function", [deaf, stopped])
def test_a_worker_that_handles_no_signals_is_killed_all_the_same(function: Callable[[], None]) -> None:
    flow = Flow("mute", isolation="process")
    flow.task(name="it")(function)
    run = flow.start(display="none")
    while not Path("ready").exists():
        time.sleep(0.02)
    time.sleep(0.1)  # until it has stopped
    run.cancel()
    assert run.wait(10)
    events = [event for batch in read_journal(run.dir).batches for event in batch.events]
    (end,) = [event for event in events if event.event == "attempt_cancelled"]
    assert end.mechanism == "killed" and "stacks" not in (end.detail or {})


def test_a_crash_says_where_it_was() -> None:
    detail = said_of(crashes, isolation="process")
    assert "SIGSEGV" in detail["error"]
    assert "Segmentation fault" in detail["stacks"] and "in crashes" in detail["stacks"]


def test_a_thread_that_is_left_behind_says_where_it_was_from_the_users_code_on() -> None:
    told = said_of(sleeps_in_a_thread, timeout=0.2)["stacks"]
    assert told.splitlines()[0].endswith("in sleeps_in_a_thread")
    assert "time.sleep(1.5)" in told and "flowdsl" not in told.replace(__file__, "")


def test_a_thread_that_is_gone_has_no_stack() -> None:
    assert stacks.of_thread(None) == "" and stacks.of_thread(-1) == ""
