"""The machine: `handle(input, now) -> (events, effects)`, and nothing else; it never looks at a clock.

It knows names and numbers. Inside, a task is its number; at the border, its name. `now` is seconds since the
run's start and never goes back. How tasks come and how the run ends is here; what becomes of attempts is in `launches`,
`reports` and `cancels`, which stand on `slots`, `stops` and `ends`.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.batches import Batches
from flowdsl.engine.cancels import Cancels
from flowdsl.engine.ends import Ends
from flowdsl.engine.events import Event
from flowdsl.engine.launches import Launches
from flowdsl.engine.policy import Kind
from flowdsl.engine.queue import ReadyQueue
from flowdsl.engine.reports import Reports
from flowdsl.engine.retries import Retries
from flowdsl.engine.slots import Slots
from flowdsl.engine.standing import Standing, Stopping
from flowdsl.engine.stops import Stops
from flowdsl.engine.table import TaskTable
from flowdsl.engine.timers import DEADLINE, DELAY, GRACE, Timers
from flowdsl.errors import InternalError

Step = Tuple[List[Event], List[Any]]
Handler = Callable[[Any, float, List[Event], List[Any]], None]

TIMEOUT = Stopping("timeout", "")


class Scheduler:
    """One run: which attempt may start when, and what the end of each one means for all the others.

    `kinds` says what each kind of executor can do, `draw` returns a float in [0, 1) for jitter.
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        *,
        max_workers: int,
        on_failure: str = "continue",
        limits: Optional[Mapping[str, int]] = None,
        draw: Callable[[], float] = lambda: 0.5,
    ) -> None:
        kinds = dict(kinds)
        self._standing = standing = Standing()
        self._queue = queue = ReadyQueue(limits or {})
        self._table = table = TaskTable(queue)
        self._timers = timers = Timers()
        self.next_due = timers.next_due  # when a `Tick` is wanted next; None: not at all
        batches = Batches(max_workers)
        self._slots = slots = Slots(max_workers, kinds, table, queue, batches)
        self._abandoned = slots.abandoned
        self._stops = stops = Stops(standing, kinds, table, queue, timers, slots)
        self._retries = retries = Retries(standing, table, draw)
        self._ends = ends = Ends(standing, kinds, table, timers, stops, retries, on_failure)
        self._launches = launches = Launches(standing, kinds, table, queue, timers, batches, slots, stops, retries)
        reports = Reports(standing, kinds, table, timers, batches, slots, stops, launches, ends)
        self._cancels = cancels = Cancels(standing, table, queue, timers, slots, stops, ends)
        self._handlers: Dict[type, Handler] = {
            ev.Start: self._start,
            ev.Add: self._add,
            ev.Seal: self._seal,
            ev.Sized: self._sized,
            ev.Tick: self._tick,
            ev.Claim: launches.claim,
            ev.Begun: launches.begun,
            ev.Note: reports.note,
            ev.Ended: reports.ended,
            ev.Ran: reports.ran,
            ev.Lost: reports.lost,
            ev.Returned: reports.returned,
            ev.Cancel: cancels.cancel,
            ev.CancelTask: cancels.cancel_task,
        }

    # ---- what can be asked

    def handle(self, message: Any, now: float, then: Any = None) -> Step:
        """Take one input at time `now`, and `then` another; return the facts that follow and the orders to give."""
        events: List[Event] = []
        effects: List[Any] = []
        self._handlers[type(message)](message, now, events, effects)
        if then is not None:
            self._handlers[type(then)](then, now, events, effects)
        table = self._table
        if table.maps.unasked:
            self._ask_for_sizes(effects)
        if self._abandoned:
            self._cancels.cancel_if_too_many_are_left(now, events, effects)
        if table.open == 0 and self._standing.sealed and self._standing.state == st.RUNNING:
            self._close(events, effects)
        return events, effects

    def claimable(self, kinds: Optional[Tuple[str, ...]] = None) -> int:
        """How many claims for these kinds would be answered with a `Launch` now (named limits apart)."""
        free = self._slots.max_workers - self._slots.busy
        if free <= 0:
            return 0
        waiting = self._queue.waiting(kinds)
        return free if free < waiting else waiting

    @property
    def state(self) -> str:
        """The run's state; empty before its start."""
        return self._standing.state

    @property
    def busy(self) -> int:
        """How many slots are taken."""
        return self._slots.busy

    def task_state(self, name: str) -> str:
        """The state of a task; KeyError where it has not joined."""
        return self._table.states[self._table.number[name]]

    def attempt_number(self, name: str) -> int:
        """The number of a task's latest attempt, 0 before the first; KeyError where it has not joined."""
        return self._table.attempts[self._table.number[name]]

    def timeout_of(self, name: str) -> Optional[float]:
        """Seconds that an attempt of this task may take."""
        return self._table.policies[self._table.number[name]].timeout

    def abandoned(self) -> List[Tuple[str, int]]:
        """(task, attempt) of every attempt that has ended for the run and is still going."""
        return [(self._table.names[number], attempt) for number, attempt in self._abandoned]

    # ---- tasks come

    def _start(self, message: ev.Start, now: float, events: List[Event], effects: List[Any]) -> None:
        state = self._standing.state = st.RUN_TRANSITIONS[self._standing.state, "started"]
        events.append(Event(ev.RUN_STARTED, "", 0, "", state, "started", detail=message.detail))

    def _add(self, message: ev.Add, now: float, events: List[Event], effects: List[Any]) -> None:
        if self._standing.state != st.RUNNING:
            raise InternalError("tasks were added to a run that is not running")
        table, halt = self._table, self._standing.halt
        nodes, first = message.nodes, len(table.names)
        unhindered = table.add_all(nodes, events)
        if halt is not None:
            for number in range(first, first + len(nodes)):
                table.cancel(number, *halt, events)
            return
        for number in unhindered:
            known = nodes[number - first].known
            if known:
                table.move(number, known, ev.TASK_GIVEN if known == "given" else ev.TASK_REUSED, events)
                table.settle(number, events)
            elif table.states[number] == st.PENDING and table.decide(number, events):
                table.settle(number, events)

    def _seal(self, message: ev.Seal, now: float, events: List[Event], effects: List[Any]) -> None:
        self._standing.sealed = True

    def _ask_for_sizes(self, effects: List[Any]) -> None:
        maps = self._table.maps
        effects.extend([ev.Expand(self._table.names[number]) for number in maps.unasked])
        maps.sizing.update(maps.unasked)
        maps.unasked.clear()

    def _sized(self, message: ev.Sized, now: float, events: List[Event], effects: List[Any]) -> None:
        """A mapped task learns how many items it has; the answer to a question that was withdrawn means nothing."""
        table = self._table
        number = table.number[message.task]
        if number not in table.maps.sizing:
            return
        if message.size is not None:
            table.expand(number, message.size, events)
            return
        table.maps.sizing.discard(number)
        self._ends.failed_before_begin(number, "map_failed", message.detail, now, events, effects)

    # ---- time, and the end of it

    def _tick(self, message: ev.Tick, now: float, events: List[Event], effects: List[Any]) -> None:
        due = self._timers.pop_due(now)
        while due is not None:
            number, what = due
            if what == DELAY:
                self._table.make_ready(number, "delay_over", events)
            elif what == DEADLINE:
                self._stops.stop(number, TIMEOUT, now, effects)
            elif what == GRACE:
                self._slots.abandon(number)
                stopping = self._stops.told.pop(number)
                self._ends.stopped(number, stopping, "abandoned", None, now, events, effects)
            due = self._timers.pop_due(now)

    def _close(self, events: List[Event], effects: List[Any]) -> None:
        cause, guilty = self._standing.verdict()
        before = self._standing.state
        state = self._standing.state = st.RUN_TRANSITIONS[before, cause]
        left = sorted({self._table.names[number] for number, _ in self._abandoned})
        detail = {"abandoned": left} if left else None
        events.append(Event(ev.RUN_ENDED, "", 0, before, state, cause, guilty, detail=detail))
        effects.append(ev.Close(state))
