"""Mapped tasks in the machine: when their sizes are asked for, how their items join, how they end."""

from __future__ import annotations

from typing import List

import pytest

from flowdsl.engine import events as ev
from flowdsl.engine.check import InvariantBroken, check_batches
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.maps import split
from flowdsl.engine.simulate import simulate
from flowdsl.engine.snapshot import fold
from tests.engine.script import CANCEL, Script, raised, returned, skipped, task


def sized(name: str, size: int) -> ev.Sized:
    return ev.Sized(name, size)


def only(lines: List[str]) -> List[str]:
    """What is said beside that items have joined."""
    return [line for line in lines if not line.endswith(" added")]


def test_the_size_is_asked_for_when_all_that_it_waits_for_has_ended() -> None:
    run = Script(task("list"), task("each", "list", over=""))
    assert run.claim() == ["list#1"]
    assert run(returned("list")) == [
        "list#1 running>succeeded returned",
        "each pending>ready dependencies_met",
        "expand each",
    ]
    assert only(run(sized("each", 2))) == [
        "each ready>running expanded",
        "each[0] pending>ready dependencies_met",
        "each[1] pending>ready dependencies_met",
    ]
    assert run.claim(3) == ["each[0]#1", "each[1]#1"]


def test_a_mapped_task_takes_no_slot() -> None:
    run = Script(task("each", over=""), workers=1)
    run(sized("each", 2))
    assert run.claim() == ["each[0]#1"]
    run(returned("each[0]"))
    assert run.claim() == ["each[1]#1"]


def test_it_succeeds_with_its_last_item_and_its_dependants_wait_for_that() -> None:
    run = Script(task("each", over=""), task("all", "each"))
    run(sized("each", 2))
    run.claim(2)
    assert run(returned("each[1]")) == ["each[1]#1 running>succeeded returned"]
    assert run(returned("each[0]")) == [
        "each[0]#1 running>succeeded returned",
        "each running>succeeded items_done",
        "all pending>ready dependencies_met",
    ]


def test_an_empty_map_succeeds_at_once() -> None:
    run = Script(task("each", over=""), task("next", "each", over="each"), task("all", "next"))
    assert only(run(sized("each", 0))) == [
        "each ready>running expanded",
        "next pending>ready dependencies_met",
        "each running>succeeded items_done",
        "expand next",
    ]
    assert run(sized("next", 0))[-1] == "all pending>ready dependencies_met"


def test_items_go_over_one_by_one_without_waiting_for_each_other() -> None:
    run = Script(task("first", over=""), task("second", "first", over="first"))
    run(sized("first", 2))
    assert only(run(sized("second", 2))) == ["second ready>running expanded"]
    run.claim(2)
    assert run(returned("first[1]")) == [
        "first[1]#1 running>succeeded returned",
        "second[1] pending>ready dependencies_met",
    ]


def test_an_item_that_fails_fails_the_mapped_task_when_its_siblings_are_done() -> None:
    run = Script(task("each", over=""), task("all", "each"))
    run(sized("each", 2))
    run.claim(2)
    assert run(raised("each[0]")) == ["each[0]#1 running>failed raised"]
    assert run(returned("each[1]")) == [
        "each[1]#1 running>succeeded returned",
        "each running>failed items_failed by each[0]",
        "all pending>upstream_failed upstream_failed by each[0]",
        "run running>failed tasks_failed by each[0]",
        "close failed",
    ]


def test_an_item_that_fails_holds_up_only_the_item_that_wants_it() -> None:
    run = Script(task("first", over=""), task("second", "first", over="first"))
    run(sized("first", 2))
    run(sized("second", 2))
    run.claim(2)
    assert run(raised("first[0]"))[-1] == "second[0] pending>upstream_failed upstream_failed by first[0]"
    run(returned("first[1]"))
    assert run.claim() == ["second[1]#1"]
    assert "second running>upstream_failed upstream_failed by first[0]" in run(returned("second[1]"))


