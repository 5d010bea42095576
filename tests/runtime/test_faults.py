"""Faults at run time, with real threads and real signals: each costs at most the attempt that it hits."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Iterator, List

import pytest

import flowdsl
from flowdsl import AbandonedWarning, Flow, Retry, RunFailed
from flowdsl.runtime.turns import CHUNK

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("faults", log_dir=log_dir)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What stuck tasks wait for; set when the test is over, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    return flow.run(display=None, raise_on_failure=False, **more)


def block(release: threading.Event) -> None:
    """Stuck where no exception can reach it."""
    release.wait(30)


@pytest.mark.slow
def test_a_thread_that_outlives_its_limit_is_abandoned_on_time_and_replaced(flow: Flow, release: Any) -> None:
    late: List[str] = []

    @flow.task(timeout=0.2, retries=2)
    def stuck() -> str:
        try:
            block(release)
        except BaseException:  # the request to stop, which reaches it only now
            late.append("late")
        return "late"

    @flow.task(run_when="all_done")
    def after(stuck: Any) -> str:
        return str(stuck.state)

    @flow.task
    def other() -> int:
        return 1

    with pytest.warns(AbandonedWarning, match="'stuck'.*still running"):
        done = run(flow, max_workers=1)
    assert (done["after"], done["other"]) == ("timed_out", 1)
    attempts = done.attempts[done.attempts["task"] == "stuck"]
    assert len(attempts) == 1, "beside a thread that is still going there is no retry"
    attempt = attempts.iloc[0]
    assert (attempt["state"], attempt["mechanism"]) == ("timed_out", "abandoned")
    assert 0.2 <= attempt["duration_s"] < 2
    assert "still running" in attempt["error"]
    release.set()
    while not late:
        time.sleep(0.01)
    time.sleep(0.05)
    assert done.tasks.set_index("task").loc["stuck", "state"] == "timed_out"
    with pytest.raises(flowdsl.TaskResultError):
        done["stuck"]


@pytest.mark.slow
def test_a_retry_beside_an_abandoned_thread_is_for_those_who_ask(flow: Flow, release: Any) -> None:
    calls: List[int] = []

    @flow.task(timeout=0.1, retries=Retry(1, retry_abandoned=True))
    def stuck() -> str:
        calls.append(1)
        if len(calls) == 1:
            block(release)
        return "second"

    with pytest.warns(AbandonedWarning):
        assert run(flow)["stuck"] == "second"


@pytest.mark.slow
def test_a_loop_that_swallows_everything_is_abandoned(flow: Flow, release: Any) -> None:
    @flow.task(timeout=0.2)
    def stubborn() -> None:
        while not release.is_set():
            with contextlib.suppress(BaseException):
                time.sleep(0.001)

    with pytest.warns(AbandonedWarning):
        done = run(flow)
    assert done.attempts.iloc[0]["mechanism"] == "abandoned"


@pytest.mark.slow
def test_python_code_in_a_thread_is_stopped_and_not_abandoned(flow: Flow) -> None:
    @flow.task(timeout=0.2)
    def spins() -> None:
        while True:
            pass

    @flow.task(timeout=0.2)
    def asks() -> None:
        while True:
            flowdsl.current().check()

    @flow.task(timeout=0.2)
    def sleeps() -> None:
        flowdsl.current().sleep(30)

    done = run(flow)
    assert list(done.attempts["state"]) == ["timed_out"] * 3
    assert list(done.attempts["mechanism"]) == ["cooperative"] * 3
    assert done.state == "failed"


@pytest.mark.slow
def test_more_abandoned_threads_than_workers_end_the_run_and_are_named(flow: Flow, release: Any) -> None:
    for number in range(6):
        flow.task(name="stuck%d" % number, timeout=0.1)(lambda: block(release))
    with pytest.warns(AbandonedWarning):
        done = run(flow, max_workers=2)
    assert done.state == "failed"
    last = done.events.iloc[-1]
    assert last["cause"] == "too_many_abandoned"
    assert "stuck" in last["cause_task"]


@pytest.mark.slow
def test_a_timeout_in_the_last_attempt_is_one_terminal_record(flow: Flow) -> None:
    @flow.task(timeout=0.1, retries=1)
    def slow() -> None:
        flowdsl.current().sleep(30)

    done = run(flow)
    terminal = done.events[(done.events["task"] == "slow") & (done.events["state"] == "timed_out")]
    assert len(terminal) == 1


@pytest.mark.slow
def test_a_limit_counts_from_the_begin_and_never_in_the_queue(flow: Flow) -> None:
    for number in range(4):
        flow.task(name="t%d" % number, timeout=0.5)(lambda: time.sleep(0.2))
    assert run(flow, max_workers=1).state == "succeeded"


@pytest.mark.slow
def test_cancel_leaves_nothing_that_waits_runs_or_retries(flow: Flow) -> None:
    @flow.task
    def running() -> None:
        flowdsl.current().sleep(30)

    @flow.task(retries=Retry(5, delay=30))
    def retries() -> None:
        raise OSError("again")

    @flow.task
    def queued(running: None) -> None:
        raise AssertionError("must not run")

    going = flow.start(display=None)
    while going.snapshot().counts.get("retry_wait", 0) != 1 or going.snapshot().counts.get("running", 0) != 1:
        time.sleep(0.01)
    going.cancel()
    assert going.wait(2)
    assert going.state == "cancelled"
    assert set(going.tasks["state"]) == {"cancelled"}
    before = len(going.attempts)
    time.sleep(0.1)
    assert len(going.attempts) == before == 2
    with pytest.raises(RunFailed, match="cancelled"):
        going.check()


def test_stop_on_failure_lets_running_attempts_finish(flow: Flow) -> None:
    began = threading.Event()

    @flow.task(priority=1)
    def running() -> str:
        began.set()
        time.sleep(0.1)
        return "finished"

    @flow.task
    def bad() -> None:
        began.wait()
        raise ValueError("stop")

    @flow.task(depends_on=running)
    def never() -> None:
        raise AssertionError("must not run")

    done = run(flow, on_failure="stop", max_workers=2)
    tasks = done.tasks.set_index("task")
    assert done["running"] == "finished"
    assert (tasks.loc["never", "state"], tasks.loc["never", "cause"]) == ("cancelled", "stopped")
    assert tasks.loc["never", "cause_task"] == "bad"
    assert done.state == "failed"


@pytest.mark.slow
def test_other_tasks_run_while_a_retry_waits(flow: Flow) -> None:
    order: List[str] = []

    @flow.task(retries=Retry(1, delay=0.2), priority=1)
    def flaky() -> None:
        order.append("flaky")
        if order.count("flaky") == 1:
            raise OSError

    @flow.task
    def other() -> None:
        order.append("other")

    done = run(flow, max_workers=1)
    assert order == ["flaky", "other", "flaky"]
    first, second = done.attempts[done.attempts["task"] == "flaky"].itertuples()
    assert (second.started_at - first.ended_at).total_seconds() >= 0.2


def test_the_wall_clock_may_step_back(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time

    @flow.task
    def first() -> None:
        monkeypatch.setattr(time, "time", lambda: real() - 3600)

    @flow.task(depends_on=first)
    def second() -> None:
        time.sleep(0.01)

    done = run(flow)
    at = done.events["at"]
    assert at.is_monotonic_increasing
    assert (done.tasks["ended_at"] >= done.tasks["started_at"]).all()


def test_a_run_inside_a_task_is_a_run_of_its_own(flow: Flow, log_dir: Path) -> None:
    inner = Flow("inner", log_dir=log_dir)

    @inner.task
    def deep() -> int:
        return 42

    for number in range(3):
        flow.task(name="outer%d" % number)(lambda: inner.run(display=None)["deep"])
    done = run(flow, max_workers=2)
    assert [done["outer%d" % number] for number in range(3)] == [42, 42, 42]
    assert len(flowdsl.load_runs(log_dir)) == 4


def test_a_task_sees_the_context_of_its_caller_and_not_that_of_other_tasks(flow: Flow) -> None:
    depth = ContextVar("depth", default=0)
    flow.task(name="one", priority=1)(lambda: depth.set(5) and depth.get())
    flow.task(name="two")(depth.get)
    depth.set(11)
    done = run(flow, max_workers=1)
    assert (done["one"], done["two"]) == (5, 11)


def test_results_are_let_go_when_only_the_targets_are_kept(flow: Flow) -> None:
    flow.task(name="big")(lambda: list(range(10)))
    flow.task(name="small", depends_on={"x": "big"})(lambda x: len(x))
    done = run(flow, keep="targets", targets=["small"])
    assert done["small"] == 10
    with pytest.raises(flowdsl.ResultReleased, match="keep='all'"):
        done["big"]


def test_ten_thousand_links_run_without_recursion(flow: Flow) -> None:
    flow.task(name="t0")(lambda: 0)
    for number in range(1, 10_000):
        flow.task(name="t%d" % number, depends_on={"x": "t%d" % (number - 1)})(lambda x: x + 1)
    assert run(flow)["t9999"] == 9999


def test_a_fault_of_our_own_ends_the_run_and_says_so(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowdsl.runtime.workers import Workers

    flow.task(name="one")(lambda: 1)
    monkeypatch.setattr(Workers, "_hand_out", lambda *_: 1 / 0)
    with pytest.raises(flowdsl.InternalError, match="please report") as caught:
        run(flow)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


SCRIPT = """
    import os, sys, time, flowdsl
    flow = flowdsl.Flow("interrupted", log_dir=sys.argv[1])
    def work():
        os.write(1, b"begun\\n")  # in one piece, from two threads
        while True:
            time.sleep(0.01)
    flow.task(name="one")(work)
    flow.task(name="two")(work)
    flow.task(name="three", depends_on="one")(work)
    try:
        flow.run(display=None, executor=sys.argv[2])
    except KeyboardInterrupt:
        print(flowdsl.last_run().state, sorted(set(flowdsl.last_run().tasks["cause"])), flush=True)
        sys.exit(7)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT to a child")
