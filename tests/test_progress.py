"""`progress` and `track`: what a task says of how far it is reaches the log and whoever looks, in good time."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

import flowdsl
from flowdsl import Flow, progress, track
from flowdsl.engine.check import check_batches
from flowdsl.executors.current import Current
from flowdsl.executors.notes import Note, Notes
from flowdsl.storage.reading import read_journal

RUNS = ["inline", "threads"]


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("steps", log_dir=log_dir)


def told(done: flowdsl.Run, task: str) -> List[Any]:
    """(fraction, message) of each time that the log says how far the task was."""
    events = [event for batch in read_journal(done.dir).batches for event in batch.events if event.task == task]
    details: List[Dict[str, Any]] = [dict(e.detail or {}) for e in events if e.event == "attempt_progressed"]
    return [(detail["progress"], detail["message"]) for detail in details]


def run(flow: Flow, executor: Any = "threads") -> flowdsl.Run:
    done = flow.run(executor=executor, display=None, raise_on_failure=False)
    check_batches(read_journal(done.dir).batches)
    return done


@pytest.mark.parametrize("executor", RUNS)
def test_what_was_said_last_is_in_the_log_before_the_attempts_end(flow: Flow, executor: str) -> None:
    @flow.task
    def steps() -> None:
        for step in range(1001):
            progress(step / 1000, "step %d" % step)

    done = run(flow, executor)
    assert told(done, "steps")[-1] == (1.0, "step 1000")
    names = done.events["event"].tolist()
    assert names[-3:] == ["attempt_progressed", "attempt_succeeded", "run_ended"]
    row = done.snapshot().tasks["steps"]
    assert (row.progress, row.message) == (1.0, "step 1000")


def test_a_coroutine_says_how_far_it_is(flow: Flow) -> None:
    @flow.task
    async def steps() -> None:
        for _ in track(range(4), "parts"):
            await asyncio.sleep(0)

    done = run(flow)
    assert told(done, "steps")[-1] == (1.0, "parts")


def test_a_failed_attempt_keeps_what_it_said_and_the_next_begins_anew(flow: Flow) -> None:
    @flow.task(retries=1)
    def steps() -> None:
        if flowdsl.current().attempt == 1:
            progress(0.7)
            raise ValueError

    done = run(flow)
    assert told(done, "steps") == [(0.7, "")]
    assert done.snapshot().tasks["steps"].progress is None


@pytest.mark.slow
def test_a_hundred_thousand_words_are_told_at_most_ten_times_a_second(flow: Flow) -> None:
    @flow.task
    def talks() -> float:
        begun = time.monotonic()
        for number in track(range(100_000), "going on"):
            progress(number / 100_000, "at %d" % number)
        return time.monotonic() - begun

    done = run(flow)
    assert len(told(done, "talks")) <= 3 + 10 * done["talks"]
    assert told(done, "talks")[-1] == (1.0, "going on")


@pytest.mark.slow
def test_what_is_held_back_is_told_soon_and_not_only_at_the_end(flow: Flow) -> None:
    said, go_on = threading.Event(), threading.Event()

    @flow.task
    def talks() -> None:
        progress(0.1, "reading")
        progress(0.2, "writing for a long time")
        said.set()
        go_on.wait(30)

    started = flow.start(display=None)
    assert said.wait(30)
    until = time.monotonic() + 10
    while started.snapshot().tasks["talks"].progress != 0.2 and time.monotonic() < until:
        time.sleep(0.01)
    row = started.snapshot().tasks["talks"]
    assert (row.state, row.progress, row.message) == ("running", 0.2, "writing for a long time")
    go_on.set()
    started.wait()


def test_a_message_is_one_line_of_the_log_and_changes_no_state(flow: Flow) -> None:
    evil = 'done\n{"status":"completed"}\n' + "x" * 10_000

    @flow.task
    def steps() -> None:
        progress(0.5, evil)
        raise ValueError(evil)

    done = run(flow)
    lines = (done.dir / "events.jsonl").read_text().splitlines()
    assert len(lines) == len(done.events)
    assert all("status" not in json.loads(line) for line in lines)
    assert list(done.tasks["state"]) == ["failed"]
    ((_, message),) = told(done, "steps")
    assert len(message) <= 4096
    assert message.endswith("[truncated]")


def test_a_message_that_cannot_be_read_is_told_by_its_error(flow: Flow) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    @flow.task
    def steps() -> None:
        progress(0.5, Broken())  # type: ignore[arg-type]

    assert told(run(flow), "steps") == [(0.5, "<RuntimeError while reading the message>")]


# ---- the fraction


@pytest.mark.parametrize("value", [-0.1, 1.1, 50, float("nan"), float("inf"), -1])
def test_a_fraction_is_from_0_to_1(value: float) -> None:
    with pytest.raises(ValueError, match="a fraction is from 0 to 1; give done / total"):
        progress(value)


@pytest.mark.parametrize("value", ["0.5", None, b"1", [0.5], 10**400])
def test_a_fraction_is_a_number(value: Any) -> None:
    with pytest.raises(TypeError, match="give a number from 0 to 1"):
        progress(value)


@pytest.mark.parametrize("value", [0, 1, True, 0.5, np.float32(0.25), np.int64(1), 1.0 + 1e-9, -1e-12])
def test_any_number_from_0_to_1_will_do_and_outside_of_a_task_nothing_happens(value: Any) -> None:
    progress(value)
    assert list(track(range(3))) == [0, 1, 2]


# ---- track


def test_what_has_no_length_is_passed_through_and_a_total_gives_it_one(flow: Flow) -> None:
    @flow.task
    def unknown() -> List[int]:
        return list(track(n for n in range(5)))

    @flow.task
    def known() -> List[int]:
        return list(track((n for n in range(5)), total=4))

    @flow.task
    def empty() -> List[int]:
        return list(track([]))

    done = run(flow)
    assert (done["unknown"], done["known"], done["empty"]) == (list(range(5)), list(range(5)), [])
    assert (told(done, "unknown"), told(done, "known")[-1], told(done, "empty")) == ([], (1.0, ""), [])


def test_a_track_that_is_left_early_keeps_its_place(flow: Flow) -> None:
    @flow.task
    def steps() -> None:
        for number in track(range(10)):
            if number == 4:
                break

    assert told(run(flow), "steps")[-1] == (0.4, "")


def test_what_cannot_be_iterated_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        track(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="total=-1 is below 0"):
        track([1], total=-1)


# ---- on their way


class Ear:
    """A scribe that passes notes on, and nothing else."""

    echo = 0

    def __init__(self) -> None:
        self.rung = 0
        self.notes = Notes(self.ring)

    def ring(self) -> None:
        self.rung += 1

    def output(self, task: str, attempt: int) -> None:
        return None

    def noted(self, current: Current) -> None:
        self.notes.put(current)


def say(ear: Ear, current: Current, fraction: float) -> None:
    current.said = (fraction, "")
    ear.noted(current)


def fractions(notes: List[Note]) -> List[float]:
    return [note.detail["progress"] for note in notes]


def test_the_first_word_is_told_at_once_and_the_next_a_tenth_of_a_second_later() -> None:
    ear = Ear()
    current = Current("a", 1, ear)
    say(ear, current, 0.1)
    assert (fractions(ear.notes.due(5.0)), ear.notes.next_due()) == ([0.1], None)
    say(ear, current, 0.2)
    assert fractions(ear.notes.due(5.05)) == []
    say(ear, current, 0.3)
    assert (ear.notes.next_due(), ear.rung) == (5.1, 2)
    assert fractions(ear.notes.due(5.1)) == [0.3]


def test_what_was_said_twice_is_told_once() -> None:
    ear = Ear()
    current = Current("a", 1, ear)
    say(ear, current, 0.1)
    assert len(ear.notes.due(0.0)) == 1
    ear.noted(current)
    assert ear.notes.due(1.0) == []


def test_an_attempt_that_ends_takes_its_last_word_with_it_and_no_others() -> None:
    ear = Ear()
    first, second = Current("a", 1, ear), Current("b", 1, ear)
    for current in (first, second):
        say(ear, current, 0.1)
    assert len(ear.notes.due(0.0)) == 2
    for current in (first, second):
        say(ear, current, 0.2)
    assert [note.task for note in ear.notes.all(0.01, "a", 1)] == ["a"]
    assert [note.task for note in ear.notes.all(0.01)] == ["b"]
    assert not ear.notes


@given(some.lists(some.floats(0.0, 3.0), max_size=300))
def test_however_often_something_is_said_few_are_told_and_the_last_one_is(pauses: List[float]) -> None:
    ear, now, seen = Ear(), 0.0, []
    current = Current("a", 1, ear)
    for number, pause in enumerate(pauses):
        now += pause
        say(ear, current, number / 1000)
        seen += [(now, note.detail["progress"]) for note in ear.notes.due(now)]
    assert all(later[0] - earlier[0] >= 0.1 - 1e-9 for earlier, later in zip(seen, seen[1:]))
    assert len(seen) <= 2 + 100 + now  # ten a second at first, then ever fewer, down to one
    seen += [(now, note.detail["progress"]) for note in ear.notes.all(now)]
    assert not pauses or seen[-1][1] == (len(pauses) - 1) / 1000
