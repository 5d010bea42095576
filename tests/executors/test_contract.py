"""What every executor has to keep, whatever it is made of; later executors join the list at the top."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

import flowdsl
from flowdsl import Flow, Retry, RunFailed, Skip, TaskResultError
from flowdsl.engine.check import check_batches
from flowdsl.executors.inline import InlineExecutor
from flowdsl.executors.processes import ProcessPool
from flowdsl.executors.threads import ThreadExecutor
from flowdsl.storage.reading import read_journal

RUNS = [
    "inline",
    "threads",
    "processes",
    "InlineExecutor",
    "ThreadExecutor",
    "ProcessPool",
    "ThreadPoolExecutor",
    "ProcessPoolExecutor",
    "loky",
]
NAMES = {"inline", "threads", "processes"}


@pytest.fixture(params=RUNS, scope="module")
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    """What `run(executor=...)` is given: one for all tests, as nothing that they do may hinder what comes after."""
    name = request.param
    if name in NAMES:
        yield name
        return
    make: Callable[[], Executor] = {
        "InlineExecutor": InlineExecutor,
        "ThreadExecutor": lambda: ThreadExecutor(2),
        "ProcessPool": lambda: ProcessPool(2),
        "ThreadPoolExecutor": lambda: ThreadPoolExecutor(2),
        "ProcessPoolExecutor": lambda: ProcessPoolExecutor(2, get_context("spawn")),
        "loky": lambda: pytest.importorskip("loky", reason="the extra `test` brings loky").ProcessPoolExecutor(2),
    }[name]
    with make() as made:
        yield made
        assert made.submit(int, "7").result(60) == 7, "a given executor is never shut down"


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("contract", log_dir=log_dir)


def run(flow: Flow, executor: Any, **more: Any) -> flowdsl.Run:
    """A run whose journal says nothing that may not be."""
    done = flow.run(executor=executor, display=None, raise_on_failure=False, **more)
    check_batches(read_journal(done.dir).batches, max_workers=more.get("max_workers", 5), limits=dict(flow.limits))
    return done


def counted(path: Path) -> int:
    """One more line in the file; how many there are now. Works in any process."""
    with path.open("a") as file:
        file.write("x\n")
    return len(path.read_text().splitlines())


def test_results_flow_along_the_edges(flow: Flow, executor: Any) -> None:
    @flow.task
    def numbers(count: int) -> List[int]:
        return list(range(count))

    @flow.task
    def total(numbers: List[int]) -> int:
        return sum(numbers)

    @flow.task(depends_on={"first": numbers[0], "last": numbers[-1]})
    def ends(first: int, last: int) -> List[int]:
        return [first, last]

    done = run(flow, executor, count=5)
    assert done.state == "succeeded"
    assert (done["numbers"], done["total"], done["ends"]) == ([0, 1, 2, 3, 4], 10, [0, 4])


def test_arguments_go_where_the_signature_wants_them(flow: Flow, executor: Any) -> None:
    @flow.task
    def one() -> int:
        return 1

    @flow.task
    def two() -> int:
        return 2

    @flow.task(depends_on=[one, two])
    def many(*args: int, scale: int = 10) -> List[int]:
        return [scale * value for value in args]

    @flow.task(depends_on=[two, one])
    def named(**kwargs: int) -> Any:
        return sorted(kwargs.items())

    @flow.task
    def placed(one: int, /, two: int = 0) -> int:
        return 10 * one + two

    done = run(flow, executor)
    assert done["many"] == [10, 20]
    assert done["named"] == [("one", 1), ("two", 2)]
    assert done["placed"] == 10


def test_a_task_that_raises_fails_its_descendants_and_nobody_else(flow: Flow, executor: Any) -> None:
    @flow.task(retries=2)
    def bad() -> None:
        raise ValueError("no such luck")

    @flow.task
    def after(bad: None) -> None:
        raise AssertionError("must not run")

    @flow.task
    def sibling() -> str:
        return "fine"

    done = run(flow, executor)
    tasks = done.tasks.set_index("task")
    assert done.state == "failed"
    assert done["sibling"] == "fine"
    assert tasks.loc["bad", "state"] == "failed"
    assert tasks.loc["bad", "cause"] == "raised"
    assert (tasks.loc["after", "state"], tasks.loc["after", "cause_task"]) == ("upstream_failed", "bad")
    attempts = done.attempts[done.attempts["task"] == "bad"]
    assert list(attempts["attempt"]) == [1, 2, 3]
    assert set(attempts["error_type"] + attempts["error"]) == {"ValueErrorno such luck"}
    with pytest.raises(TaskResultError, match="failed") as caught:
        done["bad"]
    assert isinstance(caught.value.__cause__, ValueError)


def test_the_traceback_begins_in_the_users_code(flow: Flow, executor: Any) -> None:
    @flow.task
    def bad() -> None:
        raise ValueError("here")

    failure = run(flow, executor).failures[0]
    assert failure.traceback is not None
    frames = [line for line in failure.traceback.splitlines() if line.lstrip().startswith("File ")]
    assert "in bad" in frames[0]


@pytest.mark.parametrize("how", ["exit", "interrupt"])
def test_a_task_that_wants_to_end_the_interpreter_only_fails(flow: Flow, executor: Any, how: str) -> None:
    @flow.task
    def bad() -> None:
        if how == "exit":
            raise SystemExit(3)
        raise KeyboardInterrupt

    @flow.task
    def other() -> int:
        return 1

    done = run(flow, executor)
    assert done.attempts.set_index("task").loc["bad", "error_type"] in ("SystemExit", "KeyboardInterrupt")
    assert done["other"] == 1


def test_two_failures_and_a_success_are_three_attempts(flow: Flow, executor: Any, tmp_path: Path) -> None:
    calls = tmp_path / "calls"

    @flow.task(retries=Retry(2, delay=0.01))
    def flaky() -> int:
        count = counted(calls)
        if count < 3:
            raise OSError("not yet")
        return count

    @flow.task
    def after(flaky: int) -> int:
        return counted(tmp_path / "after")

    done = run(flow, executor)
    assert (done["flaky"], done["after"]) == (3, 1)
    attempts = done.attempts[done.attempts["task"] == "flaky"]
    assert list(attempts["attempt"]) == [1, 2, 3]
    assert list(attempts["state"]) == ["failed", "failed", "succeeded"]
    assert list(attempts["cause"]) == ["raised", "raised", "returned"]


def test_only_what_matches_is_retried(flow: Flow, executor: Any) -> None:
    @flow.task(retries=Retry(3, retry_on=OSError, give_up_on=FileNotFoundError))
    def gone() -> None:
        raise FileNotFoundError("x")

    @flow.task(retries=Retry(3, retry_on=OSError))
    def other() -> None:
        raise ValueError("x")

    tasks = run(flow, executor).tasks.set_index("task")
    assert list(tasks["attempts"]) == [1, 1]


def test_verify_runs_inside_the_attempt(flow: Flow, executor: Any, tmp_path: Path) -> None:
    calls = tmp_path / "calls"

    @flow.task(retries=1, verify=lambda result: result > 1)
    def grows() -> int:
        return counted(calls)

    @flow.task(verify=lambda result: None)
    def unsaid() -> int:
        return 0

    @flow.task(verify=lambda result: result == 1)
    def wrong() -> int:
        return 2

    done = run(flow, executor)
    assert (done["grows"], done["unsaid"]) == (2, 0)
    tasks = done.tasks.set_index("task")
    assert (tasks.loc["wrong", "state"], tasks.loc["wrong", "cause"]) == ("failed", "verify_failed")
    assert list(done.attempts[done.attempts["task"] == "grows"]["cause"]) == ["verify_failed", "returned"]


def test_a_skip_skips_the_descendants(flow: Flow, executor: Any) -> None:
    @flow.task
    def nothing() -> None:
        raise Skip("no new files")

    @flow.task
    def after(nothing: None) -> None:
        raise AssertionError("must not run")

    @flow.task(run_when="all_done")
    def summary(after: Any) -> Any:
        return (bool(after), after.task, after.state)

    done = run(flow, executor)
    assert done.state == "succeeded"
    tasks = done.tasks.set_index("task")
    assert list(tasks["state"]) == ["skipped", "skipped", "succeeded"]
    assert tasks.loc["after", "cause_task"] == "nothing"
    assert done.snapshot().tasks["nothing"].message == "no new files"
    assert done["summary"] == (False, "after", "skipped")


def test_a_handler_of_failures_gets_missing_values(flow: Flow, executor: Any) -> None:
    @flow.task
    def bad() -> None:
        raise ValueError("why")

    @flow.task(run_when="any_failed")
    def alarm(bad: Any) -> Any:
        return (bool(bad), bad.task, bad.state, bad.error)

    @flow.task
    def good() -> int:
        return 1

    @flow.task(run_when="any_failed")
    def quiet(good: int) -> None:
        raise AssertionError("must not run")

    done = run(flow, executor)
    assert done["alarm"] == (False, "bad", "failed", "why")
    assert done.tasks.set_index("task").loc["quiet", "cause"] == "no_failure"


def test_an_item_that_a_result_does_not_have_fails_the_task_that_wants_it(flow: Flow, executor: Any) -> None:
    @flow.task
    def split() -> Any:
        return {"train": 1}

    @flow.task(depends_on={"part": split["test"]})
    def fit(part: int) -> int:
        return part

    done = run(flow, executor)
    assert done.attempts.set_index("task").loc["fit", "error_type"] == "KeyError"


def test_never_more_attempts_than_max_workers(flow: Flow, executor: Any, tmp_path: Path) -> None:
    def work(number: int) -> int:
        time.sleep(0.02)
        return number

    for number in range(8):
        flow.task(name="t%d" % number)(lambda number=number: work(number))

    done = run(flow, executor, max_workers=2)
    attempts = done.attempts
    moments = sorted([(at, 1) for at in attempts["started_at"]] + [(at, -1) for at in attempts["ended_at"]])
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    assert most <= 2
    assert done.state == "succeeded"


def test_a_named_limit_holds(flow: Flow, executor: Any, log_dir: Path) -> None:
    limited = Flow("limited", limits={"db": 1}, log_dir=log_dir)
    for number in range(4):
        limited.task(name="t%d" % number, uses="db")(lambda: time.sleep(0.02))
    attempts = run(limited, executor, max_workers=4).attempts.sort_values("started_at")
    ends = list(attempts["ended_at"])[:-1]
    assert all(start >= end for start, end in zip(list(attempts["started_at"])[1:], ends))


def test_a_run_that_fails_raises_one_error_that_names_the_tasks(flow: Flow, executor: Any) -> None:
    @flow.task
    def bad() -> None:
        raise ValueError("why")

    with pytest.raises(RunFailed, match=r"task 'bad' failed \(raised\): ValueError: why") as caught:
        flow.run(executor=executor, display=None)
    assert caught.value.run.state == "failed"
    assert [failure.task for failure in caught.value.failures] == ["bad"]
    assert flowdsl.last_run() is caught.value.run


def test_cancel_ends_the_run_and_starts_nothing_new(flow: Flow, executor: Any) -> None:
    if executor == "inline":
        pytest.skip("an inline run is over before anybody could cancel it")
    for number in range(20):
        flow.task(name="t%d" % number)(lambda: time.sleep(0.05))
    going = flow.start(executor=executor, display=None, max_workers=2)
    while not going.snapshot().attempts:
        time.sleep(0.01)
    going.cancel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", flowdsl.AbandonedWarning)  # what the executor does not stop
        assert going.wait(30)
    states = set(going.tasks["state"])
    assert going.state == "cancelled"
    assert "cancelled" in states
    assert states <= {"cancelled", "succeeded"}
    assert len(going.attempts) < 20
    check_batches(read_journal(going.dir).batches, max_workers=2)


def test_a_thousand_tasks_in_a_row_do_not_pile_up(flow: Flow, executor: Any) -> None:
    if not isinstance(executor, (str, InlineExecutor, ThreadExecutor, ProcessPool, ThreadPoolExecutor)):
        pytest.skip("a pool of processes has stacks of its own")
    flow.task(name="t0")(lambda: 0)
    for number in range(1, 1000):
        flow.task(name="t%d" % number, depends_on={"x": "t%d" % (number - 1)})(lambda x: x + 1)
    assert run(flow, executor)["t999"] == 999


def test_the_pid_and_worker_of_an_attempt_are_in_the_frame(flow: Flow, executor: Any) -> None:
    flow.task(name="pid")(os.getpid)
    done = run(flow, executor)
    attempt = done.attempts.iloc[0]
    assert attempt["pid"] == done["pid"]
    assert attempt["worker"]
    assert attempt["cpu_s"] >= 0


def test_current_tells_which_attempt_runs(flow: Flow, executor: Any) -> None:
    @flow.task
    def who() -> Any:
        here = flowdsl.current()
        here.check()
        return (here.task, here.attempt)

    assert run(flow, executor)["who"] == ("who", 1)


# ---- `submit`, the contract of concurrent.futures


@pytest.fixture(params=[InlineExecutor, lambda: ThreadExecutor(2), lambda: ProcessPool(2)])
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with request.param() as made:
        yield made


def test_submit_returns_a_future_of_the_result(pool: Executor) -> None:
    assert pool.submit(pow, 2, 5).result(10) == 32
    assert list(pool.map(abs, [-1, -2, -3])) == [1, 2, 3]


def test_an_exception_reaches_the_future(pool: Executor) -> None:
    future: Future[Any] = pool.submit(int, "seven")
    with pytest.raises(ValueError, match="seven"):
        future.result(10)
    assert pool.submit(int, "7").result(10) == 7


def test_no_work_is_taken_after_the_shutdown_of_a_thread_pool() -> None:
    pool = ThreadExecutor(1)
    assert pool.submit(threading.get_ident).result(10) != threading.get_ident()
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(int)


def test_what_an_attempt_says_is_its_own(flow: Flow, executor: Any) -> None:
    @flow.task(retries=1)
    def talks() -> None:
        print("attempt", flowdsl.current().attempt)
        sys.stderr.write("é\n")
        logging.getLogger("users").error("a record")
        for _ in flowdsl.track(range(50), "steps"):
            pass
        if flowdsl.current().attempt == 1:
            raise ValueError

    @flow.task
    async def waits(talks: None) -> None:
        print("no end", end="")
        flowdsl.progress(0.5)

    @flow.task
    def silent(waits: None) -> None:
        pass

    done = run(flow, executor)
    assert done.state == "succeeded"
    for attempt in (1, 2):
        lines = done.output("talks", attempt=attempt).splitlines()
        assert lines[:2] == ["attempt %d" % attempt, "é"]
        assert len(lines) == 3
        assert "a record" in lines[2]
    assert (done.output("waits"), done.output("silent")) == ("no end", "")
    rows = done.snapshot().tasks
    assert (rows["talks"].progress, rows["talks"].message, rows["waits"].progress) == (1.0, "steps", 0.5)
    sizes = [done.output("talks", attempt=attempt).encode() for attempt in (1, 2)]
    assert [row.output_bytes for row in done.snapshot().attempts] == [*map(len, sizes), len("no end"), None]


def test_what_an_attempt_floods_is_cut_off(flow: Flow, executor: Any) -> None:
    @flow.task
    def floods() -> None:
        for _ in range(120):
            print("y" * 99_999)

    done = run(flow, executor)
    assert done.output("floods").endswith("\n[flowdsl: the output is cut off here, after 10000000 bytes]\n")
    assert done.attempts["output_bytes"].tolist() == [12_000_000]
