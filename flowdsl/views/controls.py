"""What a view may ask of the run that it shows, beside its snapshot; a view takes what it can use."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

__all__ = ["NO_CONTROLS", "Controls"]


class Controls(NamedTuple):
    """`cancel` ends the run; None where no button can work. `note` is a line that says what will run, and why."""

    cancel: Optional[Callable[[], Any]] = None
    note: str = ""


NO_CONTROLS = Controls()
