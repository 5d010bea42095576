"""What users hand in and flowdsl cannot trust: coroutines for results, hostile exceptions, paths that move, forks."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import textwrap
import time
import warnings
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import AbandonedWarning, ConfigError, Flow, InputError, Retry, RunFailed


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("users", log_dir=log_dir)


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    return flow.run(display=None, raise_on_failure=False, **more)


def test_a_coroutine_is_no_result(flow: Flow) -> None:
    async def fetch() -> int:
        return 1

    @functools.wraps(fetch)
    def wrapped() -> Any:
        return fetch()

    flow.task(name="wrapped")(wrapped)
    failure = run(flow).failures[0]
    assert failure.error is not None
    assert "make the task itself `async def`" in failure.error


def test_a_coroutine_function_does_not_verify(flow: Flow) -> None:
    async def check(result: Any) -> bool:
        return False

    with pytest.raises(ConfigError, match="nobody awaits"):
        flow.task(name="one", verify=check)(int)
    flow.task(name="two", verify=lambda result: check(result))(int)
    assert run(flow).failures[0].cause == "verify_failed"


def test_a_directory_is_where_it_was_when_the_run_began(flow: Flow, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()

    @flow.task
    def move() -> None:
        os.chdir(tmp_path / "elsewhere")

    @flow.task(depends_on=move)
    def long() -> None:
        raise ValueError("e" * 3_000_000)

    done = run(flow, log_dir="logs")
    assert done.dir.is_absolute()
    assert done.state == "failed"
    assert len(done.events)


def test_a_wait_of_centuries_is_a_wait(flow: Flow) -> None:
    @flow.task(timeout=1e10, retries=Retry(1, delay=0.01, max_delay=1e308))
    def slow() -> int:
        time.sleep(0.01)
        return 1

    assert run(flow)["slow"] == 1


def test_what_a_callable_carries_does_not_hide_the_task(flow: Flow) -> None:
    class Model:
        def run(self) -> str:
            return "model"

    def plain() -> int:
        return 1

    plain.run = "mine"  # type: ignore[attr-defined]
    assert flow.task(Model).run(display=None)["Model"].run() == "model"
    assert flow.task(plain).run(display=None)["plain"] == 1


class Untouchable(Exception):
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class NeverAsk(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        raise RuntimeError("do not ask")


class Unaskable(Exception, metaclass=NeverAsk):
    pass


def test_an_exception_that_cannot_be_looked_at_fails_its_task_only(
    flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    @flow.task
    def touchy() -> None:
        raise Untouchable

    @flow.task(retries=Retry(2, retry_on=Unaskable))
    def unasked() -> None:
        raise ValueError("no")

    flow.task(name="fine")(lambda: 1)
    done = run(flow)
    assert done["fine"] == 1
    assert {failure.task for failure in done.failures} == {"touchy", "unasked"}
    assert "no retry after ValueError: retry_on or give_up_on raised RuntimeError: do not ask" in caplog.text


def test_an_executor_that_returns_no_future_fails_the_attempt(flow: Flow) -> None:
    class Wrong(Executor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            return None

    flow.task(name="one")(int)
    assert run(flow, executor=Wrong()).failures[0].cause == "worker_died"


def test_frames_of_a_run_are_the_same_live_and_from_disk(flow: Flow) -> None:
    for number in range(30):
        flow.task(name="t%d" % number, retries=1)(lambda number=number: 1 // (number % 7))
    done = run(flow)
    read = flowdsl.load_runs(flow.log_dir)[done.id]
    assert done.tasks.equals(read.tasks)
    assert done.attempts.equals(read.attempts)
    assert done.events.equals(read.events)


@pytest.mark.slow
def test_every_run_warns_of_its_own_abandoned_attempts_at_the_users_line(flow: Flow) -> None:
    flow.task(name="hang", timeout=0.05)(lambda: time.sleep(0.5))
    for _ in range(2):
        with pytest.warns(AbandonedWarning, match="'hang'") as caught:
            flow.run(display=None, raise_on_failure=False)
        assert caught[0].filename == __file__
    started = flow.start(display=None)
    with pytest.warns(AbandonedWarning, match="'hang'"):
        started.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RunFailed):
            flow.run(display=None)


@pytest.mark.slow
def test_a_task_that_overran_did_not_cooperate(flow: Flow) -> None:
    @flow.task(timeout=0.05)
    def deaf() -> str:
        with contextlib.suppress(BaseException):
            time.sleep(0.2)
        return "too late"

    attempt = run(flow, executor="inline").attempts.iloc[0]
    assert (attempt["state"], attempt["mechanism"]) == ("timed_out", "overran")


def test_an_input_named_like_a_task_of_another_flow_is_told_how_to_say_it(flow: Flow, log_dir: Path) -> None:
    other = Flow("other", log_dir=log_dir)
    other.task(name="src")(int)
    flow.task(name="uses")(lambda src: src)
    with pytest.raises(InputError, match="depends_on=") as caught:
        flow.run(display=None)
    assert "did you mean 'src'" not in str(caught.value)


def test_a_path_with_a_null_byte_is_refused(flow: Flow) -> None:
    with pytest.raises(ConfigError, match="log_dir"):
        flow.run(display=None, log_dir="a\0b")


def script(code: str, *arguments: str) -> Any:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_that_comes_back_ends(log_dir: Path) -> None:
    code = """
        import os, sys, warnings, flowdsl
        warnings.simplefilter("ignore")
        flow = flowdsl.Flow("forks", log_dir=sys.argv[1])
        @flow.task
        def fork():
            pid = os.fork()
            return os.waitpid(pid, 0)[1] if pid else "child"
        print(flow.run(display=None)["fork"])
    """
    done = script(code, str(log_dir))
    assert done.stdout == "0\n", done.stderr
    assert len(flowdsl.load_runs(log_dir)) == 1


@pytest.mark.slow
def test_the_end_of_a_script_cancels_what_it_left_going(log_dir: Path) -> None:
    code = """
        import sys, time, flowdsl
        flow = flowdsl.Flow("left", log_dir=sys.argv[1])
        flow.task(name="one")(lambda: time.sleep(30))
        flow.start(display=None)
        time.sleep(0.2)
    """
    done = script(code, str(log_dir))
    assert done.returncode == 0
    assert "was still going on and is cancelled" in done.stderr
    assert flowdsl.load_runs(log_dir)[0].state == "cancelled"
