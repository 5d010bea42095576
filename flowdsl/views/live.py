"""The live view of a run in a notebook: one display that is painted while the run lives and then becomes static HTML.

Without ipywidgets the same things are shown as HTML; without a front end the messages go nowhere, and nothing else
changes. A view never breaks the run that it shows: what goes wrong here stays here, in `fault`.

When the run ends the output is static at once, so that a notebook that is saved then holds no widget. What there is to
press after a run that failed is drawn into it by the page and is in no file, see `afterwards.py`.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, Optional

from flowdsl.engine import states as st
from flowdsl.settings import options
from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.escape import esc, shorten
from flowdsl.views.painter import FASTEST, Painter
from flowdsl.views.palette import GREY
from flowdsl.views.place import in_a_page, open_place
from flowdsl.views.screen import ScreenMaker
from flowdsl.views.static import plan_bundle, retry_line, run_bundle
from flowdsl.views.surface import surface

__all__ = ["LiveView"]

_PATIENCE = 0.3  # seconds: runs that end sooner show only their end; the last picture is sent again after as long


class LiveView:
    """Shows a run in a cell.

    Args:
        graph: the graph that runs.
        read_snapshot: called for each paint; returns the run's snapshot.
        controls: what its buttons do (in a cell that blocks none can work), and what it says before the run begins.
        interval: seconds from one paint to the next; 0.2 at least, more when a paint is costly.
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
        self._controls = controls
        self._clock, self._timer, self._later = clock, timer, later or _later
        self._painter = Painter(interval, timer, cost)
        self._maker = ScreenMaker(graph, controls)
        self._place: Any = None  # the handle of its display
        self._surface: Any = None
        self._opened = 0.0
        self._taken = False  # another run has the place

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
        if self._place is None or self._timer() - self._opened < _PATIENCE:
            return
        if self._surface is None:
            self._painter.open(self._prepare)
        if self._surface is not None:
            self._painter.paint(self._paint)

    def close(self) -> None:
        """Make the display what it stays: static HTML, sent twice, for the front end may miss one message of many."""
        self._painter.close(self._close)

    def _open(self) -> None:
        self._opened = self._timer()
        waiting = f"{esc(self._graph.flow)}: starting"
        note = shorten(self._controls.note, 300)
        html = f'<div style="color:{GREY}">{waiting}<br>{esc(note)}</div>'
        bundle = {"text/html": html, "text/plain": f"{waiting}\n{note}".strip()}
        self._place = self._controls.place
        if self._place is None:
            self._place = open_place(bundle)
        else:
            self._place.update(bundle, raw=True)

    def _prepare(self) -> None:
        """What is done once in a kernel, and is no cost of a paint: load ipywidgets."""
        if self._place is not None:
            self._surface = surface(self._place, self._controls, list(self._graph.tasks))

    def _paint(self) -> None:
        self._surface.show(self._maker.make(self._read(), self._clock(), self._surface.chosen))

    def _close(self) -> None:
        place, surface = self._place, self._surface
        if place is None:
            return
        snapshot = self._read()
        offers = self._controls.retry is not None and snapshot.state == st.FAILED
        foot = retry_line(snapshot.run_id) if offers and not options.stable_repr else ""
        stays, tail = self._controls.stays, self._controls.tail
        bundle = plan_bundle(self._graph, {}, stays) if stays else run_bundle(self._graph, snapshot, tail, foot)
        place.update(bundle, raw=True)
        self._later(_PATIENCE, lambda: _try(lambda: self._send_again(place, bundle)))
        wanted = surface is not None and surface.wants_retry
        if surface is not None:
            surface.close()
        if offers:
            self._follow(place, wanted, bool(foot) and in_a_page())

    def _follow(self, place: Any, wanted: bool, seen: bool) -> None:
        """After a run that failed: run again what failed, where that was asked for, else offer it."""
        assert self._controls.retry is not None
        if wanted:
            self._taken = True
            self._controls.retry(place)
        elif seen:
            from flowdsl.views.afterwards import Afterwards

            retry = self._controls._replace(retry=self._retry)
            Afterwards(place, retry, self._read, list(self._graph.tasks), self._later)

    def _retry(self, place: Any) -> None:
        assert self._controls.retry is not None
        self._controls.retry(place)
        self._taken = True

    def _send_again(self, place: Any, bundle: Dict[str, str]) -> None:
        if not self._taken:  # else another run is shown there by now
            place.update(bundle, raw=True)


def _later(delay: float, act: Callable[[], None]) -> None:
    timer = threading.Timer(delay, act)
    timer.daemon = True
    timer.start()


def _try(act: Callable[[], None]) -> None:
    try:
        act()
    except Exception:  # the kernel is shutting down
        return
