"""A run in a terminal: one line that is written over, and failures as lines of their own above it."""

from __future__ import annotations

import time
from typing import Any, Callable, List, Optional

from flowdsl.engine import states as st
from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.escape import columns, shorten
from flowdsl.views.lines import ended_line, news_line
from flowdsl.views.output import failed_output
from flowdsl.views.painter import FASTEST, Painter
from flowdsl.views.palette import look
from flowdsl.views.stream import Stream
from flowdsl.views.times import steady, still_to_go
from flowdsl.views.watch import Watch, running

__all__ = ["TerminalView", "progress_line"]

_BAR = 20
_MOST_NEWS = 20  # lines a paint; more than that scroll past unread


class TerminalView:
    """Shows a run on stderr of a terminal; `read_snapshot` is called for each paint."""

    def __init__(
        self,
        graph: Any,
        read_snapshot: Callable[[], Any],
        controls: Controls = NO_CONTROLS,
        interval: float = FASTEST,
        *,
        stream: Optional[Any] = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._graph, self._read = graph, read_snapshot
        self._clock = clock
        self._stream = Stream(stream)
        self._painter = Painter(interval, timer)
        self._watch = Watch()
        self._line = ""
        self._controls = controls

    @property
    def interval(self) -> float:
        """Seconds that the next paint should wait for."""
        return self._painter.interval

    @property
    def fault(self) -> Optional[BaseException]:
        """The last thing that went wrong in this view; None: nothing did."""
        return self._painter.fault

    def open(self) -> None:
        """Say what will run, if there is more to say of it than its name; a short run else shows only its end."""
        if self._controls.note:
            self._stream.write(shorten(self._controls.note, 300) + "\n")

    def paint(self) -> None:
        """Write the line over, if a paint is due and something changed."""
        self._painter.paint(self._paint)

    def close(self) -> None:
        """Replace the line by how the run ended."""
        self._painter.close(self._end)

    def _paint(self) -> None:
        snapshot = self._read()
        above = self._news(snapshot)
        now = self._clock()
        line = progress_line(snapshot, now, self._stream.width() - 1, self._controls.left(snapshot, now))
        if above or line != self._line:
            self._stream.write(self._over(above, line))
            self._line = line

    def _end(self) -> None:
        snapshot = self._read()
        lines = [*self._news(snapshot), *failed_output(snapshot, self._controls.tail), ended_line(snapshot)]
        self._stream.write(self._over(lines, ""))

    def _news(self, snapshot: Any) -> List[str]:
        news = self._watch.news(snapshot)
        lines = [news_line(item) for item in news[:_MOST_NEWS]]
        left = len(news) - _MOST_NEWS
        return [*lines, f"  \u2026 and {left:,} more attempts that did not succeed"] if left > 0 else lines

    def _over(self, above: List[str], line: str) -> str:
        """What turns the last line into `above` and `line`; blanks wipe it, for not every console knows more."""
        wipe = "\r" + " " * columns(self._line) + "\r" if self._line else ""
        return wipe + "".join(f"{text}\n" for text in above) + line


def progress_line(snapshot: Any, now: float, width: int, left: Optional[float] = None) -> str:
    """`[######----] 12/20 etl  3 s, about 8 s left  x 1 failed  running: clean, delays` in at most `width` columns.

    `left` are the seconds that the run will still take, where somebody can tell.
    """
    counts = dict(snapshot.counts)
    total = len(snapshot.tasks)
    done = sum(counts.get(state, 0) for state in st.TERMINAL)
    filled = _BAR * done // max(1, total)
    parts = [f"[{'#' * filled}{'-' * (_BAR - filled)}] {done:,}/{total:,} {shorten(snapshot.flow, 20)}"]
    since = "" if snapshot.started_at is None else steady(now - snapshot.started_at)
    if since:
        parts.append(", ".join(filter(None, (since, still_to_go(left)))))
    for state in (st.FAILED, st.TIMED_OUT, st.RETRY_WAIT):
        if counts.get(state):
            parts.append(f"{look(state).icon} {counts[state]:,} {look(state).word}")
    rows = running(snapshot)
    if rows:
        names = ", ".join(shorten(row.name, 24) for row in rows[:4])
        parts.append(f"running: {names}" + (f" +{len(rows) - 4:,}" if len(rows) > 4 else ""))
    return _cut("  ".join(parts), width)


def _cut(text: str, width: int) -> str:
    while columns(text) > width:
        text = text[: len(text) - max(1, (columns(text) - width) // 2)]
    return text
