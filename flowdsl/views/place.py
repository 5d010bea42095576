"""The place of a live view on the page: a display for the picture, and one below it for buttons that outlive it.

Only this file and `surface.py` know IPython and ipywidgets, and they load them when a view opens.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional

__all__ = ["NOTHING", "Place", "open_place"]

Bundle = Dict[str, Any]
NOTHING: Bundle = {"text/html": "", "text/plain": ""}


class Place(NamedTuple):
    """Display handles of the cell in which the place was opened; `below` is None where no button is wanted."""

    picture: Any
    below: Any = None


def open_place(bundle: Bundle, *, buttons: bool) -> Optional[Place]:
    """A place in the cell that is being executed, with `bundle` in it; None where nothing can be displayed."""
    import IPython.display

    display: Any = IPython.display.display
    picture = display(bundle, raw=True, display_id=True)
    if picture is None:
        return None
    return Place(picture, display(NOTHING, raw=True, display_id=True) if buttons else None)
