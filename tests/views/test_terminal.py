"""A run in a terminal."""

from __future__ import annotations

import io
from typing import Any, List

import pytest

from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.views.controls import Controls
from flowdsl.views.escape import columns
from flowdsl.views.terminal import TerminalView, progress_line
from tests.views.samples import NASTY, WHERE, batches, begun, failed, fan, graph_of, small, started, story


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def screen(self) -> List[str]:
        """The lines that are seen in the end: a carriage return writes its line over."""
        shown = []
        for line in self.getvalue().split("\n"):
            cells = ""
            for part in line.split("\r"):
                cells = part + cells[len(part) :]
            shown.append(cells.rstrip())
        return shown


def shown(stream: Any) -> TerminalView:
    """The view after it was painted at every step of the story."""
    run, now = Snapshot(), [0.0]
    view = TerminalView(small(), lambda: run, stream=stream, clock=lambda: now[0], timer=lambda: now[0])
    view.open()
    for batch in story():
        now[0] = batch.at
        run.apply(batch)
        view.paint()
    view.close()
    return view


def test_failures_stay_as_lines_and_the_progress_line_gives_way_to_the_end() -> None:
    terminal = Terminal()
    assert shown(terminal).fault is None
    assert terminal.screen() == [
        "\u21bb clean failed (attempt 1), will be tried again: KeyError: 'dep_tme' " + WHERE,
        "\u2717 clean failed (attempt 2): KeyError: 'dep_tme' " + WHERE,
        "\u2717 flow etl failed in 3.2 s: \u2717 1 failed, \u2298 1 upstream failed, \u2713 2 succeeded (run r1)",
        "",
    ]


def test_the_line_says_how_far_it_is_and_what_runs() -> None:
    run = fold(story()[:12])
    assert progress_line(run, 1_700_000_002.0, 100) == "[#####---------------] 1/4 etl  2 s  running: clean, audit"


def test_the_line_says_how_long_it_will_still_take_where_earlier_runs_tell() -> None:
    terminal, run = Terminal(), fold(story()[:12])
    controls = Controls(time_left=lambda snapshot, now: now - 1_699_999_990.0)
    view = TerminalView(small(), lambda: run, controls, stream=terminal, clock=lambda: 1_700_000_002.0)
    view.paint()
    assert view.fault is None
    assert "1/4 etl  2 s, about 12 s left  running" in terminal.screen()[0]


@pytest.mark.parametrize("width", [20, 33, 40, 79])
def test_the_line_never_breaks(width: int) -> None:
    graph = graph_of({"\u98db\u884c" * 20: [], "b": []}, flow="\u98db" * 50)
    run = fold(batches(*begun(graph), *started("\u98db\u884c" * 20, 1)))
    assert columns(progress_line(run, 1_700_000_002.0, width)) <= width


def test_nothing_is_written_when_nothing_changed() -> None:
    terminal, run, now = Terminal(), fold(story()[:12]), [1_700_000_002.0]
    view = TerminalView(small(), lambda: run, stream=terminal, clock=lambda: 1_700_000_002.0, timer=lambda: now[0])
    view.paint()
    before = terminal.getvalue()
    now[0] += 1
    view.paint()
    assert terminal.getvalue() == before != ""


def test_a_flood_of_failures_is_cut_with_a_count() -> None:
    graph = fan(500)
    steps = [step for n in range(500) for step in (*started(f"load_{n}", 1), failed(f"load_{n}", 2))]
    terminal, run = Terminal(), fold(batches(*begun(graph), *steps))
    view = TerminalView(graph, lambda: run, stream=terminal)
    view.paint()
    assert len(terminal.screen()) == 22
    assert "480 more" in terminal.getvalue()


def test_control_characters_of_users_do_not_reach_the_terminal() -> None:
    graph = graph_of({NASTY: []}, flow=NASTY)
    run = fold(batches(*begun(graph, NASTY), *started(NASTY, 1), failed(NASTY, 2, error="\x1b[2J\rgone\n" + NASTY)))
    terminal = Terminal()
    view = TerminalView(graph, lambda: run, stream=terminal)
    view.paint()
    view.close()
    assert "\x1b" not in terminal.getvalue()
    assert "\x00" not in terminal.getvalue()
    assert len(terminal.screen()) == 3


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


def test_a_closed_terminal_is_survived() -> None:
    assert shown(closed()).fault is None


def test_a_snapshot_that_cannot_be_read_is_survived() -> None:
    view = TerminalView(small(), lambda: 1 / 0, stream=Terminal())
    view.open()
    view.paint()
    view.close()
    assert isinstance(view.fault, ZeroDivisionError)
