"""The machine: `handle(input, now) -> (events, effects)`, and nothing else; it never looks at a clock.

It knows names and numbers. Inside, a task is its number; at the border, its name. `now` is seconds since the
run's start and never goes back. Every report carries its attempt number, and a superseded one is dropped.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.batches import NO_MAP, Batches
from flowdsl.engine.events import Event
from flowdsl.engine.policy import Kind
from flowdsl.engine.queue import ReadyQueue
from flowdsl.engine.table import TaskTable
from flowdsl.engine.timers import DEADLINE, DELAY, GRACE, Timers
from flowdsl.errors import InternalError, TaskTimeout

Step = Tuple[List[Event], List[Any]]
Detail = Optional[Mapping[str, Any]]

TIMED_OUT = TaskTimeout("the attempt outlived its timeout")  # for `retry_on` and `give_up_on`
LOST_IN_A_ROW = 5  # workers that die before they begin the same attempt: then it is an error
ATTEMPT_EVENT = {state: name for name, state in ev.ATTEMPT_STATE.items()}

_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor, once an attempt


class Stopping(NamedTuple):
    """Why an attempt was told to end."""

    cause: str
    cause_task: str


TASK_CANCELLED = Stopping("task_cancelled", "")


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
        self.max_workers = max_workers
        self.busy = 0  # slots taken by attempts that are launched or running
        self.state = ""
        self._kinds = dict(kinds)
        self._stop_on_failure = on_failure == "stop"
        self._draw = draw
        self._queue = ReadyQueue(limits or {})
        self._table = TaskTable(self._push)
        self._owners = self._table.maps.owner  # of items; empty in most runs
        self._timers = Timers()
        self._batches = Batches(max_workers)
        self._sealed = False
        self._halt: Optional[Stopping] = None  # nothing new starts any more, and why
        self._first_failure = ""
        self._launched: Set[int] = set()  # handed to an executor, not begun
        self._stopping: Dict[int, Stopping] = {}
        self._abandoned: Dict[Tuple[int, int], bool] = {}  # (task, attempt) still going -> it keeps its slot
        self._lost: Dict[int, int] = {}
        self._first_begun: Dict[int, float] = {}
        self._handlers: Dict[type, Callable[[Any, float, List[Event], List[Any]], None]] = {
            ev.Start: self._start,
            ev.Add: self._add,
            ev.Seal: self._seal,
            ev.Claim: self._claim,
            ev.Begun: self._begun,
            ev.Note: self._note,
            ev.Ended: self._ended,
            ev.Ran: self._ran,
            ev.Lost: self._on_lost,
            ev.Returned: self._returned,
            ev.Sized: self._sized,
            ev.Tick: self._tick,
            ev.Cancel: self._cancel,
            ev.CancelTask: self._cancel_task,
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
            self._end_if_too_many_are_left(now, events, effects)
        if table.open == 0 and self._sealed and self.state == st.RUNNING:
            self._close(events, effects)
        return events, effects

    def next_due(self) -> Optional[float]:
        """When a `Tick` is wanted next; None: not at all."""
        return self._timers.next_due()

    def claimable(self, kinds: Optional[Tuple[str, ...]] = None) -> int:
        """How many claims for these kinds would be answered with a `Launch` now (named limits apart)."""
        free = self.max_workers - self.busy
        if free <= 0:
            return 0
        waiting = self._queue.waiting(kinds)
        return free if free < waiting else waiting

    def task_state(self, name: str) -> str:
        return self._table.states[self._table.number[name]]

    def attempt_number(self, name: str) -> int:
        return self._table.attempts[self._table.number[name]]

    def timeout_of(self, name: str) -> Optional[float]:
        """Seconds that an attempt of this task may take."""
        return self._table.policies[self._table.number[name]].timeout

    def abandoned(self) -> List[Tuple[str, int]]:
        """(task, attempt) of every attempt that has ended for the run and is still going."""
        return [(self._table.names[number], attempt) for number, attempt in self._abandoned]

    # ---- tasks come

    def _start(self, message: ev.Start, now: float, events: List[Event], effects: List[Any]) -> None:
        self.state = st.RUN_TRANSITIONS[self.state, "started"]
        events.append(Event(ev.RUN_STARTED, "", 0, "", self.state, "started", detail=message.detail))

    def _add(self, message: ev.Add, now: float, events: List[Event], effects: List[Any]) -> None:
        if self.state != st.RUNNING:
            raise InternalError("tasks were added to a run that is not running")
        table = self._table
        first = len(table.names)
        for node in message.nodes:
            if node.name in table.number:
                raise InternalError(f"task {node.name!r} was added twice")
            table.add(node, events)
        for number, node in enumerate(message.nodes, first):
            if self._halt is not None:
                table.cancel(number, *self._halt, events)
            elif node.known:
                table.move(number, node.known, ev.TASK_GIVEN if node.known == "given" else ev.TASK_REUSED, events)
                table.settle(number, events)
            elif table.states[number] == st.PENDING and table.decide(number, events):
                table.settle(number, events)

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
        table.move(number, "map_failed", ev.TASK_FAILED, events, detail=message.detail)
        table.settle(number, events)
        self._note_failure(number, now, events, effects)

    def _seal(self, message: ev.Seal, now: float, events: List[Event], effects: List[Any]) -> None:
        self._sealed = True

    # ---- attempts come and go

    def _claim(self, message: ev.Claim, now: float, events: List[Event], effects: List[Any]) -> None:
        if self._halt is not None or self.busy >= self.max_workers:
            return
        kinds, detail = message
        number = self._pop(kinds)
        if number is None:
            return
        table = self._table
        kind = table.policies[number].kind
        self.busy += 1
        attempt = table.attempts[number] = table.attempts[number] + 1
        effects.append(_new(ev.Launch, (table.names[number], attempt, kind)))
        if self._kinds[kind].begins_at_launch:
            self._begin(number, detail, now, events)
        else:
            self._launched.add(number)
            if self._kinds[kind].batches and not table.uses[number]:
                self._launch_with_siblings(number, kind, effects)

    def _launch_with_siblings(self, number: int, kind: str, effects: List[Any]) -> None:
        """Where it is short, others like it go with it to the same worker, and take no slot of their own."""
        table = self._table
        owner = self._owners.get(number, NO_MAP)
        most = self._batches.most(owner, 1 + self._queue.waiting((kind,)))
        if most == 1:
            return
        found = self._queue.pop_alike(kind, self._owners, owner, table.uses, most - 1)
        siblings = [item for item in found if table.states[item] == st.READY]  # the others were cancelled
        if not siblings:
            return
        members = [number, *siblings]
        for sibling in siblings:
            table.attempts[sibling] += 1
        self._launched.update(siblings)
        self._batches.join(members)
        attempts = tuple((table.names[member], table.attempts[member]) for member in members)
        effects[-1] = ev.LaunchBatch(attempts, kind)

    def _pop(self, kinds: Optional[Tuple[str, ...]]) -> Optional[int]:
        """The best task that is ready; one that was cancelled in the queue gives its limits back."""
        table = self._table
        number = self._queue.pop(kinds, table.uses)
        while number is not None and table.states[number] != st.READY:
            self._queue.give_back(table.uses[number])
            number = self._queue.pop(kinds, table.uses)
        return number

    def _begun(self, message: ev.Begun, now: float, events: List[Event], effects: List[Any]) -> None:
        number = self._table.number[message.task]
        if number in self._launched and self._table.attempts[number] == message.attempt:
            self._launched.discard(number)
            self._lost.pop(number, None)
            self._begin(number, message.detail, now, events)

    def _begin(self, number: int, detail: Detail, now: float, events: List[Event]) -> None:
        table = self._table
        policy = table.policies[number]
        table.move(number, "started", ev.ATTEMPT_STARTED, events, table.attempts[number], "", "", "", detail)
        if policy.retry.max_elapsed is not None:
            self._first_begun.setdefault(number, now)
        if self._stopping and number in self._stopping:
            self._set_grace(number, now)
        elif policy.timeout is not None:
            self._timers.set(number, now + policy.timeout, DEADLINE)
        if self._kinds[policy.kind].batches:
            self._batches.began[number] = now

    def _note(self, message: ev.Note, now: float, events: List[Event], effects: List[Any]) -> None:
        number = self._table.number[message.task]
        if self._table.attempts[number] == message.attempt and self._table.states[number] == st.RUNNING:
            task, attempt, detail = message
            events.append(Event(ev.ATTEMPT_PROGRESSED, task, attempt, st.RUNNING, st.RUNNING, "", detail=detail))

    def _ended(self, message: ev.Ended, now: float, events: List[Event], effects: List[Any]) -> None:
        table = self._table
        task, attempt, state, cause, retryable, mechanism, detail = message
        number = table.number[task]
        if table.attempts[number] != attempt or table.states[number] != st.RUNNING:
            if number not in self._launched or table.attempts[number] != attempt:
                if mechanism != "abandoned":  # that it was left behind is known
                    self._release(number, attempt, events)
                return
            if self._never_began(number, message, now, events, effects):
                return
            self._begun(ev.Begun(task, attempt), now, events, effects)  # nobody said so; it must have
        if state == st.SUCCEEDED and not mechanism and self._is_plain(number):
            self.busy -= 1
            table.succeed(number, detail, events)
            return
        stopping = self._stopping.pop(number, None) if self._stopping else None
        if stopping is not None or table.policies[number].timeout is not None:
            self._timers.drop(number)
        if self._lost:
            self._lost.pop(number, None)
        if self._batches.began:
            self._batches.end(number, self._owners, now)
        if mechanism == "abandoned":
            self._abandon(number)
        else:
            self._free_slot(number)
        if stopping is not None:
            self._end_stopped(number, stopping, mechanism or "cooperative", detail, now, events, effects)
        elif state == st.SUCCEEDED:
            table.succeed(number, detail, events)
        elif state == st.SKIPPED:
            table.move(number, "skip_raised", ev.ATTEMPT_SKIPPED, events, attempt, detail=detail)
            table.settle(number, events)
        else:
            # Whoever says "cancelled" though nobody ordered it has failed: a coroutine may raise CancelledError itself.
            cause = cause if state == st.FAILED else "raised"
            self._not_succeeded(number, st.FAILED, cause, retryable, mechanism, detail, now, events, effects)

    def _is_plain(self, number: int) -> bool:
        """Nothing is known of this attempt that would have to be forgotten at its end."""
        known = self._stopping or self._lost or self._batches.began or self._batches.left
        return not known and not self._table.uses[number] and self._table.policies[number].timeout is None

    def _ran(self, message: ev.Ran, now: float, events: List[Event], effects: List[Any]) -> None:
        """The first event is that of the begin, where the attempt was launched and had not begun."""
        ended = message.ended
        number = self._table.number[ended.task]
        if number in self._launched and self._table.attempts[number] == ended.attempt:
            self._launched.discard(number)
            self._begin(number, message.detail, message.began, events)
        self._ended(ended, now, events, effects)

    def _never_began(self, number: int, message: ev.Ended, now: float, events: List[Event], effects: List[Any]) -> bool:
        """True where the executor refused the attempt, or gave it back when it was told to stop."""
        stopping = self._stopping.get(number)
        if stopping is not None and message.mechanism == "withdrawn":
            self._take_back(number)
            self._end_before_it_began(number, stopping, events, message.mechanism)
            return True
        if st.TRANSITIONS.get((st.READY, message.cause)) != st.FAILED:
            return False
        self._take_back(number)
        self._table.move(number, message.cause, ev.TASK_FAILED, events, detail=message.detail)
        self._table.settle(number, events)
        self._note_failure(number, now, events, effects)
        return True

    def _take_back(self, number: int) -> Optional[Stopping]:
        """An attempt that did not begin never was: its number is free again. Returns why it was told to end."""
        self._launched.discard(number)
        self._free_slot(number)
        self._table.attempts[number] -= 1
        return self._stopping.pop(number, None)

    def _on_lost(self, message: ev.Lost, now: float, events: List[Event], effects: List[Any]) -> None:
        """Costs no attempt: the same number is launched again, unless workers keep dying under it.

        That is only for attempts that have not begun. Where a worker said that it began, the function may have run.
        """
        number = self._table.number[message.task]
        if self._table.attempts[number] != message.attempt:
            self._release(number, message.attempt, events)
            return
        if self._table.states[number] == st.RUNNING:
            if number in self._stopping or not self._kinds[self._table.policies[number].kind].begins_at_launch:
                how = "killed" if number in self._stopping else ""
                died = ev.Ended(message.task, message.attempt, st.FAILED, "worker_died", mechanism=how)
                self._ended(died, now, events, effects)
                return
            self._timers.drop(number)
            self._table.move(number, "requeued", ev.ATTEMPT_REQUEUED, events, message.attempt)
        elif number not in self._launched:
            self._release(number, message.attempt, events)
            return
        stopping = self._take_back(number) or self._halt
        self._lost[number] = self._lost.get(number, 0) + 1
        if stopping is not None:
            self._end_before_it_began(number, stopping, events)
        elif self._lost[number] >= LOST_IN_A_ROW:
            self._table.move(number, "worker_unavailable", ev.TASK_FAILED, events)
            self._table.settle(number, events)
            self._note_failure(number, now, events, effects)
        else:
            self._push(number)

    def _returned(self, message: ev.Returned, now: float, events: List[Event], effects: List[Any]) -> None:
        """Free of charge, and no sign that workers die under this attempt."""
        number = self._table.number[message.task]
        if number not in self._launched or self._table.attempts[number] != message.attempt:
            return
        stopping = self._take_back(number) or self._halt
        if stopping is not None:
            self._end_before_it_began(number, stopping, events)
        else:
            self._push(number)

    # ---- attempts that did not succeed

    def _not_succeeded(
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
        attempt = self._table.attempts[number]
        name = ATTEMPT_EVENT[state]
        if mechanism == "abandoned":
            retryable = retryable and self._table.policies[number].retry.retry_abandoned
        delay = self._delay_before_retry(number, now) if retryable else None
        if delay is None:
            self._table.move(number, cause, name, events, attempt, mechanism=mechanism, detail=detail)
            self._table.settle(number, events)
            self._note_failure(number, now, events, effects)
            return
        detail = {**(detail or {}), "delay": delay, "retry_at": now + delay}
        self._table.move(
            number, "retry", name, events, attempt, attempt_cause=cause, mechanism=mechanism, detail=detail
        )
        if delay > 0:
            self._timers.set(number, now + delay, DELAY)
        else:
            self._table.make_ready(number, "delay_over", events)

    def _delay_before_retry(self, number: int, now: float) -> Optional[float]:
        """Seconds until the next attempt; None where there is to be none."""
        retry = self._table.policies[number].retry
        attempt = self._table.attempts[number]
        if self._halt is not None or attempt > retry.retries:
            return None
        delay = retry.wait(attempt, 2.0 * self._draw() - 1.0)
        if retry.max_elapsed is not None and now + delay - self._first_begun[number] > retry.max_elapsed:
            return None
        return delay

    def _note_failure(self, number: int, now: float, events: List[Event], effects: List[Any]) -> None:
        """A final failure; under `on_failure="stop"` nothing new starts after it."""
        name = self._table.names[number]
        self._first_failure = self._first_failure or name
        if self._stop_on_failure and self._halt is None:
            stopping = Stopping("stopped", name)
            self._halt_all(stopping, events)
            for launched in sorted(self._launched.difference(self._stopping)):
                self._stop(launched, stopping, now, effects)

    # ---- time, and the end of it

    def _tick(self, message: ev.Tick, now: float, events: List[Event], effects: List[Any]) -> None:
        due = self._timers.pop_due(now)
        while due is not None:
            number, what = due
            if what == DELAY:
                self._table.make_ready(number, "delay_over", events)
            elif what == DEADLINE:
                self._stop(number, Stopping("timeout", ""), now, effects)
            elif what == GRACE:
                self._abandon(number)
                stopping = self._stopping.pop(number)
                self._end_stopped(number, stopping, "abandoned", None, now, events, effects)
            due = self._timers.pop_due(now)

    def _cancel(self, message: ev.Cancel, now: float, events: List[Event], effects: List[Any]) -> None:
        if self.state != st.RUNNING or (self._halt is not None and self._halt.cause != "stopped"):
            return
        self._sealed = True
        stopping = Stopping(message.cause, message.cause_task)
        self._halt_all(stopping, events)
        for number, state in enumerate(self._table.states):
            going = (state == st.RUNNING and number not in self._table.maps.items) or number in self._launched
            if going and number not in self._stopping:
                self._stop(number, stopping, now, effects)

    def _cancel_task(self, message: ev.CancelTask, now: float, events: List[Event], effects: List[Any]) -> None:
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
        state, earlier = self._table.states[number], self._stopping.get(number)
        if state not in st.OPEN or (earlier is not None and earlier.cause != "timeout"):
            return
        if earlier is not None:
            self._stopping[number] = TASK_CANCELLED
        elif state == st.RUNNING or number in self._launched:
            self._stop(number, TASK_CANCELLED, now, effects)
        else:
            self._timers.drop(number)
            self._table.maps.withdraw(number)
            self._end_before_it_began(number, TASK_CANCELLED, events)

    def _end_before_it_began(self, number: int, stopping: Stopping, events: List[Event], mechanism: str = "") -> None:
        """Cancelled with all the others, or alone: then those that wait for it have to hear of it."""
        if stopping != TASK_CANCELLED:
            self._table.cancel(number, *stopping, events, mechanism=mechanism)
            return
        self._table.move(number, stopping.cause, ev.TASK_CANCELLED, events, mechanism=mechanism)
        self._table.settle(number, events)

    def _stop(self, number: int, stopping: Stopping, now: float, effects: List[Any]) -> None:
        policy = self._table.policies[number]
        self._stopping[number] = stopping
        effects.append(ev.Stop(self._table.names[number], self._table.attempts[number], policy.kind, stopping.cause))
        self._timers.drop(number)
        if number not in self._launched:
            self._set_grace(number, now)

    def _set_grace(self, number: int, now: float) -> None:
        grace = self._kinds[self._table.policies[number].kind].grace
        if grace is not None:
            self._timers.set(number, now + grace, GRACE)

    def _end_stopped(
        self,
        number: int,
        stopping: Stopping,
        mechanism: str,
        detail: Detail,
        now: float,
        events: List[Event],
        effects: List[Any],
    ) -> None:
        policy = self._table.policies[number]
        if stopping.cause == "timeout":
            retryable = self._kinds[policy.kind].retries_timeouts or policy.retry.retry_abandoned
            retryable = retryable and policy.retry.matches(TIMED_OUT)
            self._not_succeeded(number, st.TIMED_OUT, "timeout", retryable, mechanism, detail, now, events, effects)
        else:
            attempt = self._table.attempts[number]
            self._table.move(
                number,
                stopping.cause,
                ev.ATTEMPT_CANCELLED,
                events,
                attempt,
                stopping.cause_task,
                "",
                mechanism,
                detail,
            )
            self._table.settle(number, events)

    def _end_if_too_many_are_left(self, now: float, events: List[Event], effects: List[Any]) -> None:
        if len(self._abandoned) > self.max_workers or (self._table.open > 0 and self._are_in_the_way()):
            latest = list(self._abandoned)[-1][0]
            self._cancel(ev.Cancel("too_many_abandoned", self._table.names[latest]), now, events, effects)

    def _are_in_the_way(self) -> bool:
        """No slot is left; or nothing goes on, and all that is ready waits for limits that they hold."""
        kept = sum(self._abandoned.values())
        if kept >= self.max_workers:
            return True
        idle = self.busy == kept and self._timers.next_due() is None and self._queue.waiting() == 0
        return idle and self._sealed and not self._table.maps.sizing

    def _abandon(self, number: int) -> None:
        """The attempt is over for the run and still going; its named limits stay taken until it ends."""
        kind = self._kinds[self._table.policies[number].kind]
        self._abandoned[number, self._table.attempts[number]] = not kind.replaces
        if kind.replaces:
            self.busy -= 1

    def _free_slot(self, number: int) -> None:
        if not self._batches.left or self._batches.leave(number):
            self.busy -= 1
        if self._table.uses[number]:
            self._queue.give_back(self._table.uses[number])

    def _release(self, number: int, attempt: int, events: List[Event]) -> None:
        """The end of an attempt that had been given up; any other late report means nothing."""
        keeps_slot = self._abandoned.pop((number, attempt), None)
        if keeps_slot is None:
            return
        if keeps_slot:
            self.busy -= 1
        self._queue.give_back(self._table.uses[number])
        state = self._table.states[number]
        if self.state == st.RUNNING:
            events.append(Event(ev.ATTEMPT_RELEASED, self._table.names[number], attempt, state, state, ""))

    def _halt_all(self, stopping: Stopping, events: List[Event]) -> None:
        """Nothing new starts: all that is not with an executor is cancelled."""
        self._halt = stopping
        self._queue.clear()
        self._table.maps.sizing.clear()
        self._table.maps.unasked.clear()
        for number, state in enumerate(self._table.states):
            if state in st.OPEN and state != st.RUNNING and number not in self._launched:
                self._timers.drop(number)
                self._table.cancel(number, *stopping, events)

    def _close(self, events: List[Event], effects: List[Any]) -> None:
        cause, guilty = "all_done", ""
        if self._halt is not None and self._halt.cause != "stopped":
            cause, guilty = self._halt
        elif self._first_failure:
            cause, guilty = "tasks_failed", self._first_failure
        before, self.state = self.state, st.RUN_TRANSITIONS[self.state, cause]
        left = sorted({self._table.names[number] for number, _ in self._abandoned})
        detail = {"abandoned": left} if left else None
        events.append(Event(ev.RUN_ENDED, "", 0, before, self.state, cause, guilty, detail=detail))
        effects.append(ev.Close(self.state))

    def _push(self, number: int) -> None:
        maps = self._table.maps
        if maps.nodes and number in maps.nodes:
            maps.unasked.append(number)
            return
        self._queue.push(self._table.policies[number].kind, self._table.keys[number])
