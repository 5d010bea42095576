"""What a live view shows at one moment."""

from __future__ import annotations

from typing import Any

from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.views.controls import Controls
from flowdsl.views.panel import Facts
from flowdsl.views.screen import ScreenMaker
from tests.views.samples import batches, begun, chain, failed, fan, graph_of, small, started, story, succeeded

ZERO = 1_700_000_000.0


def snapshot(graph: Any, *steps: Any) -> Snapshot:
    return fold(batches(*begun(graph), *steps))


def test_it_counts_what_is_done_and_says_what_runs_and_for_how_long() -> None:
    run = snapshot(chain(3), *started("t0", 1), succeeded("t0", 2), *started("t1", 2))
    screen = ScreenMaker(chain(3)).make(run, ZERO + 9.5)
    assert (screen.done, screen.total, screen.bad) == (1, 3, False)
    assert ">t1</td>" in screen.table
    assert ">7 s</td>" in screen.table
    assert "\u25ba 1 running" in screen.headline
    assert "\u25ba running</text>" in screen.svg


def test_it_says_which_attempt_of_how_many() -> None:
    steps = (*started("t0", 1), failed("t0", 2, retry=True), *started("t0", 3, attempt=2))
    for retries, told in ((3, ">2 of 4</td>"), (0, ">2</td>")):
        run = snapshot(chain(1), *steps)
        run.tasks["t0"].retries = retries
        assert told in ScreenMaker(chain(1)).make(run, ZERO + 4).table


def test_failures_come_as_they_happen_and_stay() -> None:
    maker, run, seen = ScreenMaker(small()), Snapshot(), []
    for batch in story():
        run.apply(batch)
        seen.append(maker.make(run, batch.at).news.count("clean</b>"))
    assert seen == sorted(seen)
    assert seen[-1] == 2


def test_progress_is_shown_where_a_task_tells_it() -> None:
    run = snapshot(chain(1), *started("t0", 1))
    run.tasks["t0"].progress, run.tasks["t0"].message = 0.5, "half way"
    assert "50% half way" in ScreenMaker(chain(1)).make(run, ZERO + 2).table


def test_when_nothing_happened_nothing_but_the_seconds_change() -> None:
    maker, run = ScreenMaker(chain(1)), snapshot(chain(1), *started("t0", 1))
    first, second, third = (maker.make(run, ZERO + at) for at in (5.1, 5.8, 6.3))
    assert first == second
    assert first.svg is third.svg  # it was not even made again
    assert second._replace(headline="", table="") == third._replace(headline="", table="")


def test_a_screen_never_outgrows_its_budget() -> None:
    graph = graph_of({f"{n:03d}" + "\u98db" * 150: [] for n in range(149)})
    run = snapshot(graph, *(step for name in graph.tasks for step in started(name, 1)))
    heavy = ScreenMaker(graph, budget=10**9).make(run, ZERO + 2)
    budget = heavy.weight() // 2
    light = ScreenMaker(graph, budget=budget).make(run, ZERO + 2)
    assert 0 < light.weight() <= budget
    assert "\u00d7 149" in light.svg


def test_where_no_picture_fits_there_is_none_and_it_is_not_tried_again() -> None:
    maker = ScreenMaker(small(), budget=10)
    run = snapshot(small())
    assert maker.make(run, ZERO).svg == ""
    assert maker._limits == []
    assert maker.make(run, ZERO).headline


def test_many_running_tasks_are_cut_with_a_count() -> None:
    run = snapshot(fan(50), *(step for n in range(50) for step in started(f"load_{n}", 1)))
    table = ScreenMaker(fan(50)).make(run, ZERO + 2).table
    assert table.count("<tr>") == 11
    assert "and 40 more running" in table


def test_an_endless_word_makes_neither_failures_nor_the_panel_wider_than_the_page() -> None:
    run = fold(batches(*begun(small()), *started("flights", 1), failed("flights", 2, error="e" * 5000)))
    screen = ScreenMaker(small(), Controls(facts=lambda name: Facts())).make(run, 1_700_000_003.0, "flights")
    for part in (screen.news, screen.panel):
        assert "overflow-wrap:anywhere" in part.partition("eee")[0]
