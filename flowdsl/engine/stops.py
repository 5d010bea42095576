"""Orders to end: one attempt with the grace that it has for it, or all that is not with an executor."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.engine.policy import Kind
from flowdsl.engine.queue import ReadyQueue
from flowdsl.engine.slots import Slots
from flowdsl.engine.standing import Standing, Stopping
from flowdsl.engine.table import TaskTable
from flowdsl.engine.timers import GRACE, Timers


class Stops:
    """`told` are the attempts that were told to end, by task, and why."""

    def __init__(
        self,
        standing: Standing,
        kinds: Mapping[str, Kind],
        table: TaskTable,
        queue: ReadyQueue,
        timers: Timers,
        slots: Slots,
    ) -> None:
        self.told: Dict[int, Stopping] = {}
        self._standing = standing
        self._kinds = kinds
        self._table = table
        self._queue = queue
        self._timers = timers
        self._launched = slots.launched

    def stop(self, number: int, stopping: Stopping, now: float, effects: List[Any]) -> None:
        """Tell the attempt in hand to end; its grace counts from now, or from its begin if that is still to come."""
        table = self._table
        self.told[number] = stopping
        kind = table.policies[number].kind
        effects.append(ev.Stop(table.names[number], table.attempts[number], kind, stopping.cause))
        self._timers.drop(number)
        if number not in self._launched:
            self.set_grace(number, now)

    def set_grace(self, number: int, now: float) -> None:
        """From now on the grace of the attempt runs, where its kind has one."""
        grace = self._kinds[self._table.policies[number].kind].grace
        if grace is not None:
            self._timers.set(number, now + grace, GRACE)

    def halt(self, stopping: Stopping, events: List[Event]) -> None:
        """Nothing new starts: all that is not with an executor is cancelled."""
        table = self._table
        self._standing.halt = stopping
        self._queue.clear()
        table.maps.sizing.clear()
        table.maps.unasked.clear()
        for number, state in enumerate(table.states):
            if state in st.OPEN and state != st.RUNNING and number not in self._launched:
                self._timers.drop(number)
                table.cancel(number, *stopping, events)

    def stop_launched(self, stopping: Stopping, now: float, effects: List[Any]) -> None:
        """Tell all that have not begun to end, but for those that were told before."""
        for number in sorted(self._launched.difference(self.told)):
            self.stop(number, stopping, now, effects)
