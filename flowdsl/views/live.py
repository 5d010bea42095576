"""The live view of a run in a notebook: one display that is painted while the run lives and then becomes static HTML.

The only file that knows IPython and ipywidgets, and it loads them when a view opens. Without ipywidgets the same
things are shown as HTML; without a front end the messages go nowhere, and nothing else changes. A view never breaks
the run that it shows: what goes wrong here stays here, in `fault`.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, List, Optional

from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.escape import esc, shorten
from flowdsl.views.painter import FASTEST, Painter
from flowdsl.views.palette import GREY
from flowdsl.views.screen import Screen, ScreenMaker
from flowdsl.views.static import image, least_width, run_bundle
from flowdsl.views.svg import size

__all__ = ["LiveView"]

_PATIENCE = 0.3  # seconds: runs that end sooner show only their end; the last picture is sent again after as long


class LiveView:
    """Shows a run in a cell.

    Parameters
    ----------
    graph : the graph that runs.
    read_snapshot : called for each paint; returns the run's snapshot.
    controls : what its buttons do (in a cell that blocks none can work), and what it says before the run begins.
    interval : seconds from one paint to the next; 0.2 at least, more when a paint is costly.
    """

    def __init__(
        self,
        graph: Any,
        read_snapshot: Callable[[], Any],
        controls: Controls = NO_CONTROLS,
        interval: float = FASTEST,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        cost: Callable[[], float] = time.thread_time,
        later: Optional[Callable[[float, Callable[[], None]], None]] = None,
    ) -> None:
        self._graph = graph
        self._read = read_snapshot
        self._cancel = controls.cancel
        self._clock, self._timer, self._later = clock, timer, later or _later
        self._painter = Painter(interval, timer, cost)
        self._maker = ScreenMaker(graph)
        self._note = controls.note
        self._handle: Any = None
        self._surface: Any = None
        self._opened = 0.0

    @property
    def interval(self) -> float:
        """Seconds that the next paint should wait for."""
        return self._painter.interval

    @property
    def fault(self) -> Optional[BaseException]:
        """The last thing that went wrong in this view; None: nothing did."""
        return self._painter.fault

    def open(self) -> None:
        """Take the place in the cell; what fills it comes with the first paint, for a short run needs no widgets."""
        self._painter.open(self._open)

    def paint(self) -> None:
        """Show the run as it is now, if a paint is due and something changed."""
        if self._handle is None or self._timer() - self._opened < _PATIENCE:
            return
        if self._surface is None:
            self._painter.open(self._prepare)
        if self._surface is not None:
            self._painter.paint(self._paint)

    def close(self) -> None:
        """Make the display what it stays: static HTML, sent twice, for the front end may miss one message of many."""
        self._painter.close(self._close)

    def _open(self) -> None:
        import IPython.display

        display: Any = IPython.display.display
        self._opened = self._timer()
        waiting = f"{esc(self._graph.flow)}: starting"
        note = shorten(self._note, 300)
        html = f'<div style="color:{GREY}">{waiting}<br>{esc(note)}</div>'
        bundle = {"text/html": html, "text/plain": f"{waiting}\n{note}".strip()}
        self._handle = display(bundle, raw=True, display_id=True)

    def _prepare(self) -> None:
        """What is done once: load ipywidgets, lay out the graph."""
        self._maker.make(self._read(), self._clock())
        self._surface = _surface(self._handle, self._cancel)

    def _paint(self) -> None:
        self._surface.show(self._maker.make(self._read(), self._clock()))

    def _close(self) -> None:
        handle, surface = self._handle, self._surface
        if handle is None:
            return
        bundle = run_bundle(self._graph, self._read())
        handle.update(bundle, raw=True)
        self._later(_PATIENCE, lambda: _again(handle, bundle))
        if surface is not None:
            surface.close()


def _again(handle: Any, bundle: Dict[str, str]) -> None:
    try:
        handle.update(bundle, raw=True)
    except Exception:  # the kernel is shutting down
        return


def _later(delay: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(delay, act)
    timer.daemon = True
    timer.start()


def _surface(handle: Any, cancel: Optional[Callable[[], Any]]) -> Any:
    try:
        return _Widgets(handle, cancel)
    except Exception:  # ipywidgets is missing, or is one that we do not know
        return _Html(handle)


class _Html:
    """A screen as HTML in the display itself; each paint sends all of it."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._last = ""

    def show(self, screen: Screen) -> None:
        share = 100 * screen.done // max(1, screen.total)
        plain = f"{screen.done} of {screen.total} done"
        bar = f'<div style="color:{GREY}">{"&#9608;" * (share // 4)}{"&#9617;" * (25 - share // 4)} {plain}</div>'
        picture = image(screen.svg) if screen.svg and len(screen.svg) < 170 * 1024 else ""
        html = f"<div>{bar}{screen.headline}{picture}{screen.table}{screen.news}</div>"
        if html != self._last:
            self._handle.update({"text/html": html, "text/plain": plain}, raw=True)
            self._last = html

    def close(self) -> None:
        """Nothing is left behind."""


class _Widgets:
    """A screen as a box of widgets; each sends only what changed of it."""

    def __init__(self, handle: Any, cancel: Optional[Callable[[], Any]]) -> None:
        import ipywidgets

        self._bar = ipywidgets.IntProgress(value=0, min=0, max=1, layout={"width": "240px"})
        self._count = ipywidgets.HTML()
        self._headline = ipywidgets.HTML()
        self._image = ipywidgets.Image(format="svg+xml", layout={"max_width": "100%", "height": "auto"})
        picture = ipywidgets.Box([self._image], layout={"overflow": "auto", "display": "block"})
        self._table = ipywidgets.HTML()
        self._news = ipywidgets.HTML()
        top: List[Any] = [self._bar, self._count]
        if cancel is not None:
            top.append(self._button(ipywidgets, cancel))
        row = ipywidgets.HBox(top)
        self._box = ipywidgets.VBox([row, self._headline, picture, self._table, self._news])
        handle.update(self._box)

    def _button(self, ipywidgets: Any, cancel: Callable[[], Any]) -> Any:
        button = ipywidgets.Button(description="Cancel", icon="stop", layout={"width": "90px"})

        def clicked(_: Any) -> None:
            button.disabled, button.description = True, "Cancelling"
            cancel()

        button.on_click(clicked)
        return button

    def show(self, screen: Screen) -> None:
        if self._bar.max != max(1, screen.total):
            self._bar.max = max(1, screen.total)
        self._bar.value = screen.done
        self._bar.bar_style = "danger" if screen.bad else "info"
        self._count.value = f"{screen.done:,} of {screen.total:,} done"
        self._headline.value = screen.headline
        self._show_picture(screen.svg)
        self._table.value, self._news.value = screen.table, screen.news

    def _show_picture(self, svg: str) -> None:
        data = svg.encode("utf-8", "replace")
        if self._image.value == data:
            return
        if svg:
            self._image.layout.width, self._image.layout.min_width = f"{size(svg)[0]}px", f"{least_width(svg)}px"
        self._image.layout.display = "" if svg else "none"
        self._image.value = data

    def close(self) -> None:
        """Close the widgets, those inside and what they are styled by too: none is left in the notebook."""
        open_: List[Any] = [self._box]
        while open_:
            widget = open_.pop()
            open_ += getattr(widget, "children", ())
            parts: List[Any] = [getattr(widget, "layout", None), getattr(widget, "style", None), widget]
            for part in parts:
                if part is not None:
                    part.close()
