"""Requests to end: the whole run, one task, or the run because too many abandoned attempts are in its way."""

from __future__ import annotations

from typing import Any, List

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.ends import TASK_CANCELLED, Ends
from flowdsl.engine.events import Event
from flowdsl.engine.queue import ReadyQueue
from flowdsl.engine.slots import Slots
from flowdsl.engine.standing import Standing, Stopping
from flowdsl.engine.stops import Stops
from flowdsl.engine.table import TaskTable
from flowdsl.engine.timers import Timers


class Cancels:
    """Carries them out: what executors have is told to end, and all that they do not have is cancelled here."""

    def __init__(
        self,
        standing: Standing,
        table: TaskTable,
        queue: ReadyQueue,
        timers: Timers,
        slots: Slots,
        stops: Stops,
        ends: Ends,
    ) -> None:
        self._standing = standing
        self._table = table
        self._queue = queue
        self._timers = timers
        self._slots = slots
        self._stops = stops
        self._ends = ends

    def cancel(self, message: ev.Cancel, now: float, events: List[Event], effects: List[Any]) -> None:
        standing, slots, stops = self._standing, self._slots, self._stops
        if standing.state != st.RUNNING or (standing.halt is not None and standing.halt.cause != "stopped"):
            return
        standing.sealed = True
        stopping = Stopping(message.cause, message.cause_task)
        stops.halt(stopping, events)
        for number, state in enumerate(self._table.states):
            going = (state == st.RUNNING and number not in self._table.maps.items) or number in slots.launched
            if going and number not in stops.told:
                stops.stop(number, stopping, now, effects)

    def cancel_task(self, message: ev.CancelTask, now: float, events: List[Event], effects: List[Any]) -> None:
        table = self._table
        number = table.number.get(message.task)
        if number is None:
            return
        if number in table.maps.items:
            for item in [item for item, owner in table.maps.owner.items() if owner == number]:
                self._cancel_one(item, now, events, effects)
        else:
            self._cancel_one(number, now, events, effects)

    def _cancel_one(self, number: int, now: float, events: List[Event], effects: List[Any]) -> None:
        """One that is ready stays in its queue, and is passed over when its turn comes."""
        told = self._stops.told
        state, earlier = self._table.states[number], told.get(number)
        if state not in st.OPEN or (earlier is not None and earlier.cause != "timeout"):
            return
        if earlier is not None:
            told[number] = TASK_CANCELLED
        elif state == st.RUNNING or number in self._slots.launched:
            self._stops.stop(number, TASK_CANCELLED, now, effects)
        else:
            self._timers.drop(number)
            self._table.maps.withdraw(number)
            self._ends.cancelled_before_begin(number, TASK_CANCELLED, events)

    def cancel_if_too_many_are_left(self, now: float, events: List[Event], effects: List[Any]) -> None:
        """End the run where abandoned attempts are more than its workers, or leave it nothing to go on with."""
        abandoned = self._slots.abandoned
        if len(abandoned) > self._slots.max_workers or (self._table.open > 0 and self._are_in_the_way()):
            latest = list(abandoned)[-1][0]
            self.cancel(ev.Cancel("too_many_abandoned", self._table.names[latest]), now, events, effects)

    def _are_in_the_way(self) -> bool:
        """No slot is left; or nothing goes on, and all that is ready waits for limits that they hold."""
        slots, kept = self._slots, self._slots.kept()
        if kept >= slots.max_workers:
            return True
        idle = slots.busy == kept and self._timers.next_due() is None and self._queue.waiting() == 0
        return idle and self._standing.sealed and not self._table.maps.sizing
