"""What a task needs of its dependencies, and what their ends mean for those further down."""

from __future__ import annotations

from itertools import permutations
from typing import Any, Dict, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.engine import events as ev
from flowdsl.errors import InternalError
from tests.engine.script import CLAIM, Script, raised, returned, skipped, task

END = {"good": returned, "bad": raised, "skip": skipped}


def play(run: Script, fates: Dict[str, str], default: str = "good") -> Script:
    """Let everything run, one after the other; each task ends as its fate says."""
    launched = run.claim()
    while launched:
        name, _, attempt = launched[0].partition("#")
        run(END[fates.get(name, default)](name, int(attempt)))
        launched = run.claim()
    return run


def reason(run: Script, name: str) -> str:
    """State, cause and guilty task of the last change of a task."""
    event = [event for event in run.events if event.task == name][-1]
    return " ".join(filter(None, (event.state, event.cause, event.cause_task)))


def test_a_task_waits_for_all_its_dependencies() -> None:
    run = Script(task("a"), task("b"), task("c", "a b"))
    assert run.claim(3) == ["a#1", "b#1"]
    assert run(returned("b")) == ["b#1 running>succeeded returned"]
    assert run(returned("a")) == ["a#1 running>succeeded returned", "c pending>ready dependencies_met"]


def test_a_failure_goes_down_to_all_descendants_with_its_name_and_others_go_on() -> None:
    run = Script(task("a"), task("b", "a"), task("c", "b"), task("d"), task("e", "d"))
    run(CLAIM)
    assert run(raised("a")) == [
        "a#1 running>failed raised",
        "b pending>upstream_failed upstream_failed by a",
        "c pending>upstream_failed upstream_failed by a",
    ]
    play(run, {})
    assert run.states()["e"] == "succeeded"
    assert run.ended == "failed tasks_failed a"


def test_a_failure_does_not_wait_for_the_other_dependencies() -> None:
    run = Script(task("a"), task("b"), task("c", "a b"))
    run.claim(2)
    assert run(raised("a"))[1:] == ["c pending>upstream_failed upstream_failed by a"]
    assert run(returned("b"))[:1] == ["b#1 running>succeeded returned"]
    assert run.states()["c"] == "upstream_failed"


def test_the_first_to_fail_is_the_guilty_one() -> None:
    run = Script(task("a"), task("b"), task("c", "a b"))
    run.claim(2)
    run(raised("b"))
    run(raised("a"))
    assert reason(run, "c") == "upstream_failed upstream_failed b"
    assert run.ended == "failed tasks_failed b"


def test_a_skip_goes_down_to_all_descendants_and_fails_nothing() -> None:
    run = play(Script(task("a"), task("b", "a"), task("c", "b")), {"a": "skip"})
    assert [reason(run, name) for name in "bc"] == ["skipped upstream_skipped a"] * 2
    assert run.ended == "succeeded all_done"


@pytest.mark.parametrize("order", list(permutations(("bad", "skip", "good"))))
def test_with_both_a_failed_and_a_skipped_dependency_it_is_upstream_failed(order: Tuple[str, ...]) -> None:
    run = Script(task("a"), task("b"), task("c"), task("d", "a b c"))
    run.claim(3)
    for name, fate in zip("abc", order):
        run(END[fate](name))
    assert reason(run, "d") == f"upstream_failed upstream_failed {'abc'[order.index('bad')]}"


def test_a_skipped_dependency_waits_to_see_whether_another_fails() -> None:
    run = Script(task("a"), task("b"), task("c", "a b"))
    run.claim(2)
    run(skipped("a"))
    assert run.states()["c"] == "pending"
    run(raised("b"))
    assert run.states()["c"] == "upstream_failed"


# ---- run_when


@pytest.mark.parametrize("fate", ["good", "bad", "skip"])
def test_all_done_runs_whatever_became_of_its_dependencies(fate: str) -> None:
    run = play(Script(task("a"), task("b", "a"), task("c", "b", run_when="all_done")), {"a": fate})
    assert run.states()["c"] == "succeeded"


def test_all_done_waits_for_the_last_dependency() -> None:
    run = Script(task("a"), task("b"), task("c", "a b", run_when="all_done"))
    run.claim(2)
    assert run(raised("a")) == ["a#1 running>failed raised"]
    assert run(returned("b"))[1:] == ["c pending>ready dependencies_met"]


@pytest.mark.parametrize(
    ("fates", "expected"),
    [
        ({}, "skipped no_failure"),
        ({"a": "skip"}, "skipped no_failure"),
        ({"a": "bad"}, "succeeded returned"),
        ({"a": "bad", "b": "skip"}, "succeeded returned"),
    ],
)
def test_any_failed_runs_only_if_a_dependency_failed(fates: Dict[str, str], expected: str) -> None:
    run = play(Script(task("a"), task("b"), task("c", "a b", run_when="any_failed")), fates)
    assert reason(run, "c") == expected


def test_any_failed_runs_if_a_dependency_is_upstream_failed() -> None:
    run = play(Script(task("a"), task("b", "a"), task("c", "b", run_when="any_failed")), {"a": "bad"})
    assert run.states() == {"a": "failed", "b": "upstream_failed", "c": "succeeded"}


def test_any_failed_waits_for_the_last_dependency() -> None:
    run = Script(task("a"), task("b"), task("c", "a b", run_when="any_failed"))
    run.claim(2)
    assert run(raised("a")) == ["a#1 running>failed raised"]
    assert run(returned("b"))[1:] == ["c pending>ready dependencies_met"]


