"""Several attempts on one worker: each is told of by itself, and a fault costs at most the one that has begun."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from flowdsl.executors.base import Member
from flowdsl.executors.outcome import Call
from flowdsl.executors.processes import ProcessPool
from tests.executors.ear import Ear
from tests.executors.left import Before, alive, wait_until

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only"),
    pytest.mark.slow,
]


class Batches:
    """A backend with a listener; `launch` sends tasks named t0, t1, ... that call the function with their number."""

    def __init__(self, pool: ProcessPool) -> None:
        self.ear = Ear()
        self.backend = pool.flowdsl_backend(self.ear, 2)

    def launch(self, functions: List[Callable[[int], Any]]) -> List[str]:
        names = ["t%d" % number for number in range(len(functions))]
        members = [Member(names[at], 1, Call(function, (at,), {})) for at, function in enumerate(functions)]
        self.backend.launch_batch(members)
        return names

    def wait_for(self, what: str, task: str) -> None:
        assert wait_until(lambda: what in self.ear.of(task), 20), "%s %s" % (what, task)


@pytest.fixture
def batches() -> Iterator[Batches]:
    before = Before()
    pool = ProcessPool(2)
    made = Batches(pool)
    yield made
    made.backend.close()
    pool.kill()
    assert before.left() == []


def pid(number: int) -> int:
    return os.getpid()


def sleep_long(number: int) -> None:
    time.sleep(77)


def squared(number: int) -> int:
    return number * number


def fail(number: int) -> None:
    raise ValueError("number %d" % number)


def die(number: int) -> None:
    os._exit(3)


def test_members_run_one_after_the_other_in_one_worker(batches: Batches) -> None:
    names = batches.launch([pid] * 50)
    assert batches.ear.has_answers(names)
    assert len({batches.ear.value(name) for name in names}) == 1
    assert batches.ear.heard == [(what, name, 1) for name in names for what in ("begun", "ended")]
    assert batches.ear.details["t7"] == batches.ear.details["t9"]
    assert max(batches.ear.turns) > 2, "short ones are told of in one turn"


def test_each_has_its_own_outcome_also_when_it_fails(batches: Batches) -> None:
    names = batches.launch([squared, fail, lambda number: threading.Lock(), squared])
    assert batches.ear.has_answers(names)
    assert [batches.ear.outcomes[name].state for name in names] == ["succeeded", "failed", "failed", "succeeded"]
    assert (batches.ear.value("t0"), batches.ear.value("t3")) == (0, 9)
    assert [batches.ear.outcomes[name].cause for name in names[1:3]] == ["raised", "unpicklable"]
    assert batches.ear.error("t1") == "number 1"


def test_what_cannot_be_sent_or_opened_costs_one_member(batches: Batches) -> None:
    class OpensBadly:
        def __reduce__(self) -> Any:
            return (int, ("not a number",))

    lock, bad = threading.Lock(), OpensBadly()
    names = batches.launch([squared, lambda number: lock, lambda number, bad=bad: bad, squared])
    assert batches.ear.has_answers(names)
    assert [batches.ear.outcomes[name].cause for name in names] == [
        "returned",
        "unpicklable",
        "unpicklable",
        "returned",
    ]
    assert "its function" in (batches.ear.error("t1") or "")


def test_a_death_is_charged_to_the_one_that_had_begun_and_the_rest_goes_back(batches: Batches) -> None:
    names = batches.launch([squared, die, squared, squared])
    assert batches.ear.has_answers(names)
    assert [batches.ear.of(name) for name in names] == [["begun", "ended"]] * 2 + [["returned"]] * 2
    assert batches.ear.value("t0") == 0
    assert (batches.ear.outcomes["t1"].cause, batches.ear.outcomes["t1"].retryable) == ("worker_died", True)
    assert "exit code 3" in (batches.ear.error("t1") or "")


def test_a_worker_that_dies_before_the_first_begins_is_no_ones_fault(batches: Batches) -> None:
    batches.launch([pid])
    assert batches.ear.has_answers(["t0"])
    worker = batches.ear.value("t0")
    os.kill(worker, signal.SIGSTOP)
    batches.ear.heard.clear()
    names = batches.launch([squared] * 3)
    os.kill(worker, signal.SIGKILL)
    assert batches.ear.has_answers(names)
    assert [batches.ear.of(name) for name in names] == [["lost"], ["returned"], ["returned"]]


def test_a_stop_kills_the_one_that_has_begun_and_gives_the_rest_back(batches: Batches) -> None:
    names = batches.launch([pid, sleep_long, squared])
    batches.wait_for("begun", "t1")
    begin = time.monotonic()
    batches.backend.stop("t1", 1)
    assert batches.ear.has_answers(names)
    assert time.monotonic() - begin < 2
    assert not alive(batches.ear.value("t0"))
    assert batches.ear.mechanisms["t1"] == "killed"
    assert batches.ear.outcomes["t1"].state == "cancelled"
    assert batches.ear.of("t2") == ["returned"]


def test_a_stop_of_one_that_has_not_begun_takes_it_out(batches: Batches, tmp_path: Path) -> None:
    gate, ran = tmp_path / "gate", tmp_path / "ran"

    def wait(number: int) -> None:
        while not gate.exists():
            time.sleep(0.005)

    names = batches.launch([wait, squared, lambda number: ran.touch(), pid])
    batches.wait_for("begun", "t0")
    batches.backend.stop("t2", 1)
    gate.touch()
    assert batches.ear.has_answers(names)
    assert not ran.exists()
    assert batches.ear.of("t2") == ["ended"]
    assert (batches.ear.mechanisms["t2"], batches.ear.outcomes["t2"].state) == ("withdrawn", "cancelled")
    assert [batches.ear.outcomes[name].state for name in ("t0", "t1", "t3")] == ["succeeded"] * 3


def test_a_cancel_of_all_kills_one_and_withdraws_the_others(batches: Batches) -> None:
    names = batches.launch([sleep_long] * 30)
    batches.wait_for("begun", "t0")
    for name in reversed(names):
        batches.backend.stop(name, 1)
    assert batches.ear.has_answers(names)
    assert [batches.ear.mechanisms[name] for name in names] == ["killed"] + ["withdrawn"] * 29


def test_a_stop_before_the_launch_holds(batches: Batches) -> None:
    for name in ("t0", "t1"):
        batches.backend.stop(name, 1)
    assert batches.ear.has_answers(batches.launch([sleep_long, sleep_long]), 10)
    assert set(batches.ear.mechanisms.values()) == {"withdrawn"}


def test_stops_at_any_moment_are_answered_once_and_nothing_runs_twice(batches: Batches, tmp_path: Path) -> None:
    def note(number: int) -> None:
        with (tmp_path / ("ran%d" % number)).open("a") as file:
            file.write("x")
        time.sleep(0.0005)

    names = batches.launch([note] * 200)
    batches.wait_for("begun", "t0")
    for name in names[::3]:
        batches.backend.stop(name, 1)
    assert batches.ear.has_answers(names)
    for number, name in enumerate(names):
        began = "begun" in batches.ear.of(name)
        assert (tmp_path / ("ran%d" % number)).exists() <= began, "what is given back has not run a line"


def test_a_large_result_in_a_batch_arrives_and_the_rest_follows(batches: Batches) -> None:
    names = batches.launch([squared, lambda number: b"x" * 5_000_000, squared] * 3)
    assert batches.ear.has_answers(names)
    assert [len(batches.ear.value("t%d" % at)) for at in (1, 4, 7)] == [5_000_000] * 3
    assert batches.ear.value("t8") == 64


def test_what_a_member_leaves_behind_ends_with_it_and_the_rest_goes_back(batches: Batches) -> None:
    names = batches.launch([squared, lambda number: subprocess.Popen(["sleep", "77"]).pid, squared])
    assert batches.ear.has_answers(names)
    assert not alive(batches.ear.value("t1"))
    assert batches.ear.of("t2") == ["returned"]


def test_the_functions_of_a_batch_are_as_they_are_now_in_the_next_one(batches: Batches) -> None:
    factor = [2]

    def times(number: int) -> int:
        return number * factor[0]

    assert batches.ear.has_answers(batches.launch([times] * 3))
    assert batches.ear.value("t2") == 4
    factor[0] = 5
    batches.ear.heard.clear()
    assert batches.ear.has_answers(batches.launch([times] * 3))
    assert batches.ear.value("t2") == 10
