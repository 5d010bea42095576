"""A run as log lines."""

from __future__ import annotations

import io
import re
from typing import Any, List

from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.lines import LineView, ended_line
from tests.views.samples import NASTY, WHERE, batches, begun, chain, ended, failed, fan, graph_of, small, started, story


class Log(io.StringIO):
    encoding = "utf-8"

    def lines(self) -> List[str]:
        """The lines without their time of day."""
        return [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in self.getvalue().splitlines()]


def logged(graph: Any, steps: list, seconds: float = 1.0, controls: Controls = NO_CONTROLS) -> Log:
    """The log of a run of which a batch comes every so many seconds."""
    log, run, now = Log(), Snapshot(), [0.0]
    view = LineView(graph, lambda: run, controls, stream=log, clock=lambda: 1_700_000_000.0, timer=lambda: now[0])
    view.open()
    for batch in steps:
        now[0] += seconds
        run.apply(batch)
        view.paint()
    view.close()
    assert view.fault is None
    return log


def test_a_run_is_its_start_its_failures_and_its_end() -> None:
    assert logged(small(), story(), seconds=0.1).lines() == [
        "flow etl: 4 tasks",
        "\u21bb clean failed (attempt 1), will be tried again: KeyError: 'dep_tme' " + WHERE,
        "\u2717 clean failed (attempt 2): KeyError: 'dep_tme' " + WHERE,
        "\u2717 flow etl failed in 3.2 s: \u2717 1 failed, \u2298 1 upstream failed, \u2713 2 succeeded (run r1)",
    ]


def test_a_long_run_reports_ever_more_seldom() -> None:
    graph = chain(1)
    steps = batches(*begun(graph), *started("t0", 1))
    quiet = [steps[-1]._replace(seq=99 + n, events=()) for n in range(1000)]
    controls = Controls(time_left=lambda snapshot, now: 90.0)
    reports = [line for line in logged(graph, [*steps, *quiet], controls=controls).lines() if "of 1 done" in line]
    assert reports[0].startswith("0 of 1 done")
    assert reports[0].endswith(", about 1 min 30 s left, running: t0")
    assert 4 <= len(reports) <= 8


def test_a_flood_of_failures_is_cut_with_a_count() -> None:
    graph = fan(500)
    steps = [step for n in range(500) for step in (*started(f"load_{n}", 1), failed(f"load_{n}", 2))]
    log, run = Log(), fold(batches(*begun(graph), *steps))
    view = LineView(graph, lambda: run, stream=log)
    view.open()
    view.paint()
    assert len(log.lines()) == 12
    assert "490 more" in log.lines()[-1]


def test_a_message_with_line_breaks_stays_one_line() -> None:
    graph = graph_of({NASTY: []}, flow=NASTY)
    error = '\n{"status":"completed"}\n\x1b[2J'
    log = logged(graph, batches(*begun(graph, NASTY), *started(NASTY, 1), failed(NASTY, 2, error=error)))
    assert len(log.lines()) == 3
    assert "\x1b" not in log.getvalue()


def test_a_broken_log_is_survived() -> None:
    log = Log()
    log.close()
    view = LineView(small(), lambda: fold(story()), stream=log)
    view.open()
    view.paint()
    view.close()
    assert view.fault is None


def test_a_run_without_tasks_says_so() -> None:
    run = fold(batches(*begun(graph_of({})), ended(1.0, "succeeded", "done")))
    assert ended_line(run) == "\u2713 flow etl succeeded in 1.0 s: no tasks (run r1)"
