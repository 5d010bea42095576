"""The life of a run's own workers: end an attempt, report it, claim the next one, all in one turn under the lock.

Leader and followers: nothing is handed from thread to thread, the worker that ends a task makes its events durable
and goes on with the next ready task itself.
"""

from __future__ import annotations

import os
import threading
from contextvars import copy_context
from time import monotonic, sleep
from typing import Any, Callable, List, Optional, Union, cast

from flowdsl.engine import events as ev
from flowdsl.engine.policy import Kind
from flowdsl.errors import AttemptStopped
from flowdsl.executors import capture, threads
from flowdsl.executors.current import Current, enter
from flowdsl.executors.outcome import Outcome, exit_code, failure, perform
from flowdsl.runtime.binding import Calls
from flowdsl.runtime.core import Core
from flowdsl.runtime.crew import Crew, Slot
from flowdsl.runtime.orders import Orders
from flowdsl.runtime.scribe import Scribe
from flowdsl.runtime.stint import Series, Single
from flowdsl.runtime.teller import STOPPED, Teller
from flowdsl.runtime.turns import Turns

_forked: List[bool] = []  # not empty in a process that was forked
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _forked.append(True))

LATE = 0.0001  # seconds after which the timer thread is in want of the interpreter
YIELD = 0.00002  # seconds that a worker sleeps for it
MOST = 32  # tiny attempts that a worker takes together
GO, REST, LEAVE = "go", "rest", "leave"  # what a worker does after its turn


