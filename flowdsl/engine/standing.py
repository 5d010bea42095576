"""How a run as a whole stands: its state, whether more tasks may come, why nothing new starts, what failed first."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple


class Stopping(NamedTuple):
    """Why an attempt was told to end."""

    cause: str
    cause_task: str


class Standing:
    """What all parts of the machine may change, and none of them owns."""

    def __init__(self) -> None:
        self.state = ""
        self.sealed = False  # no more tasks will come
        self.halt: Optional[Stopping] = None  # nothing new starts any more, and why
        self.first_failure = ""

    def verdict(self) -> Tuple[str, str]:
        """Why the run ends, now that it does, and for which task's sake."""
        if self.halt is not None and self.halt.cause != "stopped":
            return self.halt
        return ("tasks_failed", self.first_failure) if self.first_failure else ("all_done", "")
