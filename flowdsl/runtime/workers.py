"""The life of a run's own workers: end an attempt, report it, claim the next one, all in one turn under the lock.

Leader and followers: nothing is handed from thread to thread, the worker that ends a task makes its events durable
and goes on with the next ready task itself.
"""

from __future__ import annotations

import os
import threading
from contextvars import copy_context
from typing import Any, Callable, Dict, List, Mapping, Optional, cast

from flowdsl.engine import events as ev
from flowdsl.errors import AttemptStopped
from flowdsl.executors import capture, threads
from flowdsl.executors.current import Current, enter
from flowdsl.executors.outcome import Outcome, failure, perform
from flowdsl.runtime.binding import Calls
from flowdsl.runtime.core import Core
from flowdsl.runtime.crew import Crew, Slot
from flowdsl.runtime.scribe import Scribe
from flowdsl.storage.detail import clip

_forked: List[bool] = []  # not empty in a process that was forked
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _forked.append(True))

GO, REST, LEAVE = "go", "rest", "leave"  # what a worker does after its turn
STOPPED = Outcome("failed", "raised", error_type="AttemptStopped", error="the attempt was stopped")


def detail_of(outcome: Outcome) -> Optional[Mapping[str, Any]]:
    """What the log says of an attempt's end."""
    if outcome.state == "succeeded":
        return None if outcome.cpu_s is None else {"cpu_s": round(outcome.cpu_s, 6)}
    detail: Dict[str, Any] = {}
    if outcome.cpu_s is not None:
        detail["cpu_s"] = round(outcome.cpu_s, 6)
    if outcome.state == "skipped":
        detail["message"] = clip(outcome.error)
    elif outcome.error_type:
        detail.update(error_type=outcome.error_type, error=clip(outcome.error), traceback=outcome.traceback)
    return detail


def ended(task: str, attempt: int, outcome: Outcome, mechanism: str, detail: Optional[Mapping[str, Any]]) -> ev.Ended:
    """The report of an outcome, as the machine takes it."""
    report = (task, attempt, outcome.state, outcome.cause, outcome.retryable, mechanism, detail)
    return tuple.__new__(ev.Ended, report)  # a third of the cost of the constructor, once an attempt


class Workers:
    """Works through a run with the threads of a crew; `move_on` and `carry_out` are the driver's."""

    def __init__(
        self,
        core: Core,
        crew: Crew,
        calls: Calls,
        scribe: Scribe,
        *,
        kind: str,
        pushed: bool,
        let_in: Callable[[], None],
        move_on: Callable[[float, str], Any],
        carry_out: Callable[[Any], None],
        give_up: Callable[[BaseException], None],
    ) -> None:
        self._core = core
        self._crew = crew
        self._calls = calls
        self._scribe = scribe
        self._kind = kind
        self._kinds = None if pushed else (kind,)
        self._let_in = let_in
        self._move_on = move_on
        self._carry_out = carry_out
        self._give_up = give_up
        self._context = copy_context()
        self._pid = os.getpid()

    def work(self, slot: Slot) -> None:
        """Until the run is over, or this worker is lost to it."""
        while True:
            try:
                if slot.claim is None:
                    slot.thread = threading.current_thread()
                    slot.claim = ev.Claim(self._kinds, self._core.fix({"worker": slot.name, "pid": os.getpid()}))
                if slot.task and slot.outcome is None:
                    self._context.copy().run(self._attempt, slot)
                    if _forked and os.getpid() != self._pid:  # a child of the task came back here: it is not ours
                        os._exit(0)
                step = self._turn(slot)
                if step == LEAVE:
                    return
                if step == REST:  # what the turn said: the slot itself may have been woken since
                    slot.park()
            except AttemptStopped:  # sent for the attempt in hand, arrived a little late: nothing is lost by it
                if slot.task and slot.outcome is None:
                    slot.outcome = STOPPED
            except BaseException as exc:
                self._give_up(exc)
                return

    def _attempt(self, slot: Slot) -> None:
        """Run the user's function; the flag says when a stop may be sent into this thread."""
        current = slot.current
        assert current is not None
        enter(current)
        try:
            call = self._calls.make(slot.task)
        except Exception as exc:
            slot.outcome = failure(exc, "raised", self._calls.retry_of(slot.task))
            return
        slot.in_user_code = True
        slot.outcome = STOPPED if current.stopped else perform(call, slot.timed)
        slot.in_user_code = False

    def _turn(self, slot: Slot) -> str:
        """Report, write, claim the next attempt; what the worker does then. One REST, one `park`, one wake."""
        core = self._core
        with core.lock:
            slot.in_user_code = False
            if slot.stopped:  # first of all: until it is withdrawn, a stop may be raised here
                threads.withdraw_stop(threading.get_ident())
                slot.stopped = False
            self._let_in()
            now = core.now()
            self._crew.came_back(slot)
            rests = core.closing or core.held or self._crew.should_rest()
            claim = None if slot.abandoned or rests else slot.claim
            if slot.task:
                self._hand_in(slot, claim, now)
            elif claim is not None:
                core.feed(claim, now)
            step = self._hand_out(slot, claim, now)
            orders = self._move_on(now, slot.task)
        if orders is not None:
            self._carry_out(orders)
        return step

    def _hand_in(self, slot: Slot, claim: Optional[ev.Claim], now: float) -> None:
        outcome = slot.outcome or STOPPED
        plain = outcome.state == "succeeded" and outcome.cpu_s is None
        current, detail = slot.current, None if plain else detail_of(outcome)
        stopped = current is not None and current.stopped
        if current is not None and (current.output is not None or current.said is not current.told):
            detail = self._hand_in_words(current, detail, now)
        mechanism = "overran" if stopped and outcome.error_type != "AttemptStopped" else ""
        message = ended(slot.task, slot.attempt, outcome, mechanism, detail)
        slot.task, slot.outcome, slot.current = "", None, None
        self._core.feed(message, now, outcome, claim)

    def _hand_in_words(self, current: Current, detail: Optional[Mapping[str, Any]], now: float) -> Any:
        """What the attempt said last, before its end; what the log says of its end, with what it printed."""
        note = self._scribe.notes.last(current, now)
        if note is not None:
            self._core.feed(ev.Note(*note), now)
        return self._scribe.end(current.task, current.attempt, detail)

    def _hand_out(self, slot: Slot, claim: Optional[ev.Claim], now: float) -> str:
        """Give the worker what its claim was answered with, or let it rest, or send it home."""
        if slot.abandoned:
            capture.end()  # as its thread prints no more
        if slot.abandoned or self._core.closing:
            self._crew.leave(slot)
            return LEAVE
        launch = None if claim is None else self._take(claim, now)
        if launch is None:
            self._crew.rest(slot)
            return REST
        slot.task, slot.attempt = launch.task, launch.attempt
        slot.current = Current(launch.task, launch.attempt, self._scribe)
        slot.timed = not self._crew.is_quick  # the CPU clock costs 1 to 2 us
        return GO

    def _take(self, claim: ev.Claim, now: float) -> Optional[ev.Launch]:
        """The attempt that the claim was answered with, if any; those for other executors go out on the way."""
        launches = self._core.launches
        while launches:
            if launches[-1].kind == self._kind:
                return cast(ev.Launch, launches.pop())
            before = len(launches)
            self._core.feed(claim, now)
            if len(launches) == before:
                return None
        return None
