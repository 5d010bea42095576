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

from flowdsl.executors import batch, reception
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
def batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Batches]:
    """None takes so long that those behind it are given to others, but where a test says so."""
    monkeypatch.setattr(reception, "LONG", 60.0)
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


def wait_for(gate: Path) -> None:
    while not gate.exists():
        time.sleep(0.005)


def test_a_stop_of_one_that_has_not_begun_takes_it_out_and_gives_the_others_back(
    batches: Batches, tmp_path: Path
) -> None:
    gate, ran = tmp_path / "gate", tmp_path / "ran"
    names = batches.launch([lambda number: wait_for(gate), squared, lambda number: ran.touch(), pid])
    batches.wait_for("begun", "t0")
    batches.backend.stop("t2", 1)
    batches.wait_for("ended", "t2")
    assert [batches.ear.of(name) for name in names] == [["begun"], ["returned"], ["ended"], ["returned"]]
    assert (batches.ear.mechanisms["t2"], batches.ear.outcomes["t2"].state) == ("withdrawn", "cancelled")
    gate.touch()
    assert batches.ear.has_answers(names)
    assert batches.ear.outcomes["t0"].state == "succeeded"
    assert not ran.exists()


def test_those_behind_one_that_takes_long_are_given_back_at_once_and_are_not_begun(
    batches: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "LONG", 0.1)
    gate, ran = tmp_path / "gate", tmp_path / "ran"
    names = batches.launch([lambda number: wait_for(gate), lambda number: ran.touch(), squared])
    batches.wait_for("returned", "t2")
    assert [batches.ear.of(name) for name in names] == [["begun"], ["returned"], ["returned"]]
    gate.touch()
    assert batches.ear.has_answers(names)
    assert not ran.exists()
    batches.ear.heard.clear()
    monkeypatch.setattr(reception, "LONG", 60.0)
    assert batches.ear.has_answers(batches.launch([squared] * 3)), "the worker takes what comes next"
    assert batches.ear.value("t2") == 4


def test_of_jobs_taken_back_at_any_moment_each_runs_once_or_not_at_all(
    batches: Batches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "LONG", 0.0)  # again and again, whatever the worker is at

    def note(number: int) -> None:
        with (tmp_path / ("ran%d" % number)).open("a") as file:
            file.write("x")

    given_back = 0
    for _ in range(10):
        for path in tmp_path.iterdir():
            path.unlink()
        batches.ear.heard.clear()
        names = batches.launch([note] * 300)
        assert batches.ear.has_answers(names)
        for number, name in enumerate(names):
            path = tmp_path / ("ran%d" % number)
            ran = path.read_text() if path.exists() else ""
            assert (batches.ear.of(name), ran) in ((["begun", "ended"], "x"), (["returned"], ""))
            given_back += not ran
    assert given_back


def test_those_that_are_too_many_for_one_batch_are_given_back(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST", 3)
    names = batches.launch([squared] * 5)
    assert batches.ear.has_answers(names)
    assert [batches.ear.of(name)[-1] for name in names] == ["ended"] * 3 + ["returned"] * 2


def test_a_cancel_of_all_kills_one_and_withdraws_the_others(batches: Batches) -> None:
    names = batches.launch([sleep_long] * 30)
    batches.wait_for("begun", "t0")
    for name in reversed(names):
        batches.backend.stop(name, 1)
    assert batches.ear.has_answers(names)
    assert batches.ear.mechanisms["t0"] == "killed"
    assert batches.ear.mechanisms["t29"] == "withdrawn"
    answers = {(batches.ear.of(name)[-1], batches.ear.mechanisms.get(name)) for name in names[1:]}
    assert answers <= {("ended", "withdrawn"), ("returned", None)}


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
