"""What stays for a while below the picture of a run that failed: Retry failed, and the panel of a task.

The picture itself is static from the moment at which the run ends. Widgets are lost with the kernel, so these stand in
a display of their own, are put there only where a server has a page for the kernel, and go again by themselves.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Callable, Sequence

from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.escape import esc, shorten
from flowdsl.views.panel import Facts, panel_html
from flowdsl.views.place import NOTHING, Place
from flowdsl.views.surface import button, close_all, picker

__all__ = ["STAYS", "Afterwards"]

STAYS = 600.0  # seconds


class Afterwards:
    """The row of buttons; `retry`, `facts` and the place to use come from the view that it follows."""

    def __init__(
        self,
        place: Place,
        controls: Controls,
        read_snapshot: Callable[[], Any],
        names: Sequence[str],
        later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        import ipywidgets

        self._place, self._controls, self._read = place, controls, read_snapshot
        self._panel = ipywidgets.HTML()
        self._button = button("Retry failed", "refresh", self._retry, "Starting", width="150px")
        row = [
            self._button,
            picker(names, self._choose),
            button("Close", "times", self.close, "Closing", width="90px"),
        ]
        self._box: Any = ipywidgets.VBox([ipywidgets.HBox(row), self._panel])
        place.below.update(self._box)
        later(STAYS, self.close)

    def _choose(self, name: str) -> None:
        facts = self._controls.facts(name) if self._controls.facts is not None else Facts()
        self._panel.value = panel_html(self._read(), name, facts) if name else ""

    def _retry(self) -> None:
        """Run again in the same place; where that cannot be, say why."""
        assert self._controls.retry is not None
        try:
            self._controls.retry(self._place)
        except Exception as exc:
            self._button.disabled, self._button.description = False, "Retry failed"
            text = f"{type(exc).__name__}: {exc}"
            self._panel.value = "<br>".join(esc(shorten(line, 300)) for line in text.splitlines()[:10])
        else:
            self.close()

    def close(self) -> None:
        """Take the row away, if it is still there."""
        box, self._box = self._box, None
        if box is None:
            return
        self._controls, self._read = NO_CONTROLS, lambda: None  # the timer keeps this row, but not the run's results
        with suppress(Exception):  # the kernel is shutting down
            self._place.below.update(NOTHING, raw=True)
            close_all(box)
