"""A run as log lines, where no line can be written over: its start, what fails, how far it is, its end."""

from __future__ import annotations

import time
from typing import Any, Callable, List, Optional

from flowdsl.definition.counted import counted
from flowdsl.engine import states as st
from flowdsl.settings import options
from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.escape import clean, shorten
from flowdsl.views.output import failed_output
from flowdsl.views.painter import Painter
from flowdsl.views.palette import counts_text, look
from flowdsl.views.rank import ranks
from flowdsl.views.stream import Stream
from flowdsl.views.times import clock_time, steady, still_to_go, took
from flowdsl.views.watch import News, Watch, running

__all__ = ["LineView", "ended_line", "news_line"]

_OFTEN = 1.0  # seconds between two looks
_MOST_NEWS = 10  # lines a look
_FIRST_REPORT, _SLOWEST_REPORT = 10.0, 300.0  # seconds; each wait for a report is twice the last


class LineView:
    """Logs a run to stderr, one line for each thing worth telling; `read_snapshot` is called for each look."""

    def __init__(
        self,
        graph: Any,
        read_snapshot: Callable[[], Any],
        controls: Controls = NO_CONTROLS,
        interval: float = _OFTEN,
        *,
        stream: Optional[Any] = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._graph, self._read, self._controls = graph, read_snapshot, controls
        self._clock, self._timer = clock, timer
        self._stream = Stream(stream)
        self._painter = Painter(interval, timer)
        self._watch = Watch()
        self._wait = _FIRST_REPORT
        self._report_at = float("inf")

    @property
    def interval(self) -> float:
        """Seconds that the next look should wait for."""
        return self._painter.interval

    @property
    def fault(self) -> Optional[BaseException]:
        """The last thing that went wrong in this view; None: nothing did."""
        return self._painter.fault

    def open(self) -> None:
        """Say that the run begins."""
        self._painter.open(self._begin)

    def paint(self) -> None:
        """Say what happened since the last look, if one is due."""
        self._painter.paint(self._look)

    def close(self) -> None:
        """Say how the run ended."""
        self._painter.close(self._end)

    def _begin(self) -> None:
        self._report_at = self._timer() + self._wait
        note = [shorten(self._controls.note, 300)] if self._controls.note else []
        self._say([f"flow {shorten(self._graph.flow, 60)}: {counted(len(self._graph.tasks), 'task')}", *note])

    def _look(self) -> None:
        if options.stable_repr:  # what a look finds is chance; the end finds all of it
            return
        now = self._timer()
        snapshot = self._read()
        lines = self._news(snapshot)
        if now >= self._report_at:
            at = self._clock()
            lines.append(_report(snapshot, at, self._controls.left(snapshot, at)))
            self._wait = min(2 * self._wait, _SLOWEST_REPORT)
            self._report_at = now + self._wait
        self._say(lines)

    def _end(self) -> None:
        snapshot = self._read()
        self._say([*self._news(snapshot), *failed_output(snapshot, self._controls.tail), ended_line(snapshot)])

    def _news(self, snapshot: Any) -> List[str]:
        news = self._watch.news(snapshot)
        if options.stable_repr:
            order = ranks(snapshot)
            news.sort(key=lambda item: (order[item.task], item.attempt))
        lines = [news_line(item) for item in news[:_MOST_NEWS]]
        left = len(news) - _MOST_NEWS
        return [*lines, f"\u2026 and {left:,} more attempts that did not succeed"] if left > 0 else lines

    def _say(self, lines: List[str]) -> None:
        if lines:
            at = clock_time(self._clock())
            self._stream.write("".join(f"{at} {line}".lstrip() + "\n" for line in lines))


def news_line(item: News) -> str:
    """`x clean failed (attempt 4): ValueError: no`, or that it will be tried again, in one line."""
    how = look(item.state if item.final else st.RETRY_WAIT)
    word, name = look(item.state).word, shorten(item.task, 60)
    again = "" if item.final else ", will be tried again"
    error = shorten(item.error, 200)
    where = f" ({shorten(item.where, 100)})" if item.where else ""
    return f"{how.icon} {name} {word} (attempt {item.attempt}){again}" + (f": {error}{where}" if error else where)


def ended_line(snapshot: Any) -> str:
    """`v flow etl succeeded in 3.2 s: 12 succeeded (run 20261122-...)`."""
    how, told = look(snapshot.state), counts_text(snapshot.counts) or "no tasks"
    head = f"{how.icon} flow {shorten(snapshot.flow, 60)} {how.word}{took(snapshot)}: {told}"
    return head if options.stable_repr else f"{head} (run {clean(snapshot.run_id)})"


def _report(snapshot: Any, now: float, left: Optional[float]) -> str:
    counts = snapshot.counts
    done = sum(counts.get(state, 0) for state in st.TERMINAL)
    rows = running(snapshot)
    since = "" if snapshot.started_at is None else f" after {steady(now - snapshot.started_at)}"
    line = ", ".join(filter(None, (f"{done:,} of {len(snapshot.tasks):,} done{since}", still_to_go(left))))
    if rows:
        names = ", ".join(shorten(row.name, 24) for row in rows[:4])
        line += f", running: {names}" + (f" and {len(rows) - 4:,} more" if len(rows) > 4 else "")
    return line
