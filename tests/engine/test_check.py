"""The checker: a run as it should be passes, and every way in which it is spoilt here is seen."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

import pytest

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.engine.check import InvariantBroken, check_batches
from flowdsl.engine.events import Batch, Event
from tests.engine.script import (
    CANCEL,
    CLAIM,
    INLINE,
    KINDS,
    TICK,
    Script,
    fact,
    raised,
    returned,
    stopped,
    task,
)

HEADER = {"max_workers": 2, "on_failure": "continue", "limits": {"db": 1}}


Moments = List[Tuple[float, Event]]
Change = Callable[[Moments], Moments]


def a_run() -> Moments:
    """`a` fails once and succeeds, `b` waits for it, `c` uses a limit, `d` is left behind, `e` waits for `d`."""
    nodes = (
        task("a", retry=Retry(1, delay=2), rank=9),
        task("b", "a"),
        task("c", uses=("db",), rank=8),
        task("d", timeout=1, rank=7, uses=("db",)),
        task("e", "d"),
    )
    run = Script(*nodes, workers=2, limits={"db": 1})
    run.claim(2)
    run(raised("a"), at=1.0)
    run(TICK, at=3.0)
    run(CLAIM)
    run(ev.Note("a", 2, {"progress": 0.5, "message": ""}))
    run(returned("a", 2), at=4.0)
    run(CLAIM)
    run(returned("b"), at=5.0)
    run(returned("c"))
    run(CLAIM)
    run(TICK, at=6.0)
    run(TICK, at=6.1)
    first = run.events[0]._replace(detail=HEADER)
    return [(0.0, first), *run.moments[1:]]


def batches(moments: Moments) -> List[Batch]:
    """Consecutive events of one moment are a batch, as when a journal is read."""
    found: List[Batch] = []
    for seq, (at, event) in enumerate(moments):
        if found and found[-1].at == at:
            found[-1] = found[-1]._replace(events=(*found[-1].events, event))
        else:
            found.append(Batch(seq, at, (event,)))
    return found


def place(moments: Moments, line: str) -> int:
    """Where the event is that reads so."""
    return [fact(event) for _, event in moments].index(line)


def test_the_lines_of_the_run_that_is_spoilt_below() -> None:
    assert [f"{at} {fact(event)}" for at, event in a_run()][6:] == [
        "0.0 a pending>ready dependencies_met",
        "0.0 c pending>ready dependencies_met",
        "0.0 d pending>ready dependencies_met",
        "0.0 a#1 ready>running started",
        "0.0 c#1 ready>running started",
        "1.0 a#1 running>retry_wait retry (raised)",
        "3.0 a retry_wait>ready delay_over",
        "3.0 a#2 ready>running started",
        "3.0 a#2 attempt_progressed running",
        "4.0 a#2 running>succeeded returned",
        "4.0 b pending>ready dependencies_met",
        "4.0 b#1 ready>running started",
        "5.0 b#1 running>succeeded returned",
        "5.0 c#1 running>succeeded returned",
        "5.0 d#1 ready>running started",
        "6.1 d#1 running>timed_out timeout [abandoned]",
        "6.1 e pending>upstream_failed upstream_failed by d",
        "6.1 run running>failed tasks_failed by d",
    ]


def spoil(line: str, **changes: Any) -> Change:
    """The event that reads so is another one."""

    def change(moments: Moments) -> Moments:
        where = place(moments, line)
        at, event = moments[where]
        return [*moments[:where], (at, event._replace(**changes)), *moments[where + 1 :]]

    return change


def leave_out(line: str) -> Change:
    def change(moments: Moments) -> Moments:
        where = place(moments, line)
        return moments[:where] + moments[where + 1 :]

    return change


def twice(line: str) -> Change:
    def change(moments: Moments) -> Moments:
        where = place(moments, line)
        return [*moments[: where + 1], moments[where], *moments[where + 1 :]]

    return change


def earlier(line: str, before: str) -> Change:
    """The event that reads so comes just before that other one."""

    def change(moments: Moments) -> Moments:
        where, to = place(moments, line), place(moments, before)
        moved = (moments[to][0], moments[where][1])
        return [*moments[:to], moved, *moments[to:where], *moments[where + 1 :]]

    return change


def told(line: str, **detail: Any) -> Change:
    """The event that reads so says something else besides."""

    def change(moments: Moments) -> Moments:
        event = moments[place(moments, line)][1]
        return spoil(line, detail={**(event.detail or {}), **detail})(moments)

    return change


A_ADDED = "a >pending added"
SPOILT: Dict[str, Any] = {
    "a state that was not": (spoil("a#2 ready>running started", before="pending"), "was not in that state"),
    "a change that cannot be": (spoil("a#2 running>succeeded returned", state="failed"), "no such transition"),
    "an event without its cause": (spoil("b#1 ready>running started", event=ev.TASK_READY), "without its cause"),
    "an event of no kind": (spoil("b#1 ready>running started", event="attempt_invented"), "no such event"),
    "a task that never joined": (leave_out("c >pending added"), "never joined"),
    "a dependency that never joined": (leave_out("d >pending added"), "a dependency never joined"),
    "a task that joins twice": (twice(A_ADDED), "had joined already"),
    "two ends of a task": (twice("b#1 running>succeeded returned"), "was not in that state"),
    "a number left out": (spoil("a#2 ready>running started", attempt=3), "numbered one by one"),
    "an end of another attempt": (spoil("a#2 running>succeeded returned", attempt=1), "superseded"),
    "one attempt too many": (told(A_ADDED, retries=0), "no attempt is left"),
    "one slot too many": (
        lambda moments: [(0.0, moments[0][1]._replace(detail={**HEADER, "max_workers": 1})), *moments[1:]],
        "more attempts than workers",
    ),
    "a limit that is exceeded": (told(A_ADDED, uses=["db"]), "more than limit 'db' allows"),
    "a limit freed too early": (
        earlier("d#1 ready>running started", "c#1 running>succeeded returned"),
        "more than limit 'db' allows",
    ),
    "a start before the dependency ended": (
        earlier("b pending>ready dependencies_met", "a#2 running>succeeded returned"),
        "want it otherwise",
    ),
    "another guilty task": (
        spoil("e pending>upstream_failed upstream_failed by d", cause_task="a"),
        "guilty task is another",
    ),
    "another first failure": (spoil("run running>failed tasks_failed by d", cause_task="a"), "first failure"),
    "success in spite of a failure": (
        spoil("run running>failed tasks_failed by d", state="succeeded", cause="all_done", cause_task=""),
        "a task failed",
    ),
    "progress that changes the state": (
        spoil("a#2 attempt_progressed running", state="succeeded", cause="returned"),
        "changes no state",
    ),
    "progress of another attempt": (spoil("a#2 attempt_progressed running", attempt=1), "superseded"),
    "an invented mechanism": (spoil("d#1 running>timed_out timeout [abandoned]", mechanism="shouted"), "mechanism"),
    "a retry for no reason": (
        spoil("a#1 running>retry_wait retry (raised)", attempt_cause="returned"),
        "another cause",
    ),
    "a delay that has no end": (told("a#1 running>retry_wait retry (raised)", delay=99.0), "delay is not over"),
    "an end too early": (earlier("run running>failed tasks_failed by d", "c#1 running>succeeded returned"), "have not"),
    "something after the end": (twice("run running>failed tasks_failed by d"), "was not in that state"),
    "no end": (leave_out("run running>failed tasks_failed by d"), "has not ended"),
    "no beginning": (lambda moments: moments[1:], "the run is not running"),
}


def test_a_run_as_it_should_be_passes() -> None:
    checker = check_batches(batches(a_run()))
    assert checker.abandoned() == [("d", 1)]
    assert (checker.ledger.open, checker.ledger.running, checker.ledger.first_failure) == (0, 0, "d")


@pytest.mark.parametrize("fault", sorted(SPOILT))
def test_a_run_that_was_spoilt_is_seen(fault: str) -> None:
    change, message = SPOILT[fault]
    with pytest.raises(InvariantBroken, match=message):
        check_batches(batches(change(a_run())))


def test_a_wake_up_that_is_lost_is_seen_at_the_end_of_its_batch() -> None:
    moments = a_run()
    cut = place(moments, "b pending>ready dependencies_met")
    with pytest.raises(InvariantBroken, match="'b' waits"):
        check_batches(batches(moments[:cut]), ended=False)


def test_batches_that_do_not_follow_each_other_are_seen() -> None:
    spoilt = batches(a_run())
    del spoilt[1]
    with pytest.raises(InvariantBroken, match="a batch begins with event 12, after 11"):
        check_batches(spoilt)


def test_time_that_goes_back_is_seen() -> None:
    with pytest.raises(InvariantBroken, match="back in time"):
        check_batches(batches([(-at, event) for at, event in a_run()]))


def test_a_run_whose_process_was_killed_need_not_have_ended() -> None:
    cut = batches(a_run())[:-1]
    assert check_batches(cut, ended=False).ledger.running == 1
    with pytest.raises(InvariantBroken, match="has not ended"):
        check_batches(cut)


def test_what_is_given_goes_before_what_the_run_says_of_itself() -> None:
    with pytest.raises(InvariantBroken, match="more attempts than workers"):
        check_batches(batches(a_run()), max_workers=1)
    with pytest.raises(InvariantBroken, match="more than limit 'db' allows"):
        check_batches(batches(a_run()), limits={"db": 0})


def test_after_a_failure_that_stops_the_run_nothing_may_become_ready() -> None:
    run = Script(task("a"), task("b"), task("c", "b"))
    run.claim(2)
    run(raised("a"))
    run(returned("b"), at=1.0)
    with pytest.raises(InvariantBroken, match="nothing may start any more"):
        check_batches(batches(run.moments), on_failure="stop", ended=False)


def test_after_a_cancel_nothing_may_be_retried() -> None:
    nodes = (task("a", retry=Retry(1, delay=9)), task("b"))
    cancelled, retried = Script(*nodes), Script(*nodes)
    for run, message in ((cancelled, CANCEL), (retried, raised("a"))):
        run(CLAIM)
        run(message)
    with pytest.raises(InvariantBroken, match="nothing may start any more"):
        check_batches(batches([*cancelled.moments, retried.moments[-1]]), ended=False)


def test_a_cancelled_run_has_not_succeeded() -> None:
    run = Script(task("a"))
    run(CLAIM)
    run(CANCEL)
    run(stopped("a"))
    with pytest.raises(InvariantBroken, match="the run was cancelled"):
        line = "run running>cancelled cancel_requested"
        check_batches(batches(spoil(line, state="succeeded", cause="all_done")(run.moments)))


# ---- what only the machine's own tasks and kinds can tell


def a_retry(retry: Retry, *, left_behind: bool = False) -> Moments:
    """The events of a failed attempt that is retried."""
    run = Script(task("a", timeout=1, retry=Retry(retry.retries, delay=2, retry_abandoned=True)), sealed=False)
    run(CLAIM)
    if left_behind:
        run(TICK, at=1.0)
        run(TICK, at=1.1)
    else:
        run(raised("a"))
    return run.moments


def test_a_delay_that_is_not_the_one_asked_for_is_seen() -> None:
    retry = Retry(1, delay=3)
    with pytest.raises(InvariantBroken, match="not the one asked for"):
        check_batches(batches(a_retry(retry)), nodes={"a": task("a", retry=retry)}, ended=False)


def test_a_retry_beside_an_attempt_that_is_still_going_is_seen() -> None:
    retry = Retry(1, delay=2)
    with pytest.raises(InvariantBroken, match="still going"):
        check_batches(batches(a_retry(retry, left_behind=True)), nodes={"a": task("a", retry=retry)}, ended=False)


def test_a_retry_that_comes_too_late_is_seen() -> None:
    retry = Retry(1, delay=2, max_elapsed=1)
    with pytest.raises(InvariantBroken, match="too long after the first attempt"):
        check_batches(batches(a_retry(retry)), nodes={"a": task("a", retry=retry)}, ended=False)


def test_a_timeout_that_is_not_to_be_retried_is_seen() -> None:
    retry = Retry(1, delay=2, retry_on=OSError, retry_abandoned=True)
    with pytest.raises(InvariantBroken, match="timeouts are not to be retried"):
        check_batches(batches(a_retry(retry, left_behind=True)), nodes={"a": task("a", retry=retry)}, ended=False)


def test_a_slot_that_an_attempt_left_behind_keeps_is_counted_where_kinds_are_known() -> None:
    run = Script(task("a", kind=INLINE, timeout=1), task("b", kind=INLINE), task("c", kind=INLINE), workers=2)
    run.claim(1)
    run(TICK, at=1.0)
    run(TICK, at=1.1)
    run(CLAIM)
    third = Event(ev.ATTEMPT_STARTED, "c", 1, "ready", "running", "started")
    nodes = {name: task(name, kind=INLINE) for name in "abc"}
    check_batches(batches([*run.moments, (9.0, third)]), max_workers=2, ended=False)
    with pytest.raises(InvariantBroken, match="more attempts than workers"):
        check_batches(batches([*run.moments, (9.0, third)]), max_workers=2, nodes=nodes, kinds=KINDS, ended=False)
