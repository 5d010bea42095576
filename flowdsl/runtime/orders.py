"""What is to be done once the lock is free, and the doing of it: launches, stops, workers to wake, sizes to find."""

from __future__ import annotations

import threading
from collections import deque
from typing import List, Mapping, NamedTuple, Optional, Sequence, Union, cast

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.executors.base import Backend, BatchBackend, Member
from flowdsl.executors.outcome import Call, failure
from flowdsl.runtime.binding import Calls
from flowdsl.runtime.crew import Crew, Slot
from flowdsl.runtime.reports import Reports
from flowdsl.runtime.teller import detail_of

NEVER_AGAIN = Retry(0)


class Orders(NamedTuple):
    """What was decided in one turn."""

    woken: List[Slot]
    launches: Sequence[Union[ev.Launch, ev.LaunchBatch]]
    stops: Sequence[ev.Stop]
    expansions: Sequence[str] = ()


class Errands:
    """Carries out orders, in the thread whose turn it was."""

    def __init__(self, crew: Crew, backends: Mapping[str, Backend], calls: Calls, reports: Reports) -> None:
        self._crew = crew
        self._backends = backends
        self._calls = calls
        self._reports = reports
        self._mine = threading.local()  # `waiting`: orders of a thread that is carrying some out

    def carry_out(self, orders: Orders) -> None:
        """Do what was decided under the lock.

        An executor may run an attempt, and report its end, within `launch`: what follows from that waits its turn here,
        or a thousand such attempts would lie on the stack.
        """
        waiting = getattr(self._mine, "waiting", None)
        if waiting is not None:
            waiting.append(orders)
            return
        self._mine.waiting = waiting = deque((orders,))
        try:
            while waiting:
                self._do(waiting.popleft())
        finally:
            self._mine.waiting = None

    def _do(self, orders: Orders) -> None:
        for launch in orders.launches:
            if type(launch) is ev.LaunchBatch:
                self._launch_batch(launch)
            else:
                self._launch(cast(ev.Launch, launch))
        for stop in orders.stops:
            self._backends[stop.kind].stop(stop.task, stop.attempt)
        for slot in orders.woken:
            self._crew.set_going(slot)
        for task in orders.expansions:
            self._expand(task)

    def _launch(self, launch: ev.Launch) -> None:
        call = self._call_of(launch.task, launch.attempt)
        if call is not None:
            self._backends[launch.kind].launch(launch.task, launch.attempt, call)

    def _launch_batch(self, batch: ev.LaunchBatch) -> None:
        members = []
        for task, attempt in batch.attempts:
            call = self._call_of(task, attempt)
            if call is not None:
                members.append(Member(task, attempt, call))
        if members:
            cast(BatchBackend, self._backends[batch.kind]).launch_batch(members)

    def _call_of(self, task: str, attempt: int) -> Optional[Call]:
        """What the attempt is to call; None where that cannot be made, which is the attempt's fault and its end."""
        try:
            return self._calls.make(task)
        except Exception as exc:  # an item that a result does not have
            outcome = failure(exc, "raised", self._calls.retry_of(task))
            self._reports.begun(task, attempt, None)
            self._reports.ended(task, attempt, outcome, "", None)
            return None

    def _expand(self, task: str) -> None:
        """Say how many items a mapped task has. What it maps over is the user's, and so is what its length costs."""
        try:
            sized, outcome = ev.Sized(task, self._calls.measure(task)), None
        except Exception as exc:
            outcome = failure(exc, "map_failed", NEVER_AGAIN)
            sized = ev.Sized(task, None, detail_of(outcome))
        self._reports.tell(sized, outcome)
