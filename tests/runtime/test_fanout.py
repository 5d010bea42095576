"""Fan-out at run time: what the items get, what they leave in the list, and what one failed item means."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator, List

import pandas as pd
import pytest

import flowdsl
from flowdsl import Flow, MapError, Missing, ResultReleased, Retry, RunFailed, Skip, TaskResultError
from flowdsl.engine.check import check_batches
from flowdsl.executors import processes
from flowdsl.storage.reading import read_journal

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("fan", log_dir=log_dir)


@pytest.fixture(params=["threads", "inline", "processes", "instance"])
def executor(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "processes" and os.name != "posix":
        pytest.skip("worker processes need Linux or macOS")
    if request.param == "instance":
        with ThreadPoolExecutor(3) as pool:
            yield pool
    else:
        yield request.param
    if request.param == "processes":
        processes.close_shared()


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    found = flow.run(display=None, raise_on_failure=False, **more)
    check_batches(read_journal(found.dir).batches)
    return found


def squares(flow: Flow) -> Flow:
    @flow.task
    def numbers(n: int = 4) -> List[int]:
        return list(range(n))

    @flow.task(map="numbers")
    def square(numbers: int) -> int:
        return numbers * numbers

    @flow.task(map="square")
    def plus(square: int, offset: int = 1) -> int:
        return square + offset

    @flow.task
    def total(plus: List[int]) -> int:
        return sum(plus)

    return flow


def test_a_list_of_a_size_known_only_now_is_mapped_and_gathered_in_order(flow: Flow, executor: Any) -> None:
    found = run(squares(flow), executor=executor, n=5, offset=2)
    assert found["plus"] == [2, 3, 6, 11, 18]
    assert found["total"] == 40
    assert found["square[3]"] == 9


def test_an_empty_list_makes_an_empty_list(flow: Flow, executor: Any) -> None:
    found = run(squares(flow), executor=executor, n=0)
    assert (found["square"], found["plus"], found["total"]) == ([], [], 0)


def test_a_chain_of_maps_has_no_barrier(flow: Flow) -> None:
    done = threading.Event()

    @flow.task(map="x")
    def first(x: int) -> int:
        if x == 1:
            assert done.wait(30), "the other item of the next map could have run"
        return x

    @flow.task(map="first")
    def second(first: int) -> int:
        if first == 0:
            done.set()
        return first

    found = run(flow, x=[0, 1])
    assert found["second"] == [0, 1]


def test_several_parameters_go_in_step(flow: Flow) -> None:
    @flow.task
    def names() -> List[str]:
        return ["a", "b"]

    @flow.task(map=["names", "times"])
    def repeat(names: str, times: int, mark: str = "!") -> str:
        return names * times + mark

    assert run(flow, times=[1, 2])["repeat"] == ["a!", "bb!"]


def test_a_dict_is_mapped_by_its_items(flow: Flow) -> None:
    flow.task(map="x", name="each")(lambda x: x)
    assert run(flow, x={"a": 1, "b": 2})["each"] == [("a", 1), ("b", 2)]


class Lying(List[int]):
    def __len__(self) -> int:
        return 3


class Raising(List[int]):
    def __len__(self) -> int:
        raise ZeroDivisionError("no length today")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", "str, whose characters are no items; put it into a list"),
        (b"bytes", "bytes, whose characters are no items"),
        (7, "a int, which has no length; give a list"),
        ((n for n in range(3)), "a generator, which has no length; return a list"),
        (Lying([1]), "whose length is 3 and that yields 1 items"),
        (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), "DataFrame, which yields the names of its columns; give its rows"),
        (pd.DataFrame({"a": [1, 2]}), "DataFrame, which yields the names of its columns; give its rows"),
    ],
)
def test_what_is_no_sized_iterable_fails_the_task_and_says_what_to_do(flow: Flow, value: Any, message: str) -> None:
    flow.task(map="x", name="each")(lambda x: x)
    flow.task(name="after")(lambda each: each)
    found = run(flow, x=value)
    (failure,) = found.failures
    assert (failure.task, failure.cause) == ("each", "map_failed")
    assert message in str(failure.error)
    assert isinstance(failure.exception, MapError)
    assert found.tasks.set_index("task").loc["after", "cause_task"] == "each"


def test_a_length_that_raises_is_the_tasks_failure(flow: Flow) -> None:
    flow.task(map="x", name="each")(lambda x: x)
    (failure,) = run(flow, x=Raising([1])).failures
    assert isinstance(failure.exception, ZeroDivisionError)


def test_lists_of_different_lengths_are_refused(flow: Flow) -> None:
    flow.task(map=["x", "y"], name="each")(lambda x, y: x)
    (failure,) = run(flow, x=[1, 2], y=[1]).failures
    assert "different lengths: 'x' has 2, 'y' has 1" in str(failure.error)


def test_a_failed_item_leaves_its_siblings_alone_and_fails_what_takes_the_list(flow: Flow, executor: Any) -> None:
    @flow.task(map="x")
    def each(x: int) -> int:
        return 10 // x

    @flow.task(map="each")
    def onward(each: int) -> int:
        return each + 1

    @flow.task
    def total(each: List[int]) -> int:
        return sum(each)

    found = run(flow, x=[1, 0, 5], executor=executor)
    states = found.tasks.set_index("task")["state"].astype(str).to_dict()
    assert states == {
        "each": "failed",
        "each[0]": "succeeded",
        "each[1]": "failed",
        "each[2]": "succeeded",
        "onward": "upstream_failed",
        "onward[0]": "succeeded",
        "onward[1]": "upstream_failed",
        "onward[2]": "succeeded",
        "total": "upstream_failed",
    }
    assert set(found.tasks.set_index("task")["cause_task"].dropna()) == {"each[1]"}
    assert [one.task for one in found.failures] == ["each[1]"]
    assert found["each[2]"] == 2
    with pytest.raises(TaskResultError, match=r"because of task 'each\[1\]'; the items that succeeded") as caught:
        found["each"]
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_run_raises_for_a_failed_item_and_names_it(flow: Flow) -> None:
    flow.task(map="x", name="each")(lambda x: 1 // x)
    with pytest.raises(RunFailed, match=r"task 'each\[1\]' failed \(raised\): ZeroDivisionError"):
        flow.run(x=[1, 0], display=None)


def test_each_item_is_retried_on_its_own(flow: Flow, executor: Any, tmp_path: Path) -> None:
    @flow.task(map="x", retries=Retry(2))
    def each(x: int) -> int:
        mark = tmp_path / str(x)
        if not mark.exists():
            mark.touch()
            raise OSError("the first time")
        return x

    found = run(flow, x=[1, 2, 3], executor=executor)
    assert found["each"] == [1, 2, 3]
    assert found.attempts.groupby("map_index")["attempt"].max().to_dict() == {0: 2, 1: 2, 2: 2}


def test_a_skipped_item_keeps_its_place_as_missing(flow: Flow) -> None:
    @flow.task(map="x")
    def each(x: int) -> int:
        if x == 1:
            raise Skip("odd")
        return x

    @flow.task
    def kept(each: List[Any]) -> List[Any]:
        return [x for x in each if x is not None and not isinstance(x, Missing)]

    found = run(flow, x=[0, 1, 2])
    assert found["kept"] == [0, 2]
    assert found["each"][1] == Missing("each[1]", "skipped", "odd")
    assert found.state == "succeeded"


def test_a_task_that_runs_all_the_same_gets_the_list_with_gaps(flow: Flow) -> None:
    @flow.task(map="x")
    def each(x: int) -> float:
        return 1 / x

    @flow.task(run_when="all_done")
    def count(each: List[Any]) -> int:
        return sum(1 for x in each if isinstance(x, Missing) and x.state == "failed")

    assert run(flow, x=[0, 1, 0])["count"] == 2


def test_an_item_that_runs_all_the_same_gets_what_is_missing(flow: Flow) -> None:
    @flow.task(map="x")
    def each(x: int) -> float:
        return 1 / x

    @flow.task(map="each", run_when="all_done")
    def mended(each: Any) -> Any:
        return 0.0 if isinstance(each, Missing) else each

    assert run(flow, x=[0, 1])["mended"] == [0.0, 1.0]


def test_one_item_that_outlives_its_limit_is_timed_out_alone(flow: Flow) -> None:
    @flow.task(map="x", timeout=0.3)
    def each(x: int) -> int:
        if x == 1:
            flowdsl.current().sleep(30)
        return x

    states = run(flow, x=[0, 1, 2]).tasks.set_index("task")["state"].astype(str).to_dict()
    assert states == {"each": "failed", "each[0]": "succeeded", "each[1]": "timed_out", "each[2]": "succeeded"}


def test_on_failure_stop_ends_the_items_that_have_not_begun(flow: Flow) -> None:
    flow.task(map="x", name="each")(lambda x: 1 // x)
    found = run(flow, x=[1, 0, 1, 1], max_workers=1, on_failure="stop")
    states = found.tasks.set_index("task")["state"].astype(str).to_dict()
    assert states == {
        "each": "failed", "each[0]": "succeeded", "each[1]": "failed", "each[2]": "cancelled", "each[3]": "cancelled",
    }  # fmt: skip


def test_a_cancel_ends_a_map(flow: Flow) -> None:
    started = threading.Event()

    @flow.task(map="x")
    def each(x: int) -> None:
        started.set()
        flowdsl.current().sleep(30)

    found = flow.start(x=list(range(100)), display=None)
    assert started.wait(30)
    found.cancel()
    assert found.wait(30)
    assert set(found.tasks["state"].astype(str)) == {"cancelled"}
    check_batches(read_journal(found.dir).batches)


def test_a_map_after_a_map_with_a_task_between_maps_again(flow: Flow) -> None:
    @flow.task(map="x")
    def rows(x: int) -> List[int]:
        return list(range(x))

    @flow.task
    def flat(rows: List[List[int]]) -> List[int]:
        return [cell for row in rows for cell in row]

    @flow.task(map="flat")
    def cell(flat: int) -> int:
        return flat * 10

    assert run(flow, x=[1, 2, 3])["cell"] == [0, 0, 10, 0, 10, 20]


def test_items_are_let_go_with_their_list(flow: Flow) -> None:
    found = run(squares(flow), keep="targets", targets=["total"])
    assert found["total"] == 18
    for name in ("square", "square[1]"):
        with pytest.raises(ResultReleased, match="let go"):
            found[name]


@pytest.mark.parametrize("name", ["square[9]", "square[x]", "total[0]", "sqare"])
def test_an_item_that_is_not_there_is_a_key_error(flow: Flow, name: str) -> None:
    found = run(squares(flow))
    assert name not in found
    with pytest.raises(KeyError, match="has no task"):
        found[name]


def test_the_frames_have_a_row_for_the_task_and_one_for_each_item(flow: Flow) -> None:
    found = run(squares(flow), n=2)
    frame = found.tasks[found.tasks["task"].str.startswith("square")].set_index("task")
    assert frame["map_index"].isna().to_dict() == {"square": True, "square[0]": False, "square[1]": False}
    assert frame["map_index"].dropna().to_dict() == {"square[0]": 0, "square[1]": 1}
    assert frame["attempts"].tolist() == [0, 1, 1]
    assert frame.loc["square", "ended_at"] >= frame.loc["square[1]", "ended_at"]
    (past,) = flowdsl.load_runs(found.dir.parent)
    assert past.tasks.equals(found.tasks)


def test_a_kind_of_executor_may_differ_from_map_to_map(flow: Flow) -> None:
    @flow.task(map="x", isolation="process")
    def far(x: int) -> int:
        return os.getpid()

    @flow.task(map="far")
    async def near(far: int) -> bool:
        return far != os.getpid()

    found = run(flow, x=[1, 2, 3])
    processes.close_shared()
    assert found["near"] == [True, True, True]


@pytest.mark.once
def test_ten_thousand_items_are_run_and_kept_in_order(flow: Flow) -> None:
    found = run(squares(flow), n=10_000)
    assert found["plus"] == [n * n + 1 for n in range(10_000)]
    assert found.snapshot().tasks["square"].size == 10_000


def test_small_items_go_to_worker_processes_in_batches_and_are_still_attempts_of_their_own(flow: Flow) -> None:
    @flow.task(map="x", isolation="process", retries=1)
    def each(x: int) -> int:
        if x == 77 and flowdsl.current().attempt == 1:
            os._exit(3)
        if x % 50 == 49:
            raise ValueError(x)
        return x

    found = run(flow, x=list(range(300)), max_workers=2)
    processes.close_shared()
    attempts = found.attempts.set_index(["task", "attempt"])
    assert attempts.loc[("each[77]", 1), "cause"] == "worker_died"
    assert attempts.loc[("each[77]", 2), "state"] == "succeeded"
    failed = {f"each[{n}]" for n in range(49, 300, 50)}
    assert {one.task for one in found.failures} == failed
    twice = set(found.attempts.loc[found.attempts["attempt"] == 2, "task"])
    assert twice == failed | {"each[77]"}, "those behind one that dies are free of charge"
    together = [event for event in read_journal(found.dir).batches if len(event.events) > 10]
    assert together, "what happens in a batch is told together"


@pytest.mark.slow
def test_a_member_of_a_batch_that_outlives_its_limit_is_killed_alone(flow: Flow) -> None:
    @flow.task(map="x", isolation="process", timeout=1.0)
    def each(x: int) -> int:
        if x == 60:
            import time

            time.sleep(60)
        return x

    found = run(flow, x=list(range(120)), max_workers=2)
    processes.close_shared()
    states = found.tasks.dropna(subset=["map_index"]).set_index("task")["state"].astype(str)
    assert states[states != "succeeded"].to_dict() == {"each[60]": "timed_out"}
    assert set(found.attempts["attempt"]) == {1}
