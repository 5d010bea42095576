"""What is said of attempts that are out: how far one is, how it ended, that its worker is lost, that it comes back.

Every report carries its attempt number, and a superseded one is dropped.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.batches import Batches
from flowdsl.engine.ends import Ends
from flowdsl.engine.events import Event
from flowdsl.engine.launches import Launches
from flowdsl.engine.policy import Kind, Policy
from flowdsl.engine.slots import Slots
from flowdsl.engine.standing import Standing, Stopping
from flowdsl.engine.stops import Stops
from flowdsl.engine.table import TaskTable
from flowdsl.engine.timers import Timers

LOST_IN_A_ROW = 5  # workers that die before they begin the same attempt: then it is an error


class Reports:
    """Takes each of them, and lets `ends` say what the end of an attempt means for its task."""

    def __init__(
        self,
        standing: Standing,
        kinds: Mapping[str, Kind],
        table: TaskTable,
        timers: Timers,
        batches: Batches,
        slots: Slots,
        stops: Stops,
        launches: Launches,
        ends: Ends,
    ) -> None:
        self._standing = standing
        self._kinds = kinds
        self._table = table
        self._owners = table.maps.owner
        self._timers = timers
        self._batches = batches
        self._slots = slots
        self._launched = slots.launched
        self._told = stops.told
        self._launches = launches
        self._lost = launches.lost
        self._ends = ends
        self._plain: Optional[Policy] = None  # the latest that `_is_plain` found to be so

    def note(self, message: ev.Note, now: float, events: List[Event], effects: List[Any]) -> None:
        number = self._table.number[message.task]
        if self._table.attempts[number] == message.attempt and self._table.states[number] == st.RUNNING:
            task, attempt, detail = message
            events.append(Event(ev.ATTEMPT_PROGRESSED, task, attempt, st.RUNNING, st.RUNNING, "", detail=detail))

    # ---- the attempt is over

    def ended(self, message: ev.Ended, now: float, events: List[Event], effects: List[Any]) -> None:
        table = self._table
        task, attempt, state, cause, retryable, mechanism, detail = message
        number = table.number[task]
        in_hand = table.attempts[number] == attempt and table.states[number] == st.RUNNING
        if not in_hand and not self._must_have_begun(number, message, now, events, effects):
            return
        as_expected = state == st.SUCCEEDED and not mechanism and not self._told and not self._lost
        if as_expected and (table.policies[number] is self._plain or self._is_plain(number)):
            self._slots.free(number)
            table.succeed(number, detail, events)
            return
        stopping = self._let_go(number, mechanism, now)
        if stopping is not None:
            self._ends.stopped(number, stopping, mechanism or "cooperative", detail, now, events, effects)
        elif state == st.SUCCEEDED:
            table.succeed(number, detail, events)
        elif state == st.SKIPPED:
            table.move(number, "skip_raised", ev.ATTEMPT_SKIPPED, events, attempt, detail=detail)
            table.settle(number, events)
        else:
            # Whoever says "cancelled" though nobody ordered it has failed: a coroutine may raise CancelledError itself.
            cause = cause if state == st.FAILED else "raised"
            self._ends.not_succeeded(number, st.FAILED, cause, retryable, mechanism, detail, now, events, effects)

    def ran(self, message: ev.Ran, now: float, events: List[Event], effects: List[Any]) -> None:
        """What `begun` and `ended` would do for each, at once where nothing has to be remembered or forgotten."""
        attempts, began, ends, detail, said = message
        table = self._table
        numbers = [table.number[task] for task, _ in attempts]
        if self._are_plain(numbers, attempts):
            self._launched.difference_update(numbers)
            if self._kinds[table.policies[numbers[0]].kind].batches:
                self._batches.ran(numbers, self._owners, began, ends)
            self._slots.free_all(numbers)
            table.run_through(numbers, detail, said, events)
            return
        for (task, attempt), end, words in zip(attempts, ends, said or repeat(None)):
            self._launches.begun(ev.Begun(task, attempt, detail), began, events, effects)
            self.ended(ev.Ended(task, attempt, st.SUCCEEDED, "returned", detail=words), end, events, effects)
            began = end

    def _are_plain(self, numbers: Sequence[int], attempts: Sequence[Tuple[str, int]]) -> bool:
        """All of them are launched, hold no named limits, and nobody waits for them to end, or has seen them lost."""
        if self._told or self._lost:
            return False
        launched, latest, uses = self._launched, self._table.attempts, self._table.uses
        for number, (_, attempt) in zip(numbers, attempts):
            if number not in launched or latest[number] != attempt or uses[number]:
                return False
        return True

    def _is_plain(self, number: int) -> bool:
        """Nothing has to be forgotten at the end of such an attempt, if it was not told to end and never lost."""
        policy = self._table.policies[number]
        if policy.uses or policy.timeout is not None or self._kinds[policy.kind].batches:
            return False
        self._plain = policy
        return True

    def _let_go(self, number: int, mechanism: str, now: float) -> Optional[Stopping]:
        """Forget what is known of the attempt; returns why it was told to end."""
        stopping = self._told.pop(number, None) if self._told else None
        if stopping is not None or self._table.policies[number].timeout is not None:
            self._timers.drop(number)
        if self._lost:
            self._lost.pop(number, None)
        if self._batches.began:
            self._batches.end(number, self._owners, now)
        if mechanism == "abandoned":
            self._slots.abandon(number)
        else:
            self._slots.free(number)
        return stopping

    def _must_have_begun(
        self, number: int, message: ev.Ended, now: float, events: List[Event], effects: List[Any]
    ) -> bool:
        """The end of an attempt that is not known to run: False where nothing is left to say of it."""
        task, attempt = message.task, message.attempt
        if number not in self._launched or self._table.attempts[number] != attempt:
            if message.mechanism != "abandoned":  # that it was left behind is known
                self._release(number, attempt, events)
            return False
        if self._never_began(number, message, now, events, effects):
            return False
        self._launches.begun(ev.Begun(task, attempt), now, events, effects)  # nobody said so
        return True

    def _never_began(self, number: int, message: ev.Ended, now: float, events: List[Event], effects: List[Any]) -> bool:
        """True where the executor refused the attempt, or gave it back when it was told to stop."""
        stopping = self._told.get(number)
        if stopping is not None and message.mechanism == "withdrawn":
            self._launches.take_back(number)
            self._ends.cancelled_before_begin(number, stopping, events, message.mechanism)
            return True
        if st.TRANSITIONS.get((st.READY, message.cause)) != st.FAILED:
            return False
        self._launches.take_back(number)
        self._ends.failed_before_begin(number, message.cause, message.detail, now, events, effects)
        return True

    def _release(self, number: int, attempt: int, events: List[Event]) -> None:
        """The end of an attempt that had been given up; any other late report means nothing."""
        if self._slots.release(number, attempt) and self._standing.state == st.RUNNING:
            state = self._table.states[number]
            events.append(Event(ev.ATTEMPT_RELEASED, self._table.names[number], attempt, state, state, ""))

    # ---- the attempt comes back

    def lost(self, message: ev.Lost, now: float, events: List[Event], effects: List[Any]) -> None:
        """Costs no attempt: the same number is launched again, unless workers keep dying under it.

        That is only for attempts that have not begun. Where a worker said that it began, the function may have run.
        """
        table, (task, attempt) = self._table, message
        number = table.number[task]
        runs = table.states[number] == st.RUNNING
        if table.attempts[number] != attempt or not (runs or number in self._launched):
            self._release(number, attempt, events)
        elif not runs:
            self._launch_again(number, now, events, effects)
        elif number not in self._told and self._kinds[table.policies[number].kind].begins_at_launch:
            self._timers.drop(number)
            table.move(number, "requeued", ev.ATTEMPT_REQUEUED, events, attempt)
            self._launch_again(number, now, events, effects)
        else:
            how = "killed" if number in self._told else ""
            self.ended(ev.Ended(task, attempt, st.FAILED, "worker_died", mechanism=how), now, events, effects)

    def _launch_again(self, number: int, now: float, events: List[Event], effects: List[Any]) -> None:
        stopping = self._launches.take_back(number) or self._standing.halt
        self._lost[number] = self._lost.get(number, 0) + 1
        if stopping is not None:
            self._ends.cancelled_before_begin(number, stopping, events)
        elif self._lost[number] >= LOST_IN_A_ROW:
            self._ends.failed_before_begin(number, "worker_unavailable", None, now, events, effects)
        else:
            self._table.push(number)

    def returned(self, message: ev.Returned, now: float, events: List[Event], effects: List[Any]) -> None:
        """Free of charge, and no sign that workers die under this attempt."""
        number = self._table.number[message.task]
        if number not in self._launched or self._table.attempts[number] != message.attempt:
            return
        stopping = self._launches.take_back(number) or self._standing.halt
        if stopping is not None:
            self._ends.cancelled_before_begin(number, stopping, events)
        else:
            self._table.push(number)
