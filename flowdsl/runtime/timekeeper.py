"""The thread that keeps time: it carries out what is asked from outside, and looks at what is due."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from flowdsl.engine import events as ev
from flowdsl.executors import threads
from flowdsl.runtime.alarm import Alarm
from flowdsl.runtime.core import Core
from flowdsl.runtime.crew import WATCH, Crew
from flowdsl.runtime.orders import Errands, Orders
from flowdsl.runtime.scribe import Scribe
from flowdsl.runtime.teller import Teller
from flowdsl.runtime.turns import NEVER, Turns


class Timekeeper:
    """Goes home when the run is over, and dismisses the `executor` of the run's threads."""

    def __init__(
        self,
        core: Core,
        crew: Crew,
        scribe: Scribe,
        alarm: Alarm,
        executor: threads.ThreadExecutor,
        teller: Teller,
        turns: Turns,
        errands: Errands,
        give_up: Callable[[BaseException], None],
    ) -> None:
        self._core = core
        self._crew = crew
        self._scribe = scribe
        self._alarm = alarm
        self._executor = executor
        self._teller = teller
        self._turns = turns
        self._errands = errands
        self._give_up = give_up
        self._looked = 0.0  # when it last looked at the workers

    def start(self) -> None:
        """Set the thread going."""
        threading.Thread(target=self._keep_time, name="flowdsl-timer", daemon=True).start()

    def _keep_time(self) -> None:
        try:
            timeout = self._look_at_clock()
            while timeout is not None:
                self._alarm.wait(None if timeout == NEVER else min(timeout, threading.TIMEOUT_MAX))
                timeout = self._look_at_clock()
                self._scribe.complain()
        except BaseException as exc:
            self._give_up(exc)
        self._executor.shutdown(wait=False)

    def _look_at_clock(self) -> Optional[float]:
        """Do what is due; seconds until the next look, None when the run is over."""
        core, turns = self._core, self._turns
        with core.lock:
            if turns.begun:
                turns.let_in()
            now = core.now()
            looks = now - self._looked >= WATCH / 2
            due = core.scheduler.next_due()
            is_due = due is not None and due <= now
            if looks or is_due or self._scribe.notes:
                self._teller.recall_all(now)
            for note in self._scribe.notes.all(now) if is_due else self._scribe.due(now):
                core.feed(ev.Note(*note), now)
            if is_due:
                core.feed(ev.Tick(), now)
            orders = turns.move_on(now) or Orders([], (), ())
            claimable = turns.claimable() - len(orders.woken)
            if looks:
                self._looked = now
                orders.woken.extend(self._crew.look(claimable))
            turns.alarm_due = turns.next_alarm(claimable, now)
            timeout = None if turns.finished.is_set() else max(0.0, turns.alarm_due - now)
        self._errands.carry_out(orders)
        return timeout
