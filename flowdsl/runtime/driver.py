"""Drives one run: puts together the machine, the workers, the executors that are given their work, and the timer.

The thread that called `run()` never feeds the machine: a KeyboardInterrupt could strike it there. Cancellations are
carried out by the timer thread.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from itertools import islice
from typing import (
    Any,
    Callable,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
    cast,
)

from flowdsl.definition.graph import Graph
from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.policy import Kind, Node
from flowdsl.engine.snapshot import Snapshot
from flowdsl.executors import capture, stacks, threads
from flowdsl.executors.base import Backend, BatchBackend, Detail, Member
from flowdsl.executors.notes import Note
from flowdsl.executors.outcome import Call, Outcome, failure
from flowdsl.runtime.alarm import Alarm
from flowdsl.runtime.binding import Calls, Missing
from flowdsl.runtime.core import Core
from flowdsl.runtime.crew import WATCH, Crew, Slot
from flowdsl.runtime.history import Expected
from flowdsl.runtime.results import Results
from flowdsl.runtime.scribe import ECHO, Scribe
from flowdsl.runtime.workers import Workers, detail_of, ended
from flowdsl.storage.journal import Journal

CHUNK = 1000  # tasks that join in one write
NEVER_AGAIN = Retry(0)
NEVER = float("inf")
Report = Tuple[Any, Optional[Outcome], float]  # what the machine is told, what came of it, seconds since the start


class Orders(NamedTuple):
    """What is to be done once the lock is free."""

    woken: List[Slot]
    launches: Sequence[Union[ev.Launch, ev.LaunchBatch]]
    stops: Sequence[ev.Stop]
    expansions: Sequence[str] = ()


class Driver:
    """One run, from its first event to its last.

    `kind` is that of the run's own workers (threads, or the calling thread); `backends` are executors that are given
    their attempts, by the name of their kind.
    """

    def __init__(
        self,
        graph: Graph,
        nodes: Iterable[Node],
        journal: Journal,
        *,
        kind: Kind,
        backends: Mapping[str, Backend],
        results: Results,
        calls: Calls,
        header: Mapping[str, Any],
        max_workers: int,
        on_failure: str,
        remember: Callable[[Mapping[str, float]], None],
    ) -> None:
        kinds = {kind.name: kind, **{name: backend.kind for name, backend in backends.items()}}
        self.core = Core(graph, kinds, journal, results, max_workers=max_workers, on_failure=on_failure)
        self.run_id = ""
        self.dir = journal.path
        self.expected = Expected()  # what its tasks are expected to come to, where that is known
        self.finished = threading.Event()
        self.fault: Optional[BaseException] = None
        self._alarm = Alarm()
        self.scribe = Scribe(journal.path, self._alarm.set, echo=0 if kind.replaces else ECHO)
        self._nodes = iter(nodes)
        self._header = header
        self._kind = kind
        self._backends = dict(backends)
        self._pushed = tuple(backends)
        self._executor = threads.ThreadExecutor(max_workers)
        self._crew = Crew(
            max_workers if kind.replaces else 1, self._start_worker, "thread" if kind.replaces else "main"
        )
        self.core.stacks_of = self._stacks_of
        results.missing = self._missing
        self._workers = Workers(
            self.core,
            self._crew,
            calls,
            self.scribe,
            kind=kind.name,
            pushed=bool(backends),
            let_in=self._let_in,
            move_on=self._move_on,
            carry_out=self._carry_out,
            give_up=self._give_up,
        )
        self._callbacks: List[Callable[[], None]] = []
        self.left_behind: List[str] = []  # tasks with an abandoned attempt, as they come
        self._calls = calls
        self._remember = remember
        self._own = (kind.name,)
        self._begun = False
        self._said: Dict[str, Mapping[str, Any]] = {}  # by worker, what it said with its last begin
        self._fixed: Set[str] = set()
        self._fixed_last: Detail = None  # of them
        self._looked = 0.0
        self._cancels: Deque[Union[ev.Cancel, ev.CancelTask]] = deque()
        self._mine = threading.local()  # `waiting`: orders of a thread that is carrying some out
        self._alarm_due = 0.0

    # ---- what the run asks, from any thread

    def start(self) -> None:
        """Set the first worker and the timer going; returns at once."""
        capture.begin()
        self._start_timer()
        self._start_worker(self._crew.add())

    def new_slot(self) -> Slot:
        """The worker of a run in the calling thread."""
        return self._crew.add()

    def run_here(self, slot: Slot) -> None:
        """Be the only worker, in this thread, until the run is over."""
        capture.begin()
        self._start_timer()
        self._workers.work(slot)
        self.finished.wait()

    def cancel(self, cause: str = "cancel_requested") -> None:
        """Ask for the end; the timer thread carries it out."""
        self._cancels.append(ev.Cancel(cause))
        self._alarm.set()

    def cancel_task(self, task: str) -> None:
        """Ask for the end of one task; the timer thread carries it out."""
        self._cancels.append(ev.CancelTask(task))
        self._alarm.set()

    def hold(self) -> None:
        """Start no more attempts until `release`; what runs goes on, and so do time limits and retry delays."""
        self.core.held = True

    def release(self) -> None:
        """Go on after `hold`."""
        self.core.held = False
        self._alarm.set()

    def when_finished(self, callback: Callable[[], None]) -> None:
        """Call this at the end, from some thread, or now if the end has come; it must not block."""
        with self.core.lock:
            if not self.finished.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def call(self, task: str) -> Call:
        """The call of a task, made of the results that are there now."""
        return self._calls.make(task)

    def snapshot(self) -> Snapshot:
        """All that has happened so far, folded; read only."""
        return self.core.snapshot()

    @property
    def state(self) -> str:
        """The run's state; it has not ended before its journal is closed."""
        return self.core.scheduler.state if self.finished.is_set() else st.RUNNING

    # ---- executors that are given their attempts report here

    def begun(self, task: str, attempt: int, detail: Detail, ago: float = 0.0) -> None:
        if detail is not None:
            self._fix(detail)
        self._report(ev.Begun(task, attempt, detail), None, ago)

    def _fix(self, detail: Mapping[str, Any]) -> None:
        """What a worker says for the second time it says for every attempt: its text for the log is made once."""
        worker = str(detail.get("worker"))
        if self._said.get(worker) is not detail:
            self._said[worker] = detail
        elif worker not in self._fixed:
            self._fixed.add(worker)
            self.core.fix(detail)
        else:
            self._fixed_last = detail

    def ended(
        self, task: str, attempt: int, outcome: Outcome, mechanism: str, detail: Detail, ago: float = 0.0
    ) -> None:
        merged = self.scribe.end(task, attempt, {**(detail or {}), **(detail_of(outcome) or {})})
        for note in self._notes_of(task, attempt):
            self._report(ev.Note(*note), None, ago)
        self._report(ended(task, attempt, outcome, mechanism, merged), outcome, ago)

    def ran(self, task: str, attempt: int, outcome: Outcome, detail: Detail, begun_at: float, ended_at: float) -> None:
        if self.scribe.notes:  # which lie between the two
            now = time.monotonic()
            self.begun(task, attempt, detail, now - begun_at)
            self.ended(task, attempt, outcome, "", None, now - ended_at)
            return
        if detail is not None and detail is not self._fixed_last:
            self._fix(detail)
        core = self.core
        over = ended(task, attempt, outcome, "", self.scribe.end(task, attempt, detail_of(outcome)))
        report = (ev.Ran(over, core.at(begun_at), detail), outcome, core.at(ended_at))
        reports = getattr(self._mine, "reports", None)
        if reports is None:
            self._take((report,))
        else:
            reports.append(report)

    def lost(self, task: str, attempt: int) -> None:
        self._report(ev.Lost(task, attempt), None)

    def returned(self, task: str, attempt: int) -> None:
        self._report(ev.Returned(task, attempt), None)

    def noted(self, task: str, attempt: int, detail: Mapping[str, Any]) -> None:
        self._report(ev.Note(task, attempt, detail), None)

    def logged(self, fields: Mapping[str, Any]) -> None:
        self.scribe.logged(fields)

    def printed(self, task: str, attempt: int, data: bytes, total: int) -> None:
        self.scribe.take(task, attempt, data, total)

    def _notes_of(self, task: str, attempt: int) -> List[Note]:
        """What an attempt that ends has said and the machine has not been told."""
        if not self.scribe.notes:
            return []
        with self.core.lock:
            return self.scribe.notes.all(self.core.now(), task, attempt)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread reports within it is taken in one turn, at its end."""
        if getattr(self._mine, "reports", None) is not None:  # within another
            yield
            return
        reports: List[Report] = []
        self._mine.reports = reports
        try:
            yield
        finally:
            self._mine.reports = None
            if reports:
                self._take(reports)

    def _report(self, message: Any, outcome: Optional[Outcome], ago: float = 0.0) -> None:
        report = (message, outcome, self.core.now() - ago if ago else NEVER)
        reports = getattr(self._mine, "reports", None)
        if reports is None:
            self._take((report,))
        else:
            reports.append(report)

    def _take(self, reports: Sequence[Report]) -> None:
        """One turn: `reports` says of each when it was, NEVER for now."""
        core = self.core
        try:
            with core.lock:
                self._let_in()
                now, then = core.now(), 0.0
                for message, outcome, at in reports:
                    if type(message) is ev.Ran:
                        began = max(min(message.began, now), core.latest, then)
                        then = max(min(at, now), began)
                        core.feed(message, then, outcome, None, began)
                    else:
                        then = max(min(at, now), core.latest, then)
                        core.feed(message, then, outcome)
                    if then < now:
                        core.stage(then)
                orders = self._move_on(now)
            if orders is not None:
                self._carry_out(orders)
        except BaseException as exc:
            self._give_up(exc)

    # ---- under the lock

    def _let_in(self) -> None:
        """At the first turn of all the run begins, and its tasks join; at any other, a request to end goes first."""
        core = self.core
        if self._begun:
            while self._cancels:
                core.feed(self._cancels.popleft(), core.now())
            return
        self._begun = True
        core.feed(ev.Start(self._header), core.now())
        core.commit(core.now())
        chunk = tuple(islice(self._nodes, CHUNK))
        while chunk:
            core.feed(ev.Add(chunk), core.now())
            core.commit(core.now())
            chunk = tuple(islice(self._nodes, CHUNK))
        core.feed(ev.Seal(), core.now())
        while self._cancels:  # it was cancelled before it began
            core.feed(self._cancels.popleft(), core.now())

    def _move_on(self, now: float, task: str = "") -> Optional[Orders]:
        """After any input: give out what other executors can take, write, and say what is to be done outside.

        `task` is what the calling worker has in hand now; where attempts are tiny it may begin that first, and several
        turns are written together, at the latest when the timer thread looks.
        """
        core = self.core
        if task and self._crew.is_quick and self._alarm_due <= now + WATCH and not self._pushed:
            core.stage(now)
            if core.may_wait(task, now):
                return None
        if self._pushed and not core.closing and not core.held:
            self._push(now)
        core.commit(now)
        stops = self._stop_own() if core.stops else ()
        if core.left_behind:
            self._let_go()
        if core.closing:
            return Orders(self._close(), (), stops)
        claimable = self._claimable()
        woken = self._crew.wake_for(claimable) if claimable > 0 else ()
        self._set_alarm(claimable - len(woken), now)
        if not (woken or core.launches or stops or core.expansions):
            return None
        launches, core.launches = core.launches, []
        expansions, core.expansions = core.expansions, []
        return Orders(list(woken), launches, stops, expansions)

    def _claimable(self) -> int:
        """How many attempts the own workers could begin now."""
        return 0 if self.core.held else self.core.scheduler.claimable(self._own)

    def _push(self, now: float) -> None:
        """Claim for the executors that are given their work all that they can have."""
        before = -1
        while before != len(self.core.launches):
            before = len(self.core.launches)
            self.core.feed(ev.Claim(self._pushed), now)

    def _stop_own(self) -> List[ev.Stop]:
        """Ask the own workers' attempts to end; what concerns other executors comes back."""
        stops, self.core.stops = self.core.stops, []
        for stop in stops:
            slot = self._crew.holding(stop.task, stop.attempt) if stop.kind == self._kind.name else None
            if slot is not None and slot.current is not None and slot.thread is not None:
                slot.current.stop(stop.cause)
                if slot.in_user_code and not slot.stopped:
                    slot.stopped = threads.send_stop(slot.thread.ident or 0)
        return [stop for stop in stops if stop.kind != self._kind.name]

    def _let_go(self) -> None:
        """Workers whose attempts were abandoned are lost to the run; others may take their places."""
        left, self.core.left_behind = self.core.left_behind, []
        for task, attempt in left:
            self.left_behind.append(task)
            slot = self._crew.holding(task, attempt)
            if slot is not None and slot.thread is not None:
                if slot.in_user_code:  # once more: a library may have swallowed the first
                    slot.stopped = threads.send_stop(slot.thread.ident or 0)
                capture.begin()  # until it comes back: what it prints is not to land in another cell
                self._crew.abandon(slot)
                self._executor.abandon(slot.thread)

    def _close(self) -> List[Slot]:
        if not self.finished.is_set():
            self._remember(self.core.clock)
            self.core.close()
            self.scribe.close()
            capture.end()
            self.fault = self.fault or self.core.fault
            for backend in self._backends.values():
                backend.close()
            self.finished.set()
            self._alarm.set()
            for callback in self._callbacks:
                callback()
        return self._crew.dismiss()

    def _set_alarm(self, claimable: int, now: float) -> None:
        """Wake the timer thread if it would sleep too long; after most attempts there is nothing that could need it."""
        due = self.core.scheduler.next_due()
        if due is None and (claimable <= 0 or self._alarm_due <= now + WATCH):
            return
        due = self._next_alarm(claimable, now)
        if due < self._alarm_due:
            self._alarm_due = due
            self._alarm.set()

    def _next_alarm(self, claimable: int, now: float) -> float:
        watch = now + WATCH if self._crew.wants_watch(claimable) else None
        dues = (self.core.scheduler.next_due(), self.scribe.notes.next_due(), watch)
        return min((due for due in dues if due is not None), default=NEVER)

    # ---- outside the lock

    def _carry_out(self, orders: Orders) -> None:
        """Do what was decided under the lock.

        An executor may run an attempt, and report its end, within `launch`: what follows from that waits its turn here,
        or a thousand such attempts would lie on the stack.
        """
        waiting = getattr(self._mine, "waiting", None)
        if waiting is not None:
            waiting.append(orders)
            return
        self._mine.waiting = waiting = deque((orders,))
        try:
            while waiting:
                self._do(waiting.popleft())
        finally:
            self._mine.waiting = None

    def _do(self, orders: Orders) -> None:
        for launch in orders.launches:
            if type(launch) is ev.LaunchBatch:
                self._launch_batch(launch)
            else:
                self._launch(cast(ev.Launch, launch))
        for stop in orders.stops:
            self._backends[stop.kind].stop(stop.task, stop.attempt)
        for slot in orders.woken:
            self._crew.set_going(slot)
        for task in orders.expansions:
            self._expand(task)

    def _expand(self, task: str) -> None:
        """Say how many items a mapped task has. What it maps over is the user's, and so is what its length costs."""
        try:
            sized, outcome = ev.Sized(task, self._calls.measure(task)), None
        except Exception as exc:
            outcome = failure(exc, "map_failed", NEVER_AGAIN)
            sized = ev.Sized(task, None, detail_of(outcome))
        self._report(sized, outcome)

    def _launch(self, launch: ev.Launch) -> None:
        call = self._call_of(launch.task, launch.attempt)
        if call is not None:
            self._backends[launch.kind].launch(launch.task, launch.attempt, call)

    def _launch_batch(self, batch: ev.LaunchBatch) -> None:
        members = []
        for task, attempt in batch.attempts:
            call = self._call_of(task, attempt)
            if call is not None:
                members.append(Member(task, attempt, call))
        if members:
            cast(BatchBackend, self._backends[batch.kind]).launch_batch(members)

    def _call_of(self, task: str, attempt: int) -> Optional[Call]:
        """What the attempt is to call; None where that cannot be made, which is the attempt's fault and its end."""
        try:
            return self._calls.make(task)
        except Exception as exc:  # an item that a result does not have
            outcome = failure(exc, "raised", self._calls.retry_of(task))
            self.begun(task, attempt, None)
            self.ended(task, attempt, outcome, "", None)
            return None

    def _start_worker(self, slot: Slot) -> None:
        self._executor.submit(self._workers.work, slot)

    def _start_timer(self) -> None:
        threading.Thread(target=self._keep_time, name="flowdsl-timer", daemon=True).start()

    def _keep_time(self) -> None:
        try:
            timeout = self._look_at_clock()
            while timeout is not None:
                self._alarm.wait(None if timeout == NEVER else min(timeout, threading.TIMEOUT_MAX))
                timeout = self._look_at_clock()
                self.scribe.complain()
        except BaseException as exc:
            self._give_up(exc)
        self._executor.shutdown(wait=False)

    def _look_at_clock(self) -> Optional[float]:
        """Do what is due; seconds until the next look, None when the run is over."""
        core = self.core
        with core.lock:
            now = core.now()
            while self._cancels and self._begun:
                core.feed(self._cancels.popleft(), now)
            due = core.scheduler.next_due()
            is_due = due is not None and due <= now
            for note in self.scribe.notes.all(now) if is_due else self.scribe.due(now):
                core.feed(ev.Note(*note), now)
            if is_due:
                core.feed(ev.Tick(), now)
            orders = self._move_on(now) or Orders([], (), ())
            claimable = self._claimable() - len(orders.woken)
            if now - self._looked >= WATCH / 2:
                self._looked = now
                orders.woken.extend(self._crew.look(claimable))
            self._alarm_due = self._next_alarm(claimable, now)
            timeout = None if self.finished.is_set() else max(0.0, self._alarm_due - now)
        self._carry_out(orders)
        return timeout

    def _give_up(self, exc: BaseException) -> None:
        """flowdsl itself is at fault: end the run rather than hang."""
        with self.core.lock:
            self.fault = self.fault or exc
            self.core.closing = True
            woken = self._close()
        self._carry_out(Orders(woken, (), ()))

    def _stacks_of(self, task: str, attempt: int) -> Mapping[str, Any]:
        """Where the thread is that has this attempt in hand, and what it has printed, for the log; under the lock."""
        slot = self._crew.holding(task, attempt)
        text = stacks.of_thread(slot.thread.ident) if slot is not None and slot.thread is not None else ""
        return {**({"stacks": text} if text else {}), **self.scribe.so_far(task, attempt)}

    def _missing(self, task: str) -> Missing:
        outcome = self.core.errors.get(task)
        return Missing(task, self.core.scheduler.task_state(task), outcome.error if outcome else "")