def test_a_skipped_item_leaves_a_gap_and_no_failure() -> None:
    run = Script(task("each", over=""), task("all", "each"))
    run(sized("each", 2))
    run.claim(2)
    run(skipped("each[0]"))
    assert run(returned("each[1]"))[1:] == ["each running>succeeded items_done", "all pending>ready dependencies_met"]


def test_what_cannot_be_mapped_over_fails_the_task() -> None:
    run = Script(task("each", over=""), task("all", "each"))
    assert run(ev.Sized("each", None))[:2] == [
        "each ready>failed map_failed",
        "all pending>upstream_failed upstream_failed by each",
    ]


def test_a_size_that_comes_after_a_cancel_means_nothing() -> None:
    run = Script(task("each", over=""))
    assert run(CANCEL)[0] == "each ready>cancelled cancel_requested"
    assert run(sized("each", 3)) == []


def test_a_cancel_ends_the_mapped_task_with_the_last_of_its_items() -> None:
    run = Script(task("each", over=""), workers=1)
    run(sized("each", 2))
    run.claim()
    assert run(CANCEL) == ["each[1] ready>cancelled cancel_requested", "stop each[0]#1 cancel_requested"]
    assert run(returned("each[0]"))[:2] == [
        "each[0]#1 running>cancelled cancel_requested [cooperative]",
        "each running>cancelled cancel_requested",
    ]


def test_any_failed_is_for_the_items_to_say() -> None:
    run = Script(task("first", over=""), task("mend", "first", over="first", run_when="any_failed"))
    run(sized("first", 2))
    run(sized("mend", 2))
    run.claim(2)
    run(returned("first[0]"))
    run(raised("first[1]"))
    assert run.claim() == ["mend[1]#1"]


def test_a_map_is_folded_with_counts_of_its_items() -> None:
    run = Script(task("first", over=""), task("second", "first", over="first"))
    run(sized("first", 3))
    run(sized("second", 3))
    run.claim(2)
    run(returned("first[1]"))
    row = run.watch.snapshot.tasks["first"]
    assert (row.size, {state: n for state, n in row.items.items() if n}) == (
        3,
        {"ready": 1, "running": 1, "succeeded": 1},
    )
    item = run.watch.snapshot.tasks["second[1]"]
    assert (item.map_of, item.map_index, item.upstream) == ("second", 1, ("first[1]",))


def test_the_checker_misses_an_item_that_did_not_join() -> None:
    run = Script(task("each", over=""))
    run(sized("each", 2))
    events = [event for event in run.events if event.task != "each[1]"]
    with pytest.raises(InvariantBroken, match="did not join"):
        check_batches([Batch(0, 0.0, tuple(events))], ended=False)


def test_the_checker_knows_how_a_map_may_end() -> None:
    run = Script(task("each", over=""))
    run(sized("each", 1))
    run.claim()
    run(raised("each[0]"))
    wrong = Event(ev.TASK_SUCCEEDED, "each", 0, "running", "succeeded", "items_done")
    events = [wrong if event.cause == "items_failed" else event for event in run.events]
    with pytest.raises(InvariantBroken, match="ended otherwise"):
        check_batches([Batch(0, 0.0, tuple(events))], ended=False)


def test_maps_are_simulated_with_their_sizes() -> None:
    nodes = [task("each", over=""), task("all", "each")]
    forecast = simulate(nodes, {"each": 2.0, "all": 1.0}, 2, sizes={"each": 4})
    assert forecast.makespan == pytest.approx(5.0)
    assert fold(forecast.batches).counts["succeeded"] == 6


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a[0]", ("a", 0)), ("a", ("a", None)), ("a]", ("a]", None)), ("[1]", ("[1]", None)), ("a[x]", ("a[x]", None))],
)
def test_the_name_of_an_item_says_whose_it_is(name: str, expected: object) -> None:
    assert split(name) == expected
