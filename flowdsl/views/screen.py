"""What a live view shows at one moment: made from a graph and a snapshot, with no widget and no clock of its own."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Tuple

from flowdsl.engine import states as st
from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.dot import Picture
from flowdsl.views.drawing import FEW_BOXES, MANY_BOXES
from flowdsl.views.escape import esc, shorten
from flowdsl.views.output import running_output_html
from flowdsl.views.palette import GREY, counts_text, look
from flowdsl.views.panel import panel_html
from flowdsl.views.static import BUDGET
from flowdsl.views.table import items_of, more, pill, states_of
from flowdsl.views.times import steady, still_to_go
from flowdsl.views.under_way import under_way
from flowdsl.views.watch import News, Watch, running

__all__ = ["Screen", "ScreenMaker"]

_NEWS_ROWS = 8
_LINE = "margin:2px 0;overflow-wrap:anywhere"


class Screen(NamedTuple):
    """`headline`, `table`, `news` and `panel` are HTML, `svg` is the picture ("": none)."""

    done: int
    total: int
    bad: bool  # something failed
    headline: str
    svg: str
    table: str
    news: str
    panel: str = ""

    def weight(self) -> int:
        """Its bytes, were all of it sent."""
        return sum(
            len(part.encode("utf-8", "replace"))
            for part in (self.headline, self.svg, self.table, self.news, self.panel)
        )


class ScreenMaker:
    """Makes one screen after the other; the graph is laid out once, and more coarsely when a screen is too heavy."""

    def __init__(self, graph: Any, controls: Controls = NO_CONTROLS, budget: int = BUDGET) -> None:
        self._graph = graph
        self._controls = controls
        self._budget = budget
        self._watch = Watch()
        self._news: List[News] = []
        self._limits = [MANY_BOXES, FEW_BOXES]  # of boxes, still to be tried
        self._picture: Optional[Picture] = None
        self._painted: Tuple[int, str] = (-2, "")  # the seq of the last picture, and the picture

    def make(self, snapshot: Any, now: float, chosen: str = "") -> Screen:
        """The screen of `snapshot`; `now` is in seconds since the epoch, as its times are.

        `chosen` is the task whose panel is open, "" for none.
        """
        seq, counts = snapshot.seq, dict(snapshot.counts)
        self._news += self._watch.news(snapshot)
        screen = Screen(
            done=sum(counts.get(state, 0) for state in st.TERMINAL),
            total=len(snapshot.tasks) or len(self._graph.tasks),
            bad=any(counts.get(state) for state in st.DONE_BADLY),
            headline=self._headline(snapshot, counts, now),
            svg="",
            table=under_way(snapshot, now) + running_output_html(running(snapshot), self._controls.tail),
            news=_news_list(self._news),
            panel=self._panel(snapshot, now, chosen),
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
            self._painted = (seq, self._picture.svg(states_of(snapshot), items_of(snapshot)))
        return self._painted[1]

    def _headline(self, snapshot: Any, counts: Mapping[str, int], now: float) -> str:
        since = None if snapshot.started_at is None else now - snapshot.started_at
        left = still_to_go(self._controls.left(snapshot, now))
        parts = [f"<b>{esc(shorten(snapshot.flow, 60))}</b>", pill(look(snapshot.state)), esc(steady(since))]
        parts += [esc(left), esc(counts_text(counts))]
        note = shorten(self._controls.note, 300)
        return " &#160; ".join(filter(None, parts)) + (f'<div style="color:{GREY}">{esc(note)}</div>' if note else "")

    def _panel(self, snapshot: Any, now: float, chosen: str) -> str:
        ask = self._controls.facts
        return panel_html(snapshot, chosen, ask(chosen), now) if chosen and ask is not None else ""


def _news_list(news: List[News]) -> str:
    """The latest failures and retries, newest last."""
    lines = []
    for item in news[-_NEWS_ROWS:]:
        after = "" if item.final else f' <span style="color:{GREY}">(attempt {item.attempt}, again soon)</span>'
        name, error = esc(shorten(item.task, 60)), esc(shorten(item.error, 160))
        place = f' <span style="color:{GREY}">{esc(shorten(item.where, 120))}</span>' if item.where else ""
        lines.append(f'<div style="{_LINE}">{pill(look(item.state))} <b>{name}</b>{after} {error}{place}</div>')
    return more(len(news) - _NEWS_ROWS, "earlier") + "".join(lines)
