"""What a live view shows at one moment: made from a graph and a snapshot, with no widget and no clock of its own."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Tuple

from flowdsl.engine import states as st
from flowdsl.views.dot import Picture
from flowdsl.views.drawing import FEW_BOXES, MANY_BOXES
from flowdsl.views.escape import esc, shorten
from flowdsl.views.palette import GREY, counts_text, look
from flowdsl.views.static import BUDGET
from flowdsl.views.table import html_table, pill, states_of
from flowdsl.views.times import steady
from flowdsl.views.watch import News, Watch, running

__all__ = ["Screen", "ScreenMaker"]

_RUNNING_ROWS = 10
_NEWS_ROWS = 8


class Screen(NamedTuple):
    """`headline`, `table` and `news` are HTML, `svg` is the picture ("": none)."""

    done: int
    total: int
    bad: bool  # something failed
    headline: str
    svg: str
    table: str
    news: str

    def weight(self) -> int:
        """Its bytes, were all of it sent."""
        return sum(len(part.encode("utf-8", "replace")) for part in (self.headline, self.svg, self.table, self.news))


class ScreenMaker:
    """Makes one screen after the other; the graph is laid out once, and more coarsely when a screen is too heavy."""

    def __init__(self, graph: Any, budget: int = BUDGET) -> None:
        self._graph = graph
        self._budget = budget
        self._watch = Watch()
        self._news: List[News] = []
        self._limits = [MANY_BOXES, FEW_BOXES]  # of boxes, still to be tried
        self._picture: Optional[Picture] = None
        self._painted: Tuple[int, str] = (-2, "")  # the seq of the last picture, and the picture

    def make(self, snapshot: Any, now: float) -> Screen:
        """The screen of `snapshot`; `now` is in seconds since the epoch, as its times are."""
        seq, counts = snapshot.seq, dict(snapshot.counts)
        self._news += self._watch.news(snapshot)
        screen = Screen(
            done=sum(counts.get(state, 0) for state in st.TERMINAL),
            total=len(snapshot.tasks) or len(self._graph.tasks),
            bad=any(counts.get(state) for state in st.DONE_BADLY),
            headline=_headline(snapshot, counts, now),
            svg="",
            table=_running_table(snapshot, now),
            news=_news_list(self._news),
        )
        return self._with_picture(screen, snapshot, seq)

    def _with_picture(self, screen: Screen, snapshot: Any, seq: int) -> Screen:
        while True:
            full = screen._replace(svg=self._svg(snapshot, seq))
            if not full.svg or full.weight() <= self._budget:
                return full
            self._picture, self._painted = None, (-2, "")
            self._limits.pop(0)

    def _svg(self, snapshot: Any, seq: int) -> str:
        if not self._limits:
            return ""
        if self._painted[0] != seq:
            if self._picture is None:
                self._picture = Picture(self._graph, self._limits[0])
            self._painted = (seq, self._picture.svg(states_of(snapshot)))
        return self._painted[1]


def _headline(snapshot: Any, counts: Mapping[str, int], now: float) -> str:
    since = None if snapshot.started_at is None else now - snapshot.started_at
    return " &#160; ".join(
        (
            f"<b>{esc(shorten(snapshot.flow, 60))}</b>",
            pill(look(snapshot.state)),
            esc(steady(since)),
            esc(counts_text(counts)),
        )
    )


def _running_table(snapshot: Any, now: float) -> str:
    rows = running(snapshot)
    if not rows:
        return ""
    body = [_running_cells(row, now) for row in rows[:_RUNNING_ROWS]]
    width = 5 if any(cells[-1] for cells in body) else 4
    table = html_table(("running", "attempt", "for", "worker", "progress")[:width], [cells[:width] for cells in body])
    return table + _more(len(rows) - _RUNNING_ROWS, "running")


def _running_cells(row: Any, now: float) -> Tuple[str, ...]:
    latest = row.latest
    began = row.started_at if latest is None else latest.started_at
    most = row.retries + 1
    done = "" if row.progress is None else f"{row.progress:.0%}"
    return (
        esc(shorten(row.name, 60)),
        f"{row.attempts} of {most}" if most >= row.attempts > 0 and most > 1 else str(row.attempts),
        esc("" if began is None else steady(now - began)),
        esc(shorten(row.worker or "", 24)),
        esc(f"{done} {shorten(row.message, 60)}".strip()),
    )


def _news_list(news: List[News]) -> str:
    """The latest failures and retries, newest last."""
    lines = []
    for item in news[-_NEWS_ROWS:]:
        after = "" if item.final else f' <span style="color:{GREY}">(attempt {item.attempt}, again soon)</span>'
        name, error = esc(shorten(item.task, 60)), esc(shorten(item.error, 160))
        lines.append(f'<div style="margin:2px 0">{pill(look(item.state))} <b>{name}</b>{after} {error}</div>')
    return _more(len(news) - _NEWS_ROWS, "earlier") + "".join(lines)


def _more(left: int, what: str) -> str:
    return f'<div style="color:{GREY}">and {left:,} more {what}</div>' if left > 0 else ""
