"""The place of a view on the page: a display of the cell that is being executed, to be filled again and again.

Only this file, `surface.py` and `afterwards.py` know IPython and widgets; they load them when a view needs them.
"""

from __future__ import annotations

import os
from typing import Any, Dict

__all__ = ["in_a_page", "open_place", "show"]

Bundle = Dict[str, Any]


def open_place(bundle: Bundle) -> Any:
    """The handle of a display with `bundle` in it; None where nothing can be displayed."""
    import IPython.display

    display: Any = IPython.display.display
    return display(bundle, raw=True, display_id=True)


def show(bundle: Bundle) -> None:
    """Display `bundle` once and for all."""
    import IPython.display

    display: Any = IPython.display.display
    display(bundle, raw=True)


def in_a_page() -> bool:
    """Whether a Jupyter server has a page for this kernel; where none has, nobody is there to press buttons."""
    return bool(os.environ.get("JPY_SESSION_NAME"))
