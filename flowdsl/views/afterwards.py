"""What stays for a while with the end state of a run that failed: Retry failed, and the panel of a task.

The end state is static from the moment at which the run ends, and says what to type. The page draws the buttons over
that line, by a widget that has no view: no output holds it, so a file that is saved meanwhile has nothing that needs a
kernel. They go again by themselves, and with the page.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Sequence

import anywidget
import traitlets

from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.escape import esc, shorten
from flowdsl.views.panel import Facts, panel_html
from flowdsl.views.surface import LISTED, close_all

__all__ = ["STAYS", "Afterwards"]

STAYS = 600.0  # seconds


class Row(anywidget.AnyWidget):
    """The row as the page draws it; `drawn` by the first page that did."""

    _esm = Path(__file__).with_name("afterwards.js")
    run = traitlets.Unicode().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    panel = traitlets.Unicode().tag(sync=True)
    drawn = traitlets.Bool(False).tag(sync=True)


class Afterwards:
    """The row of a run; `retry`, `facts` and the place to use come from the view that it follows."""

    def __init__(
        self,
        place: Any,
        controls: Controls,
        read_snapshot: Callable[[], Any],
        names: Sequence[str],
        later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        self._place, self._controls, self._read = place, controls, read_snapshot
        self._names = frozenset(names)
        self._row: Any = Row(run=read_snapshot().run_id, names=list(names) if len(names) <= LISTED else [])
        self._row.on_msg(self._hear)
        later(STAYS, self.close)

    def _hear(self, _: Any, asked: Any, __: Any) -> None:
        what, task = asked.get("ask"), asked.get("task")
        if self._row is None:
            return
        if what == "retry":
            self._retry()
        elif what == "look" and isinstance(task, str):
            self._look(task)

    def _look(self, name: str) -> None:
        facts = self._controls.facts
        shown = facts(name) if facts is not None and name in self._names else Facts()
        self._row.panel = panel_html(self._read(), name, shown) if name else ""

    def _retry(self) -> None:
        """Run again in the same place; where that cannot be, say why."""
        assert self._controls.retry is not None
        try:
            self._controls.retry(self._place)
        except Exception as exc:
            text = f"{type(exc).__name__}: {exc}"
            self._row.panel = "<br>".join(esc(shorten(line, 300)) for line in text.splitlines()[:10])
            self._row.send({"refused": True})
        else:
            self.close()

    def close(self) -> None:
        """Take the row away, if it is still there."""
        row, self._row = self._row, None
        if row is None:
            return
        self._controls, self._read = NO_CONTROLS, lambda: None  # the timer keeps this row, but not the run's results
        with suppress(Exception):  # the kernel is shutting down
            close_all(row)
