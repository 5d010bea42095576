"""What the driver and an executor that is given its work say to each other."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Protocol

from flowdsl.engine.policy import Kind
from flowdsl.executors.outcome import Call, Outcome

Detail = Optional[Mapping[str, Any]]


class Listener(Protocol):
    """Who hears of attempts; may be called from any thread, and never from within `launch` or `stop`."""

    def begun(self, task: str, attempt: int, detail: Detail, ago: float = 0.0) -> None:
        """The attempt began, `ago` seconds before now."""

    def ended(self, task: str, attempt: int, outcome: Outcome, mechanism: str, detail: Detail) -> None:
        """The attempt is over, and nothing of it runs any more; `detail` goes to the log."""

    def lost(self, task: str, attempt: int) -> None:
        """The worker went away before it began the attempt."""


class Backend(Protocol):
    """An executor that is given attempts; `kind` says as data what it can do."""

    kind: Kind

    def launch(self, task: str, attempt: int, call: Call) -> None:
        """Take the attempt; returns at once, and never raises for what the call is."""

    def stop(self, task: str, attempt: int) -> None:
        """End the attempt by whatever means there are; returns at once."""

    def close(self) -> None:
        """The run is over."""
