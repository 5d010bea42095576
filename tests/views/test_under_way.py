"""The table of what runs and what waits."""

from __future__ import annotations

import re

from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import fold
from flowdsl.views.controls import Controls
from flowdsl.views.screen import ScreenMaker
from flowdsl.views.under_way import under_way
from tests.views.samples import batches, begun, chain, failed, started

ZERO = 1_700_000_000.0


def test_a_task_that_waits_for_its_retry_says_for_how_long_and_for_which_attempt() -> None:
    at, event = failed("t0", 2, retry=True)
    run = fold(batches(*begun(chain(1)), *started("t0", 1), (at, event._replace(detail={"retry_at": 5.0}))))
    run.tasks["t0"].retries = 3
    table = under_way(run, ZERO + 2.4)
    assert "2 of 4" in table and "\u21bb waits to retry</span> in 3 s" in table


def test_a_mapped_task_is_one_row_with_its_items_counted() -> None:
    run = fold(
        batches(
            *begun(chain(1)),
            (0.5, Event("task_expanded", "t0", 0, "pending", "running", "expanded", detail={"size": 4})),
        )
    )
    row = run.tasks["t0"]
    row.size, row.items, row.state = 4, {"succeeded": 3, "running": 1}, "running"
    run.counts["running"] = 1
    table = under_way(run, ZERO + 2)
    assert "3 of 4 items" in table and "75%" in table
    assert len(re.findall("<tr>", table)) == 2


def test_progress_is_a_bar_and_a_percentage() -> None:
    run = fold(batches(*begun(chain(1)), *started("t0", 1)))
    run.tasks["t0"].progress = 0.5
    assert "\u2588" * 5 + "\u2591" * 5 + " 50%" in under_way(run, ZERO + 2)


def test_the_time_left_is_told_where_it_is_known() -> None:
    run = fold(batches(*begun(chain(1)), *started("t0", 1)))
    for seconds, told in ((75.0, "about 1 min 10 s left"), (None, "")):
        screen = ScreenMaker(chain(1), Controls(time_left=lambda *_, s=seconds: s)).make(run, ZERO + 2)
        assert told in screen.headline
        assert ("left" in screen.headline) == bool(told)
