"""A run in a notebook that must show the same each time: one display, of its end, or of what began where nobody waits.

With `options.stable_repr`, where no page is open: nbval follows no display that is filled again and again. In a page
the live view is shown, and leaves the same behind.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.painter import FASTEST, Painter
from flowdsl.views.place import show
from flowdsl.views.static import plan_bundle, run_bundle

__all__ = ["StillView"]


class StillView:
    """Shows a run once; `read_snapshot` is called at its end."""

    def __init__(self, graph: Any, read_snapshot: Callable[[], Any], controls: Controls = NO_CONTROLS) -> None:
        self._graph, self._read, self._controls = graph, read_snapshot, controls
        self._painter = Painter(FASTEST, time.monotonic)

    @property
    def interval(self) -> float:
        """Seconds that the next paint should wait for."""
        return self._painter.interval

    @property
    def fault(self) -> Optional[BaseException]:
        """The last thing that went wrong in this view; None: nothing did."""
        return self._painter.fault

    def open(self) -> None:
        """Show what began, where its end is not shown here."""
        if self._controls.stays:
            self._painter.open(lambda: show(plan_bundle(self._graph, {}, self._controls.stays)))

    def paint(self) -> None:
        """Nothing: what a paint meets is chance."""

    def close(self) -> None:
        """Show the end."""
        if not self._controls.stays:
            self._painter.close(lambda: show(run_bundle(self._graph, self._read(), self._controls.tail)))
