"""What the driver and an executor that is given its work say to each other."""

from __future__ import annotations

from typing import Any, ContextManager, Mapping, NamedTuple, Optional, Protocol, Sequence

from flowdsl.engine.policy import Kind
from flowdsl.executors.current import Scribe
from flowdsl.executors.outcome import Call, Outcome

Detail = Optional[Mapping[str, Any]]


class Member(NamedTuple):
    """One attempt of a batch."""

    task: str
    attempt: int
    call: Call


class Listener(Protocol):
    """Who hears of attempts; may be called from any thread, and never from within `launch` or `stop`."""

    def begun(self, task: str, attempt: int, detail: Detail, ago: float = 0.0) -> None:
        """The attempt began, `ago` seconds before now."""

    def ended(
        self, task: str, attempt: int, outcome: Outcome, mechanism: str, detail: Detail, ago: float = 0.0
    ) -> None:
        """The attempt is over, and nothing of it runs any more; `detail` goes to the log."""

    def ran(self, task: str, attempt: int, outcome: Outcome, detail: Detail, begun_at: float, ended_at: float) -> None:
        """`begun` and `ended` at once, of an attempt of which nothing was told before; by the monotonic clock.

        `detail` is what `begun` would be given.
        """

    def lost(self, task: str, attempt: int) -> None:
        """The worker went away before it began the attempt."""

    def returned(self, task: str, attempt: int) -> None:
        """The attempt has not begun and will not: the member of its batch that had begun keeps the worker, or has
        taken it with it.

        It is free of charge, and unlike `lost` no sign that workers die under this attempt.
        """

    def together(self) -> ContextManager[None]:
        """What is reported within it, by this thread, may be taken in one turn at its end, in that order."""

    def noted(self, task: str, attempt: int, detail: Mapping[str, Any]) -> None:
        """The attempt, which has begun, says how far it is."""

    def logged(self, fields: Mapping[str, Any]) -> None:
        """An attempt elsewhere has logged this record, which is for the handlers here."""

    def printed(self, task: str, attempt: int, data: bytes, total: int) -> None:
        """The attempt, which has not ended yet, printed `total` bytes more, of which `data` was kept."""

    @property
    def scribe(self) -> Scribe:
        """Whom attempts that run in this process can tell themselves."""


class Backend(Protocol):
    """An executor that is given attempts; `kind` says as data what it can do."""

    kind: Kind

    def launch(self, task: str, attempt: int, call: Call) -> None:
        """Take the attempt; returns at once, and never raises for what the call is."""

    def stop(self, task: str, attempt: int) -> None:
        """End the attempt by whatever means there are; returns at once."""

    def close(self) -> None:
        """The run is over."""


class BatchBackend(Backend, Protocol):
    """A backend whose kind has `batches`."""

    def launch_batch(self, members: Sequence[Member]) -> None:
        """Take attempts that one worker runs one after the other; returns at once, never raises for what calls are.

        Each member is an attempt like any other, and is answered once: by `ended` (after `begun`) or `ran`, or by
        `lost` or `returned` when it did not begin. At most one of them has begun at a time, and is told of before the
        one behind it; so a batch takes one slot, from the launch to its last answer.

        Members may be `returned` at any time before they begin: when there are too many for one batch, when the one
        that has begun takes long, when one of them is stopped. `stop` of the member that has begun ends the worker:
        that member ends as any that is stopped. `stop` of one that has not begun ends that one, with mechanism
        "withdrawn". When the worker dies, only the member that had begun is charged (`ended` with cause
        "worker_died"), and those behind it are `returned`; when it dies before any has begun, the first is `lost`.
        `kind.batches` says that there is this method; `together` that reports of short members come in groups.
        """