class Workers:
    """Works through a run with the threads of a crew; `carry_out` and `give_up` are the driver's."""

    def __init__(
        self,
        core: Core,
        crew: Crew,
        calls: Calls,
        scribe: Scribe,
        teller: Teller,
        turns: Turns,
        *,
        kind: Kind,
        pushed: bool,
        carry_out: Callable[[Any], None],
        give_up: Callable[[BaseException], None],
    ) -> None:
        self._core = core
        self._crew = crew
        self._calls = calls
        self._scribe = scribe
        self._teller = teller
        self._turns = turns
        self._kind = kind.name
        self._kinds = None if pushed else (kind.name,)
        self._most = MOST if kind.replaces and not pushed and core.together > 1 else 1
        self._carry_out = carry_out
        self._give_up = give_up
        self._context = copy_context()
        self._pid = os.getpid()
        self._made_way = self._next_way = 0.0  # for what the timer thread was to look at then; and not before

    def work(self, slot: Slot) -> None:
        """Until the run is over, or this worker is lost to it."""
        while True:
            try:
                if not slot.claims:
                    slot.thread = threading.current_thread()
                    detail = self._core.fix({"worker": slot.name, "pid": os.getpid()})
                    slot.claims = ev.Claim(self._kinds, detail), ev.Claim(self._kinds, detail, self._most)
                stint = slot.stint
                if type(stint) is Single:
                    stint.outcome = stint.outcome or self._alone(slot, stint.current)
                elif stint is not None:
                    self._work_off(slot, cast(Series, stint))
                step = self._turn(slot)
                if step == LEAVE:
                    return
                if step == REST:  # what the turn said: the slot itself may have been woken since
                    slot.park()
            except AttemptStopped:  # sent for the attempt in hand, arrived a little late: nothing is lost by it
                if slot.stint is not None:
                    slot.stint.mend(STOPPED, monotonic())
            except BaseException as exc:
                self._give_up(exc)
                return

    def _work_off(self, slot: Slot, series: Series) -> None:
        """One attempt after the other, until somebody has to hear of them."""
        if series.outcomes and series.outcomes[-1].state != "succeeded":
            return  # a stop struck between two lines: it has to be told first
        series.began = monotonic()
        while series.index < series.limit:
            outcome = self._alone(slot, series.members[series.index])
            series.outcomes.append(outcome)
            now = monotonic()
            series.ends.append(now)
            series.index += 1
            if now > series.until or outcome.state != "succeeded" or self._core.held or self._core.closing:
                return

    def _alone(self, slot: Slot, current: Current) -> Outcome:
        """The attempt, in a context of its own."""
        outcome = self._context.copy().run(self._attempt, slot, current)
        if _forked and os.getpid() != self._pid:  # a child of the task came back here: it is not ours
            os._exit(exit_code(outcome))
        return outcome

    def _attempt(self, slot: Slot, current: Current) -> Outcome:
        """Run the user's function; the flag says when a stop may be sent into this thread."""
        enter(current)
        try:
            call = self._calls.make(current.task)
        except Exception as exc:
            return failure(exc, "raised", self._calls.retry_of(current.task))
        slot.in_user_code = True
        outcome = STOPPED if current.reason else perform(call, slot.timed)
        slot.in_user_code = False
        return outcome

    def _turn(self, slot: Slot) -> str:
        """Report, write, claim the next attempt; what the worker does then. One REST, one `park`, one wake."""
        core, turns, stint = self._core, self._turns, slot.stint
        with core.lock:
            slot.in_user_code = False
            if slot.stopped:  # first of all: until it is withdrawn, a stop may be raised here
                threads.withdraw_stop(threading.get_ident())
                slot.stopped = False
            if not turns.begun or turns.cancels:
                turns.let_in()
            now = core.now()
            self._crew.came_back(slot)
            rests = core.closing or core.held or self._crew.should_rest()
            claim = None if slot.abandoned or rests else slot.claims[self._crew.is_quick]
            if stint is None:
                if claim is not None:
                    core.feed(claim, now)
            else:
                if core.held and isinstance(stint, Series):
                    self._teller.give_back(stint, now)
                if self._teller.tell(stint, now, claim):
                    slot.stint = None
            step = self._hand_out(slot, claim, now)
            orders = turns.move_on(now, slot.stint)
            if isinstance(slot.stint, Series):
                slot.stint.until = core.write_by
        if orders is not None:
            if slot.stint is not None and orders.launches:  # its time goes by, and arguments may take long to pack
                threading.Thread(target=self._deliver, args=(orders,), name="flowdsl-launch", daemon=True).start()
            else:
                self._carry_out(orders)
        if now > turns.alarm_due + LATE:
            self._make_way(turns.alarm_due, now)
        return step

    def _deliver(self, orders: Orders) -> None:
        """Carry them out in a thread of its own."""
        try:
            self._carry_out(orders)
        except BaseException as exc:
            self._give_up(exc)

    def _make_way(self, due: float, now: float) -> None:
        """Let the timer thread have the interpreter, which it waits for in vain.

        Every write gives the interpreter free and takes it again before the thread that waits for it has woken up; and
        because that thread was woken, it does not insist (take_gil in ceval_gil.h). It may wait for a second so, and
        its waking at every write costs as much as all else. A busy machine may be slow to run it: then less and less.
        """
        if due != self._made_way:
            self._made_way, self._next_way = due, now
        if now >= self._next_way:
            self._next_way = now + 4 * (now - due)
            sleep(YIELD)

    def _hand_out(self, slot: Slot, claim: Optional[ev.Claim], now: float) -> str:
        """Give the worker what its claim was answered with, or let it rest, or send it home."""
        if slot.abandoned:
            capture.end()  # as its thread prints no more
        if slot.abandoned or self._core.closing:
            self._crew.leave(slot)
            return LEAVE
        if slot.stint is None:
            launch, launches = None, self._core.launches
            if claim is not None and launches:
                launch = launches.pop() if launches[-1].kind == self._kind else self._take(claim, now)
            if launch is None:
                self._crew.rest(slot)
                return REST
            if type(launch) is ev.Launch:
                slot.stint = Single(Current(launch.task, launch.attempt, self._scribe))
            else:
                slot.stint = self._series(cast(ev.LaunchBatch, launch), slot.claims[0])
        slot.timed = not self._crew.is_quick  # the CPU clock costs 1 to 2 us
        return GO

    def _series(self, launch: ev.LaunchBatch, claim: ev.Claim) -> Series:
        return Series([Current(task, attempt, self._scribe) for task, attempt in launch.attempts], claim.detail)

    def _take(self, claim: ev.Claim, now: float) -> Optional[Union[ev.Launch, ev.LaunchBatch]]:
        """What the claim is answered with, if anything, once attempts for other executors have gone out on the way."""
        launches, before = self._core.launches, 0
        while len(launches) != before:
            if launches[-1].kind == self._kind:
                return launches.pop()
            before = len(launches)
            self._core.feed(claim, now)
        return None