@pytest.mark.parametrize("executor", ["threads", "inline"])
def test_an_interrupt_cancels_the_run_and_is_raised_again(log_dir: Path, executor: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(log_dir), executor]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    for _ in range(2 if executor == "threads" else 1):
        assert child.stdout.readline() == "begun\n"
    os.killpg(child.pid, signal.SIGINT)
    rest, _ = child.communicate(timeout=30)
    assert child.returncode == 7
    assert rest.splitlines()[-1] == "cancelled ['keyboard_interrupt']"
    assert flowdsl.load_runs(log_dir)[0].state == "cancelled"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGKILL to a child")
def test_a_killed_process_leaves_a_log_in_which_open_tasks_are_interrupted(log_dir: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(log_dir), "threads"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    for _ in range(2):
        assert child.stdout.readline() == "begun\n"
    child.kill()
    child.communicate(timeout=30)
    past = flowdsl.load_runs(log_dir)[0]
    assert past.state == "interrupted"
    assert set(past.tasks["state"]) == {"interrupted"}
    assert set(past.attempts["cause"]) == {"process_died"}


def test_a_log_directory_that_cannot_be_made_is_an_error_before_any_task(flow: Flow, tmp_path: Path) -> None:
    began: List[int] = []
    flow.task(name="one")(lambda: began.append(1))
    (tmp_path / "file").write_text("")
    with pytest.raises(flowdsl.LogWriteError, match="file"):
        flow.run(display=None, log_dir=tmp_path / "file" / "logs")
    assert not began


@pytest.mark.parametrize("executor", ["threads", "inline"])
@pytest.mark.parametrize("fsync", [False, True])
def test_a_journal_that_cannot_be_written_ends_the_run(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, executor: str, fsync: bool
) -> None:
    from flowdsl.storage.journal import Journal

    began: List[int] = []
    for number in range(20):
        after = ["t%02d" % (number - 1)] * (number > 0 and not fsync)
        flow.task("t%02d" % number, depends_on=after)(lambda number=number: began.append(number))
    real, writes = Journal.append_all, []

    def fails(self: Journal, batches: Any) -> int:
        writes.append(1)
        if len(writes) > 5:
            raise flowdsl.LogWriteError("no space left", path=str(self.path), errno=28)
        return real(self, batches)

    monkeypatch.setattr(Journal, "append_all", fails)
    with pytest.raises(flowdsl.LogWriteError) as caught:
        run(flow, executor=executor, fsync=fsync)
    assert caught.value.errno == 28
    assert len(began) < 20
    told = flowdsl.load_runs(flow.log_dir)[0]
    assert set(told.attempts["task"]) >= {"t%02d" % number for number in began}, "nothing ran that is not in the log"


@pytest.mark.parametrize("executor", ["threads", "inline"])
@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_journal_that_cannot_be_written_while_tasks_still_join_ends_the_run_all_the_same(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, executor: str, written: int
) -> None:
    from flowdsl.storage.journal import Journal

    began: List[int] = []
    for number in range(3 * CHUNK):
        flow.task("t%d" % number)(lambda: began.append(1))
    real, writes = Journal.append_all, []

    def fails(self: Journal, batches: Any) -> int:
        writes.append(1)
        if len(writes) > written:
            raise flowdsl.LogWriteError("no space left", path=str(self.path), errno=28)
        return real(self, batches)

    monkeypatch.setattr(Journal, "append_all", fails)
    with pytest.raises(flowdsl.LogWriteError) as caught:
        run(flow, executor=executor)
    assert (caught.value.errno, began) == (28, [])
    ended = flowdsl.last_run()
    assert ended is not None
    assert (ended.state, len(writes)) == ("cancelled", written + 1)
    assert set(ended.tasks["state"]) <= {"cancelled"}
    with pytest.raises(flowdsl.TaskResultError):
        ended["t%d" % (3 * CHUNK - 1)]
