"""What it means for a task that an attempt did not succeed, or never began: another attempt, or the task's end."""

from __future__ import annotations

from typing import Any, List, Mapping

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.engine.policy import Kind
from flowdsl.engine.retries import Retries
from flowdsl.engine.standing import Standing, Stopping
from flowdsl.engine.stops import Stops
from flowdsl.engine.table import Detail, TaskTable
from flowdsl.engine.timers import DELAY, Timers
from flowdsl.errors import TaskTimeout

TIMED_OUT = TaskTimeout("the attempt outlived its timeout")  # for `retry_on` and `give_up_on`
ATTEMPT_EVENT = {state: name for name, state in ev.ATTEMPT_STATE.items()}
TASK_CANCELLED = Stopping("task_cancelled", "")


class Ends:
    """The slot of the attempt is free when it comes here."""

    def __init__(
        self,
        standing: Standing,
        kinds: Mapping[str, Kind],
        table: TaskTable,
        timers: Timers,
        stops: Stops,
        retries: Retries,
        on_failure: str,
    ) -> None:
        self._standing = standing
        self._kinds = kinds
        self._table = table
        self._timers = timers
        self._stops = stops
        self._retries = retries
        self._stop_on_failure = on_failure == "stop"

    def not_succeeded(
        self,
        number: int,
        state: str,
        cause: str,
        retryable: bool,
        mechanism: str,
        detail: Detail,
        now: float,
        events: List[Event],
        effects: List[Any],
    ) -> None:
        """The attempt failed or timed out."""
        table = self._table
        attempt, event = table.attempts[number], ATTEMPT_EVENT[state]
        if mechanism == "abandoned":
            retryable = retryable and table.policies[number].retry.retry_abandoned
        delay = self._retries.delay(number, now) if retryable else None
        if delay is None:
            table.move(number, cause, event, events, attempt, mechanism=mechanism, detail=detail)
            self._fail(number, now, events, effects)
            return
        detail = {**(detail or {}), "delay": delay, "retry_at": now + delay}
        table.move(number, "retry", event, events, attempt, attempt_cause=cause, mechanism=mechanism, detail=detail)
        if delay > 0:
            self._timers.set(number, now + delay, DELAY)
        else:
            table.make_ready(number, "delay_over", events)

    def stopped(
        self,
        number: int,
        stopping: Stopping,
        mechanism: str,
        detail: Detail,
        now: float,
        events: List[Event],
        effects: List[Any],
    ) -> None:
        """The attempt was told to end, and did."""
        table = self._table
        if stopping.cause == "timeout":
            policy = table.policies[number]
            retryable = self._kinds[policy.kind].retries_timeouts or policy.retry.retry_abandoned
            retryable = retryable and policy.retry.matches(TIMED_OUT)
            self.not_succeeded(number, st.TIMED_OUT, "timeout", retryable, mechanism, detail, now, events, effects)
            return
        cause, guilty = stopping
        attempt = table.attempts[number]
        table.move(number, cause, ev.ATTEMPT_CANCELLED, events, attempt, guilty, "", mechanism, detail)
        table.settle(number, events)

    def cancelled_before_begin(self, number: int, stopping: Stopping, events: List[Event], mechanism: str = "") -> None:
        """Cancelled with all the others, or alone: then those that wait for it have to hear of it."""
        if stopping != TASK_CANCELLED:
            self._table.cancel(number, *stopping, events, mechanism=mechanism)
            return
        self._table.move(number, stopping.cause, ev.TASK_CANCELLED, events, mechanism=mechanism)
        self._table.settle(number, events)

    def failed_before_begin(
        self, number: int, cause: str, detail: Detail, now: float, events: List[Event], effects: List[Any]
    ) -> None:
        """The task fails, and no attempt with it."""
        self._table.move(number, cause, ev.TASK_FAILED, events, detail=detail)
        self._fail(number, now, events, effects)

    def _fail(self, number: int, now: float, events: List[Event], effects: List[Any]) -> None:
        """A final failure; under `on_failure="stop"` nothing new starts after it."""
        standing, name = self._standing, self._table.names[number]
        self._table.settle(number, events)
        standing.first_failure = standing.first_failure or name
        if self._stop_on_failure and standing.halt is None:
            stopping = Stopping("stopped", name)
            self._stops.halt(stopping, events)
            self._stops.stop_launched(stopping, now, effects)
