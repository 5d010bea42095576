"""Tiny attempts that one worker goes through without a turn between them: no one waits behind a slow one for long."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

import flowdsl
from flowdsl import Flow
from flowdsl.engine import events as ev
from flowdsl.engine.check import check_batches
from flowdsl.executors.current import Current
from flowdsl.executors.outcome import Outcome
from flowdsl.runtime import workers
from flowdsl.runtime.crew import Crew
from flowdsl.runtime.stint import Series
from flowdsl.runtime.teller import STOPPED, Teller
from flowdsl.storage.journal import read_journal

pytestmark = pytest.mark.usefixtures("no_leaks")
DONE = Outcome("succeeded", "returned")
QUICK = 300  # tasks that take no time, before and behind what a test is about: then they go out together


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("series", log_dir=log_dir)


@pytest.fixture
def series(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """How many attempts each series of a run began with."""
    found: List[int] = []

    class Counted(Series):
        def __init__(self, members: Any, detail: Any) -> None:
            found.append(len(members))
            super().__init__(members, detail)

    monkeypatch.setattr(workers, "Series", Counted)
    return found


def quick(flow: Flow, first: str, work: Callable[[], Any] = lambda: None) -> None:
    for number in range(QUICK):
        flow.task("%s%03d" % (first, number))(work)


def judged(run: Any, max_workers: int = 5) -> Any:
    """The run, whose journal keeps every rule."""
    check_batches(read_journal(run.dir).batches, max_workers=max_workers)
    return run


def is_running(run: Any, task: str) -> bool:
    return bool(run.snapshot().tasks[task].state == "running")


def await_true(asked: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not asked():
        assert time.monotonic() < until, "it never was"
        time.sleep(0.01)


# ---- one series


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns after every few lines."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty_threads")
def test_what_is_taken_back_was_never_begun_and_the_rest_is_finished() -> None:
    """The worker reads what may be begun while another thread lowers it, at whatever line either of them is."""
    for _ in range(1_000):
        one = Series([Current("t%d" % number, 1) for number in range(60)], None)
        began: List[int] = []
        held = threading.Event()

        def work(one: Series = one, began: List[int] = began, held: threading.Event = held) -> None:
            for look_again in (held.wait, lambda: None):
                while one.index < one.limit:
                    began.append(one.index)
                    one.outcomes.append(DONE)
                    one.ends.append(0.0)
                    one.index += 1
                look_again()

        worker = threading.Thread(target=work)
        worker.start()
        place = one.hold()
        behind = one.take_behind(place)
        held.set()
        worker.join()
        assert [current.task for current in behind] == ["t%d" % number for number in range(place + 1, 60)]
        assert began == list(range(len(one.members)))


def test_a_stop_between_two_lines_leaves_the_member_in_hand_over() -> None:
    for outcomes, ends in ([], []), ([DONE], []), ([DONE], [2.0]):
        one = Series([Current("a", 1), Current("b", 1)], None)
        one.outcomes, one.ends = list(outcomes), list(ends)
        one.mend(STOPPED, 3.0)
        assert (one.index, one.outcomes) == (1, [outcomes[0] if outcomes else STOPPED])
        assert one.ends == [ends[0] if ends else 3.0]


class Told:
    """Stands for the machine: what it is told, and in which order."""

    def __init__(self) -> None:
        self.latest = 0.0
        self.told: List[str] = []
        self.crew = Crew(2, lambda slot: None)
        core: Any = self
        self.teller = Teller(core, core, self.crew)

    def at(self, moment: float) -> float:
        return moment

    def stage(self, now: float) -> None:
        self.latest = max(self.latest, now)

    def feed(self, message: Any, *_: Any) -> None:
        self.told.append("%s %s" % (type(message).__name__, message.task))

    def within(self, moment: float, now: float) -> float:
        return max(self.latest, min(moment, now))

    def feed_run(self, run: ev.Ran, *_: Any) -> None:
        self.told += ["Ran %s" % task for task, _ in run.attempts]

    def worker_with(self, names: str, *outcomes: Outcome) -> Series:
        """A worker of which so many attempts are over."""
        one = Series([Current(name, 1) for name in names], None)
        one.outcomes, one.ends, one.index = list(outcomes), [1.0] * len(outcomes), len(outcomes)
        self.crew.add().stint = one
        return one


FAILED = Outcome("failed", "raised")


def test_what_waits_behind_a_failure_is_given_back_before_that_is_told() -> None:
    """It may be that nothing is to begin after it; then nothing may look as if it had."""
    machine = Told()
    assert machine.teller.tell(machine.worker_with("abc", FAILED), 2.0)
    assert machine.told == ["Returned b", "Returned c", "Begun a", "Ended a"]


def test_what_others_have_in_hand_and_what_is_over_is_told_before_a_failure() -> None:
    """If that stops the run, they are neither cancelled though they were over, nor taken for not begun."""
    machine = Told()
    machine.worker_with("xyz", DONE)
    assert machine.teller.tell(machine.worker_with("a", FAILED), 2.0)
    assert machine.told == ["Begun a", "Ran x", "Begun y", "Returned z", "Ended a"]


def test_before_a_cancel_all_is_told_that_is_over() -> None:
    """Also of a worker that has nothing left to do and is on its way to its turn."""
    machine = Told()
    machine.worker_with("ab", DONE, DONE)
    machine.teller.recall_all(2.0)
    assert machine.told == ["Ran a", "Ran b"]


def test_what_is_said_to_have_begun_is_not_given_back() -> None:
    """A worker of a run that is held comes back just when the timer thread has told of the next one."""
    machine = Told()
    one = machine.worker_with("abc", DONE)
    machine.teller.recall_all(2.0)
    machine.teller.give_back(one, 2.0)
    assert not machine.teller.tell(one, 2.0), "it is still to be made"
    assert machine.told == ["Ran a", "Begun b", "Returned c"]
    assert [current.task for current in one.members] == ["a", "b"]


# ---- runs


def test_tiny_tasks_go_out_in_series_and_each_keeps_its_own_times(flow: Flow, series: List[int]) -> None:
    quick(flow, "a")
    run = judged(flow.run(display=None))
    assert max(series) > 1
    attempts = run.attempts.sort_values("started_at")
    assert len(attempts) == QUICK
    assert attempts["started_at"].nunique() > QUICK / 2
    assert (attempts["duration_s"] >= 0).all()
    assert set(attempts["worker"].str.slice(0, 7)) == {"thread-"}


def test_nobody_waits_behind_a_slow_one(flow: Flow, series: List[int]) -> None:
    slow, quick_is_over = threading.Event(), threading.Event()
    quick(flow, "a")

    @flow.task
    def long() -> bool:
        slow.set()
        return quick_is_over.wait(20)

    quick(flow, "b")
    run = flow.start(display=None)
    assert slow.wait(20)
    await_true(lambda: is_running(run, "long"))
    await_true(lambda: run.snapshot().counts["succeeded"] == 2 * QUICK)
    quick_is_over.set()
    assert run.wait(20)
    assert judged(run)["long"] is True, "the others ended while it ran"
    assert max(series) > 1


def test_a_cancelled_run_begins_none_of_those_that_wait_behind(flow: Flow) -> None:
    slow = threading.Event()
    ran: List[str] = []
    quick(flow, "a")

    @flow.task
    def long() -> None:
        slow.set()
        flowdsl.current().sleep(60)

    quick(flow, "b", lambda: ran.append(flowdsl.current().task))
    run = flow.start(display=None, max_workers=1)
    assert slow.wait(20)
    run.cancel()
    assert run.wait(20)
    states = judged(run, 1).tasks.set_index("task")["state"]
    assert not ran
    assert states["long"] == "cancelled"
    assert set(states[states.index.str.startswith("b")]) == {"cancelled"}


@pytest.mark.parametrize("last", [400, 405, 411, 416, 422])
def test_a_cancel_in_the_middle_of_a_series_ends_it_there(flow: Flow, series: List[int], last: int) -> None:
    is_there, going = threading.Event(), []
    flow.task("gate")(lambda: is_there.wait(20))

    def enough() -> None:
        going[0].cancel()
        flowdsl.current().sleep(60)

    for number in range(2 * QUICK):
        flow.task("t%03d" % number, depends_on=["gate"])(enough if number == last else lambda: None)
    run = flow.start(display=None, max_workers=1)
    going.append(run)
    is_there.set()
    assert run.wait(20)
    assert set(run.attempts["task"]) == {"gate", *("t%03d" % number for number in range(last + 1))}
    assert max(series) > 1
    judged(run, 1)


@pytest.mark.parametrize("pause", [0.0, 0.05])  # in the second the timer thread looks meanwhile
def test_a_run_that_is_held_in_the_middle_of_a_series_begins_nothing_more(
    flow: Flow, series: List[int], pause: float
) -> None:
    is_there, going, ran = threading.Event(), [], []
    flow.task("gate")(lambda: is_there.wait(20))

    def work(number: int) -> None:
        ran.append(number)
        if number == 410:
            going[0].hold()
            time.sleep(pause)

    for number in range(2 * QUICK):
        flow.task("t%03d" % number, depends_on=["gate"])(lambda number=number: work(number))
    run = flow.start(display=None, max_workers=1)
    going.append(run)
    is_there.set()
    assert not run.wait(0.3)
    assert ran == list(range(411))
    run.release()
    assert run.wait(20)
    assert judged(run, 1).state == "succeeded"
    assert ran == list(range(2 * QUICK))
    assert max(series) > 1


@pytest.mark.parametrize("last", [200, 205, 211, 216, 222])  # wherever in its series that is
def test_nothing_begins_after_a_failure_that_stops_the_run(flow: Flow, series: List[int], last: int) -> None:
    ran: List[int] = []
    for number in range(QUICK):

        def work(number: int = number) -> None:
            ran.append(number)
            if number == last:
                raise ValueError("enough")

        flow.task("t%03d" % number)(work)
    run = flow.start(display=None, max_workers=1, on_failure="stop")
    assert run.wait(20)
    judged(run, 1)
    assert max(series) > 1
    assert ran[-1] == last
    assert set(run.attempts["task"]) == {"t%03d" % number for number in ran}, "the log tells of no others"
    assert run.tasks["state"].value_counts()["succeeded"] == len(ran) - 1


def test_members_fail_are_skipped_and_are_retried_each_for_itself(flow: Flow, series: List[int]) -> None:
    tries: List[int] = []
    quick(flow, "a")

    @flow.task
    def bad() -> None:
        raise ValueError("bad")

    @flow.task
    def absent() -> None:
        raise flowdsl.Skip("not today")

    @flow.task(retries=1)
    def flaky() -> int:
        tries.append(1)
        return 1 // (len(tries) - 1)

    quick(flow, "b")
    run = flow.start(display=None)
    assert run.wait(20)
    tasks = judged(run).tasks.set_index("task")
    states = {name: tasks["state"][name] for name in ("bad", "absent", "flaky", "b299")}
    assert states == {"bad": "failed", "absent": "skipped", "flaky": "succeeded", "b299": "succeeded"}
    assert tasks["attempts"]["flaky"] == 2
    assert run.attempts.set_index("task")["error_type"]["bad"] == "ValueError"
    assert max(series) > 1


def test_what_members_print_and_say_is_kept_with_each_of_them(flow: Flow, series: List[int]) -> None:
    for number in range(QUICK):

        def work(number: int = number) -> None:
            if number % 50 == 40:
                print("this is %d" % number)
                flowdsl.progress(0.5, "half of %d" % number)

        flow.task("t%03d" % number)(work)
    run = judged(flow.run(display=None))
    rows = run.snapshot().tasks
    for number in range(40, QUICK, 50):
        name = "t%03d" % number
        assert run.output(name) == "this is %d\n" % number
        assert (rows[name].progress, rows[name].message) == (0.5, "half of %d" % number)
    assert max(series) > 1


def test_what_a_member_says_once_at_its_begin_is_heard(flow: Flow, series: List[int]) -> None:
    """It wakes the timer thread, which has to tell that it began before it tells what it said."""
    said, heard = threading.Event(), threading.Event()
    quick(flow, "a")

    @flow.task
    def long() -> None:
        flowdsl.progress(0.5, "half")
        said.set()
        heard.wait(20)

    quick(flow, "b")
    run = flow.start(display=None, max_workers=1)
    assert said.wait(20)
    await_true(lambda: run.snapshot().tasks["long"].progress == 0.5)
    heard.set()
    assert run.wait(20)
    judged(run, 1)
    assert max(series) > 1


def test_a_task_with_a_time_limit_is_in_no_series(flow: Flow, series: List[int]) -> None:
    for number in range(QUICK):
        flow.task("t%03d" % number, timeout=30)(lambda: None)
    judged(flow.run(display=None))
    assert not series


def test_items_of_a_map_go_out_in_series_and_come_back_in_order(flow: Flow, series: List[int]) -> None:
    flow.task("numbers")(lambda: list(range(QUICK)))
    flow.task("squares", depends_on={"x": "numbers"}, map="x")(lambda x: x * x)
    run = judged(flow.run(display=None))
    assert run["squares"] == [number * number for number in range(QUICK)]
    assert max(series) > 1


# ---- the timer thread


def test_a_worker_makes_way_for_the_timer_thread_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: List[float] = []
    monkeypatch.setattr(workers, "sleep", slept.append)
    worker = object.__new__(workers.Workers)
    worker._made_way = worker._next_way = 0.0
    times = [1.0 + tick / 10_000 for tick in range(1, 1_000)]
    for now in times:
        worker._make_way(1.0, now)
    assert 3 <= len(slept) <= 6
    worker._make_way(1.1, 1.2)
    assert len(slept) <= 7, "for what is due next, it begins anew"


def test_the_timer_thread_looks_though_every_turn_writes(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was woken at every write and never got the interpreter: once in a tenth of a second instead of in 5 ms."""
    looks: List[float] = []
    recall_all = Teller.recall_all

    def looked(self: Teller, now: float) -> None:
        looks.append(now)
        recall_all(self, now)

    monkeypatch.setattr(Teller, "recall_all", looked)
    flow.task("t0")(lambda: 0)
    for number in range(1, 6_000):  # diamonds: while two are ready the timer thread is on the watch
        parents = ["t%d" % (number + back) for back in ((-2, -1), (-1,), (-2,))[number % 3]]
        flow.task("t%d" % number, depends_on=parents)(lambda: None)
    flow.run(display=None)
    assert len(looks) > 5
