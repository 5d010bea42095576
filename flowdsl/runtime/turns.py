"""What is the same in every turn under the lock, whoever has something to report: before it is fed, and after."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import Any, Callable, Deque, Iterable, List, Mapping, Optional, Sequence, Union

from flowdsl.definition.growing import growing
from flowdsl.engine import events as ev
from flowdsl.engine.policy import Kind, Node
from flowdsl.executors import capture, threads
from flowdsl.executors.base import Backend
from flowdsl.runtime.alarm import Alarm
from flowdsl.runtime.core import Core
from flowdsl.runtime.crew import Crew, Slot
from flowdsl.runtime.orders import Orders
from flowdsl.runtime.scribe import Scribe
from flowdsl.runtime.stint import Stint
from flowdsl.runtime.teller import Teller

CHUNK = 250  # tasks that join in one write
NEVER = float("inf")


class Turns:
    """The turns of one run, from that in which it begins to that in which it is closed; all under `core.lock`."""

    def __init__(
        self,
        core: Core,
        crew: Crew,
        scribe: Scribe,
        alarm: Alarm,
        executor: threads.ThreadExecutor,
        teller: Teller,
        *,
        kind: Kind,
        backends: Mapping[str, Backend],
        nodes: Iterable[Node],
        tasks: int,
        header: Mapping[str, Any],
        remember: Callable[[Mapping[str, float]], None],
    ) -> None:
        self.begun = False
        self.cancels: Deque[Union[ev.Cancel, ev.CancelTask]] = deque()  # asked for, from any thread
        self.finished = threading.Event()
        self.callbacks: List[Callable[[], None]] = []  # for the end
        self.fault: Optional[BaseException] = None
        self.left_behind: List[str] = []  # tasks with an abandoned attempt, as they come
        self.alarm_due = 0.0  # when the timer thread will look
        self._core = core
        self._crew = crew
        self._scribe = scribe
        self._alarm = alarm
        self._executor = executor
        self._teller = teller
        self._kind = kind
        self._own = (kind.name,)
        self._backends = backends
        self._pushed = tuple(backends)
        self._nodes = iter(nodes)
        self._tasks = tasks
        self._header = header
        self._remember = remember

    def let_in(self) -> None:
        """At the first turn of all the run begins, and its tasks join; at any other, a request to end goes first."""
        core = self._core
        if self.begun:
            if self.cancels:
                self._teller.recall_all(core.now())  # what is in hand has to be known, to be told to end
            while self.cancels:
                core.feed(self.cancels.popleft(), core.now())
            return
        self.begun = True
        core.feed(ev.Start(self._header), core.now())
        core.commit(core.now())
        with growing(self._tasks):
            self._add_all()
        core.feed(ev.Seal(), core.now())
        while self.cancels:  # it was cancelled before it began
            core.feed(self.cancels.popleft(), core.now())

    def _add_all(self) -> None:
        core = self._core
        chunk = tuple(islice(self._nodes, CHUNK))
        while chunk and core.fault is None:  # a journal that takes no more has ended the run already
            core.feed(ev.Add(chunk), core.now())
            core.commit(core.now())
            chunk = tuple(islice(self._nodes, CHUNK))

    def move_on(self, now: float, stint: Optional[Stint] = None) -> Optional[Orders]:
        """After any input: give out what other executors can take, write, and say what is to be done outside.

        `stint` is what the calling worker has in hand now; where attempts are tiny it may begin that first, and several
        turns are written together, at the latest when the timer thread looks.
        """
        core, crew = self._core, self._crew
        tiny = crew.is_quick and self.alarm_due <= now + crew.watch  # and the timer thread is on the watch
        if tiny and stint is not None and not self._pushed:
            core.stage(now)
            if core.may_wait(stint, now):
                return None
        if self._pushed and not core.closing and not core.held:
            self._push(now)
        core.commit(now)
        stops = self._stop_own() if core.stops else ()
        if core.left_behind:
            self._let_go()
        if core.closing:
            return Orders(self.close(), (), stops)
        woken: Sequence[Slot] = ()
        if not (tiny and crew.awake > 0 and core.scheduler.next_due() is None):  # else one does them alone
            claimable = self.claimable()
            woken = crew.wake_for(claimable) if claimable > 0 else ()
            self._set_alarm(claimable - len(woken), now, stint)
        if not (woken or core.launches or stops or core.expansions):
            return None
        launches, core.launches = core.launches, []
        expansions, core.expansions = core.expansions, []
        return Orders(list(woken), launches, stops, expansions)

    def claimable(self) -> int:
        """How many attempts the own workers could begin now."""
        return 0 if self._core.held else self._core.scheduler.claimable(self._own)

    def _push(self, now: float) -> None:
        """Claim for the executors that are given their work all that they can have."""
        before = -1
        while before != len(self._core.launches):
            before = len(self._core.launches)
            self._core.feed(ev.Claim(self._pushed), now)

    def _stop_own(self) -> List[ev.Stop]:
        """Ask the own workers' attempts to end; what concerns other executors comes back."""
        stops, self._core.stops = self._core.stops, []
        for stop in stops:
            slot = self._crew.holding(stop.task, stop.attempt) if stop.kind == self._kind.name else None
            if slot is not None and slot.stint is not None and slot.thread is not None:
                current = slot.stint.find(stop.task, stop.attempt)
                if current is not None:
                    current.stop(stop.cause)
                if slot.in_user_code and not slot.stopped and current is slot.stint.in_hand:
                    slot.stopped = threads.send_stop(slot.thread.ident or 0)
        return [stop for stop in stops if stop.kind != self._kind.name]

    def _let_go(self) -> None:
        """Workers whose attempts were abandoned are lost to the run; others may take their places."""
        left, self._core.left_behind = self._core.left_behind, []
        for task, attempt in left:
            self.left_behind.append(task)
            slot = self._crew.holding(task, attempt)
            if slot is not None and slot.thread is not None:
                if slot.in_user_code:  # once more: a library may have swallowed the first
                    slot.stopped = threads.send_stop(slot.thread.ident or 0)
                capture.begin()  # until it comes back: what it prints is not to land in another cell
                self._crew.abandon(slot)
                self._executor.abandon(slot.thread)

    def close(self) -> List[Slot]:
        """End the run, once, and tell everybody; returns the workers that are to be woken and go home."""
        if not self.finished.is_set():
            self._remember(self._core.clock)
            self._core.close()
            self._scribe.close()
            capture.end()
            self.fault = self.fault or self._core.fault
            for backend in self._backends.values():
                backend.close()
            self.finished.set()
            self._alarm.set()
            for callback in self.callbacks:
                callback()
        return self._crew.dismiss()

    def _set_alarm(self, claimable: int, now: float, stint: Optional[Stint]) -> None:
        """Wake the timer thread if it would sleep too long; after most attempts there is nothing that could need it."""
        if self._core.scheduler.next_due() is None:
            if self.alarm_due <= now + self._crew.watch:
                return
            if claimable <= 0 and (stint is None or not stint.waits):
                return
        due = self.next_alarm(claimable, now)
        if due < self.alarm_due:
            self.alarm_due = due
            self._alarm.set()

    def next_alarm(self, claimable: int, now: float) -> float:
        """When the timer thread has something to do next, as far as is known."""
        watch = now + self._crew.watch if self._crew.wants_watch(claimable) else None
        dues = (self._core.scheduler.next_due(), self._scribe.notes.next_due(), watch)
        return min((due for due in dues if due is not None), default=NEVER)
