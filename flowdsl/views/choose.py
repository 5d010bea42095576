"""Which view shows a run: the one that fits where the code runs, or the one that was asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from flowdsl.definition.options import DISPLAY
from flowdsl.errors import ConfigError
from flowdsl.settings import options
from flowdsl.views.controls import NO_CONTROLS, Controls
from flowdsl.views.place import in_a_page
from flowdsl.views.stream import Stream

if TYPE_CHECKING:
    from flowdsl.views.lines import LineView
    from flowdsl.views.live import LiveView
    from flowdsl.views.still import StillView
    from flowdsl.views.terminal import TerminalView

    View = Union[LiveView, StillView, TerminalView, LineView]

__all__ = ["choose_view", "in_notebook"]

_VIEWS = {
    "notebook": ("live", "LiveView"),
    "still": ("still", "StillView"),
    "terminal": ("terminal", "TerminalView"),
    "lines": ("lines", "LineView"),
}


def choose_view(
    display: Any,
    graph: Any,
    read_snapshot: Callable[[], Any],
    controls: Controls = NO_CONTROLS,
) -> Optional[View]:
    """The view for `display`: "auto", "notebook", "terminal", "lines" or "none".

    "auto" (or True) is a live view in a notebook, a progress line in a terminal, log lines elsewhere; "notebook"
    outside of a notebook is the same. "none" (or None or False) gives None. Raises ConfigError for anything else.
    """
    kind = _checked(display)
    if kind == "none":
        return None
    if kind in ("auto", "notebook"):
        kind = _notebook() if in_notebook() else "terminal" if Stream().is_terminal() else "lines"
    file, name = _VIEWS[kind]
    maker = getattr(import_module(f"flowdsl.views.{file}"), name)  # a script needs none of what draws
    view: View = maker(graph, read_snapshot, controls)
    return view


def _notebook() -> str:
    return "still" if options.stable_repr and not in_a_page() else "notebook"


def in_notebook() -> bool:
    """Whether a front end of Jupyter shows what this process displays; IPython is not loaded to find that out."""
    ipython = sys.modules.get("IPython")
    try:
        shell = None if ipython is None else ipython.get_ipython()
        return getattr(shell, "kernel", None) is not None
    except Exception:
        return False


def _checked(display: Any) -> str:
    if display is None or display is False:
        return "none"
    if display is True:
        return "auto"
    if isinstance(display, str) and display in DISPLAY:
        return display
    names = ", ".join(repr(name) for name in DISPLAY)
    raise ConfigError(f"run: display={display!r} is none of {names}; leave it out for 'auto'")
