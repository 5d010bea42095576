"""How attempts go out and begin: the answer to a claim, alone or with others like it, and what its worker says then."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.batches import NO_MAP, Batches
from flowdsl.engine.events import Event
from flowdsl.engine.policy import Kind, Policy
from flowdsl.engine.queue import ReadyQueue
from flowdsl.engine.retries import Retries
from flowdsl.engine.slots import Slots
from flowdsl.engine.standing import Standing, Stopping
from flowdsl.engine.stops import Stops
from flowdsl.engine.table import Detail, TaskTable
from flowdsl.engine.timers import DEADLINE, Timers

_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor, once an attempt

FEW = 3  # fewer than so many that are ready do not go together where their worker asks: it costs more than it saves


class Launches:
    """From the queue to an executor, and back for those that did not begin."""

    def __init__(
        self,
        standing: Standing,
        kinds: Mapping[str, Kind],
        table: TaskTable,
        queue: ReadyQueue,
        timers: Timers,
        batches: Batches,
        slots: Slots,
        stops: Stops,
        retries: Retries,
    ) -> None:
        self.lost: Dict[int, int] = {}  # how many workers died in a row before they began the attempt
        self._standing = standing
        self._kinds = kinds
        self._table = table
        self._owners = table.maps.owner  # of items; empty in most runs
        self._queue = queue
        self._timers = timers
        self._batches = batches
        self._slots = slots
        self._launched = slots.launched
        self._stops = stops
        self._told = stops.told
        self._retries = retries
        self._plain: Optional[Policy] = None  # the latest under which nothing follows from a begin

    def claim(self, message: ev.Claim, now: float, events: List[Event], effects: List[Any]) -> None:
        slots = self._slots
        if self._standing.halt is not None or slots.busy >= slots.max_workers:
            return
        kinds, detail, most = message
        table = self._table
        number = self._queue.pop(kinds, table.uses)
        if number is not None and table.states[number] != st.READY:
            number = self._pop_ready(number, kinds)
        if number is None:
            return
        kind = table.policies[number].kind
        slots.busy += 1
        attempt = table.attempts[number] = table.attempts[number] + 1
        effects.append(_new(ev.Launch, (table.names[number], attempt, kind)))
        if self._kinds[kind].begins_at_launch:
            alone = most == 1 or self._queue.length(kind) < FEW or number in table.timed or bool(table.priorities)
            if alone or not self._launch_with_siblings(number, kind, most, effects):
                if table.policies[number] is self._plain and not self._told:
                    table.begin(number, detail, events)
                else:
                    self.begin(number, detail, now, events)
            return
        self._launched.add(number)
        if self._kinds[kind].batches:
            self._launch_with_siblings(number, kind, 0, effects)

    def _pop_ready(self, cancelled: int, kinds: Optional[Tuple[str, ...]]) -> Optional[int]:
        """The best task that is ready, where this one was cancelled in the queue: it gives its limits back."""
        table = self._table
        number: Optional[int] = cancelled
        while number is not None and table.states[number] != st.READY:
            self._queue.give_back(table.uses[number])
            number = self._queue.pop(kinds, table.uses)
        return number

    def _launch_with_siblings(self, number: int, kind: str, most: int, effects: List[Any]) -> bool:
        """Where it is short, others like it go with it to the same worker, and take no slot of their own.

        `most` is how many the worker asked for; 0: what they take decides. False where it goes alone.
        """
        table = self._table
        if table.uses[number]:
            return False
        owner = self._owners.get(number, NO_MAP) if self._owners else NO_MAP
        timed = table.timed if most else ()  # whoever asks for so many cannot look after time limits
        most = most or self._batches.most(owner, 1 + self._queue.waiting((kind,)))
        if most == 1:
            return False
        found = self._queue.pop_alike(kind, self._owners, owner, table.uses, timed, most - 1)
        states, names, latest = table.states, table.names, table.attempts
        siblings = [item for item in found if states[item] == st.READY]  # the others were cancelled
        if not siblings:
            return False
        members = [number, *siblings]
        for sibling in siblings:
            latest[sibling] += 1
        self._launched.update(members)
        self._batches.join(members)
        attempts = tuple([(names[member], latest[member]) for member in members])
        effects[-1] = ev.LaunchBatch(attempts, kind)
        return True

    def begun(self, message: ev.Begun, now: float, events: List[Event], effects: List[Any]) -> None:
        number = self._table.number[message.task]
        if number in self._launched and self._table.attempts[number] == message.attempt:
            self._launched.discard(number)
            self.lost.pop(number, None)
            self.begin(number, message.detail, now, events)

    def begin(self, number: int, detail: Detail, now: float, events: List[Event]) -> None:
        """The attempt in hand, which is not among the launched any more, begins."""
        table = self._table
        policy = table.policies[number]
        table.begin(number, detail, events)
        if policy.retry.max_elapsed is not None:
            self._retries.begins(number, now)
        if self._told and number in self._told:
            self._stops.set_grace(number, now)
        elif policy.timeout is not None:
            self._timers.set(number, now + policy.timeout, DEADLINE)
        if self._kinds[policy.kind].batches:
            self._batches.began[number] = now
        elif policy.retry.max_elapsed is None and policy.timeout is None:
            self._plain = policy

    def take_back(self, number: int) -> Optional[Stopping]:
        """An attempt that did not begin never was: its number is free again. Returns why it was told to end."""
        self._launched.discard(number)
        self._slots.free(number)
        self._table.attempts[number] -= 1
        return self._told.pop(number, None)
