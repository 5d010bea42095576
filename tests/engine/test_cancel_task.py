"""The end of one task from outside, while its run goes on."""

from __future__ import annotations

from flowdsl.definition.options import Retry
from flowdsl.engine.events import CancelTask
from tests.engine.script import CLAIM, PROCESS, REMOTE, TICK, Script, begun, lost, raised, returned, stopped, task


def test_a_task_that_waits_is_cancelled_and_those_after_it_for_its_sake() -> None:
    run = Script(task("a"), task("b", "a"), task("c", "b"))
    assert run(CancelTask("b")) == ["b pending>cancelled task_cancelled", "c pending>cancelled upstream_cancelled by b"]
    run.claim()
    assert run(returned("a"))[-1] == "close succeeded"


def test_a_task_that_is_ready_never_starts_and_gives_its_limit_to_the_next() -> None:
    run = Script(task("a", uses=("db",)), task("b", uses=("db",)), task("c", uses=("db",)), limits={"db": 1})
    assert run(CancelTask("a")) == ["a ready>cancelled task_cancelled"]
    assert run.claim() == ["b#1"]
    run(CancelTask("c"))
    run(returned("b"))
    assert run.claim() == []
    assert run.ended == "succeeded all_done"


def test_a_running_attempt_is_stopped_and_not_retried() -> None:
    run = Script(task("a", kind=PROCESS, retry=Retry(3)), task("b"))
    run.claim(2)
    run(begun("a"))
    assert run(CancelTask("a")) == ["stop a#1 task_cancelled"]
    assert run(CancelTask("a")) == []
    assert run(stopped("a", mechanism="killed")) == ["a#1 running>cancelled task_cancelled [killed]"]
    assert run.states()["b"] == "running"


def test_an_attempt_that_is_being_timed_out_is_cancelled_instead_of_retried() -> None:
    run = Script(task("a", kind=PROCESS, timeout=1.0, retry=Retry(3)))
    run.claim()
    run(begun("a"))
    assert run(TICK, at=1.0) == ["stop a#1 timeout"]
    assert run(CancelTask("a")) == []
    assert run(stopped("a", mechanism="killed"))[0] == "a#1 running>cancelled task_cancelled [killed]"


def test_a_task_that_waits_for_its_retry_is_cancelled() -> None:
    run = Script(task("a", retry=Retry(3, delay=5.0)))
    run.claim()
    run(raised("a"))
    assert run(CancelTask("a"))[0] == "a retry_wait>cancelled task_cancelled"
    assert run.machine.next_due() is None


def test_what_was_launched_and_never_began_is_cancelled_with_those_after_it() -> None:
    for end in (stopped("a", mechanism="withdrawn"), lost("a")):
        run = Script(task("a", kind=REMOTE), task("b", "a"))
        run(CLAIM)
        assert run(CancelTask("a")) == ["stop a#1 task_cancelled"]
        assert run(end)[1] == "b pending>cancelled upstream_cancelled by a"
        assert run.ended == "succeeded all_done"


def test_a_task_that_has_ended_or_never_was_stays_as_it_is() -> None:
    run = Script(task("a"), task("b"))
    run.claim()
    run(returned("a"))
    assert run(CancelTask("a")) == []
    assert run(CancelTask("nobody")) == []
