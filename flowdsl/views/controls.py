"""What a view may ask of the run that it shows, beside its snapshot; a view takes what it can use."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

from flowdsl.views.output import Tail
from flowdsl.views.panel import Facts

__all__ = ["NO_CONTROLS", "Controls"]


class Controls(NamedTuple):
    """What buttons do, and what only the process that runs the run can tell.

    cancel : ends the run; None where no button can work.
    note : a line that says what will run, and why.
    retry : runs again what failed, once the run is over, and shows that in the given place; None: no button.
    facts : what there is to say of a task beside its row; None: no panel.
    time_left : seconds that the run will still take, from its snapshot and the time; None where nobody can tell.
    place : where on the page the view goes; None: the cell that is being executed.
    tail : reads the end of what an attempt has printed; None: it is not shown.
    stays : the text that is left beside the graph when the run is over; "": its end is left there.
    """

    cancel: Optional[Callable[[], Any]] = None
    note: str = ""
    retry: Optional[Callable[[Any], Any]] = None
    facts: Optional[Callable[[str], Facts]] = None
    time_left: Optional[Callable[[Any, float], Optional[float]]] = None
    place: Any = None
    tail: Optional[Tail] = None
    stays: str = ""

    def left(self, snapshot: Any, now: float) -> Optional[float]:
        """Seconds that the run will still take; None where nobody can tell."""
        return None if self.time_left is None else self.time_left(snapshot, now)


NO_CONTROLS = Controls()