def test_any_failed_without_dependencies_runs() -> None:
    assert play(Script(task("a", run_when="any_failed")), {}).states() == {"a": "succeeded"}


def test_who_depends_on_a_task_that_was_not_needed_is_skipped_with_it() -> None:
    run = play(Script(task("a"), task("b", "a", run_when="any_failed"), task("c", "b")), {})
    assert reason(run, "c") == "skipped upstream_skipped b"


def test_a_failure_that_was_taken_care_of_still_fails_the_run() -> None:
    run = play(Script(task("a"), task("b", "a", run_when="all_done")), {"a": "bad"})
    assert run.ended == "failed tasks_failed a"


def test_a_task_that_fails_after_a_failure_is_guilty_itself() -> None:
    run = Script(task("a"), task("b", "a", run_when="all_done"), task("c", "b"))
    play(run, {"a": "bad", "b": "bad"})
    assert reason(run, "c") == "upstream_failed upstream_failed b"


# ---- given tasks, and tasks that join during the run


def test_a_given_task_has_succeeded_without_an_attempt() -> None:
    run = Script(task("a", known="given"), task("b", "a"))
    assert run.joined == ["a pending>succeeded given", "b pending>ready dependencies_met"]
    assert run.machine.attempt_number("a") == 0


def test_a_task_whose_result_an_earlier_run_had_is_reused_without_an_attempt() -> None:
    run = Script(task("a", known="earlier_run"), task("b", "a", known="earlier_run"), task("c", "b"))
    assert run.joined == [
        "a pending>reused earlier_run",
        "b pending>reused earlier_run",
        "c pending>ready dependencies_met",
    ]
    assert run.machine.attempt_number("b") == 0


def test_a_run_of_given_tasks_alone_ends_when_no_more_come() -> None:
    run = Script(task("a", known="given"), task("b", "a", known="given"))
    assert run.sealed == ["run running>succeeded all_done", "close succeeded"]


def test_a_task_may_join_while_its_dependencies_run() -> None:
    run = Script(task("a"), sealed=False)
    run(CLAIM)
    assert run.add(task("b", "a")) == []
    assert run(returned("a"))[1:] == ["b pending>ready dependencies_met"]


@pytest.mark.parametrize(
    ("fate", "line"),
    [
        ("good", "b pending>ready dependencies_met"),
        ("bad", "b pending>upstream_failed upstream_failed by a"),
        ("skip", "b pending>skipped upstream_skipped by a"),
    ],
)
def test_a_task_may_join_when_its_dependencies_have_ended(fate: str, line: str) -> None:
    run = play(Script(task("a"), sealed=False), {"a": fate})
    assert run.add(task("b", "a")) == [line]


def test_the_guilty_task_is_known_to_tasks_that_join_later() -> None:
    run = play(Script(task("a"), task("b", "a"), sealed=False), {"a": "bad"})
    assert run.add(task("c", "b"), task("d", "c")) == [
        "c pending>upstream_failed upstream_failed by a",
        "d pending>upstream_failed upstream_failed by a",
    ]


def test_the_run_goes_on_until_it_is_told_that_no_more_tasks_come() -> None:
    run = play(Script(task("a"), sealed=False), {})
    assert run.machine.state == "running"
    assert run(ev.Seal()) == ["run running>succeeded all_done", "close succeeded"]


def test_no_task_joins_twice() -> None:
    run = Script(task("a"))
    with pytest.raises(InternalError, match="'a' was added twice"):
        run.machine.handle(ev.Add((task("a"),)), 0.0)


def test_no_task_joins_a_run_that_is_over() -> None:
    run = Script()
    with pytest.raises(InternalError, match="not running"):
        run.machine.handle(ev.Add((task("a"),)), 0.0)


# ---- graphs of any shape


@some.composite
def graphs(draw: Any) -> Tuple[Tuple[Any, ...], Dict[str, str]]:
    """Tasks that depend on any of those before them, and how each is to end."""
    names = [f"t{number}" for number in range(draw(some.integers(0, 9)))]
    nodes = []
    for place, name in enumerate(names):
        upstream = draw(some.lists(some.sampled_from(names[:place]), unique=True, max_size=4)) if place else []
        run_when = draw(some.sampled_from(("all_succeeded", "all_succeeded", "all_done", "any_failed")))
        nodes.append(task(name, " ".join(upstream), run_when=run_when))
    fates = {name: draw(some.sampled_from(("good", "good", "bad", "skip"))) for name in names}
    return tuple(nodes), fates


def expected_states(nodes: Tuple[Any, ...], fates: Dict[str, str]) -> Dict[str, str]:
    """What becomes of every task, read off the graph from top to bottom."""
    own = {"good": "succeeded", "bad": "failed", "skip": "skipped"}
    states: Dict[str, str] = {}
    for node in nodes:
        above = {states[name] for name in node.upstream}
        failed = bool(above & {"failed", "upstream_failed"})
        if node.policy.run_when == "any_failed":
            runs, otherwise = failed or not above, "skipped"
        elif node.policy.run_when == "all_done":
            runs, otherwise = True, ""
        else:
            runs, otherwise = above <= {"succeeded"}, "upstream_failed" if failed else "skipped"
        states[node.name] = own[fates[node.name]] if runs else otherwise
    return states


@given(graphs(), some.integers(1, 3))
def test_every_graph_ends_as_its_dependencies_say(graph: Tuple[Tuple[Any, ...], Dict[str, str]], workers: int) -> None:
    nodes, fates = graph
    run = play(Script(*nodes, workers=workers), fates)
    assert run.states() == expected_states(nodes, fates)
    assert run.machine.state == ("failed" if "failed" in run.states().values() else "succeeded")
