"""Drives one run: puts together the machine, the workers, the executors that are given their work, and the timer.

The thread that called `run()` never feeds the machine: a KeyboardInterrupt could strike it there. Cancellations are
carried out by the timer thread.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, cast

from flowdsl.definition.graph import Graph
from flowdsl.definition.growing import growing
from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.policy import Kind, Node
from flowdsl.engine.snapshot import Snapshot
from flowdsl.executors import capture, stacks, threads
from flowdsl.executors.base import Backend
from flowdsl.executors.outcome import Call, Outcome
from flowdsl.runtime.alarm import Alarm
from flowdsl.runtime.binding import Calls, Missing
from flowdsl.runtime.core import Core
from flowdsl.runtime.crew import Crew, Slot
from flowdsl.runtime.history import Expected
from flowdsl.runtime.orders import Errands, Orders
from flowdsl.runtime.reports import Report, Reports
from flowdsl.runtime.results import Results
from flowdsl.runtime.scribe import ECHO, Scribe
from flowdsl.runtime.teller import Teller
from flowdsl.runtime.timekeeper import Timekeeper
from flowdsl.runtime.turns import Turns
from flowdsl.runtime.workers import Workers
from flowdsl.storage.journal import Journal


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
        self._calls = calls
        self._alarm = alarm = Alarm()
        self.scribe = Scribe(journal.path, alarm.set, echo=0 if kind.replaces else ECHO)
        self._executor = executor = threads.ThreadExecutor(max_workers)
        self._crew = crew = Crew(
            max_workers if kind.replaces else 1, self._start_worker, "thread" if kind.replaces else "main"
        )
        self._teller = teller = Teller(self.core, self.scribe, crew)
        self._turns = turns = Turns(
            self.core,
            crew,
            self.scribe,
            alarm,
            executor,
            teller,
            kind=kind,
            backends=backends,
            nodes=nodes,
            tasks=len(graph),
            header=header,
            remember=remember,
        )
        self.finished = turns.finished
        self.left_behind = turns.left_behind  # tasks with an abandoned attempt, as they come
        self.reports = Reports(self.core, self.scribe, self._take)
        self._errands = errands = Errands(crew, backends, calls, self.reports)
        self._timekeeper = Timekeeper(
            self.core, crew, self.scribe, alarm, executor, teller, turns, errands, self._give_up
        )
        self._workers = Workers(
            self.core,
            crew,
            calls,
            self.scribe,
            teller,
            turns,
            kind=kind,
            pushed=bool(backends),
            carry_out=errands.carry_out,
            give_up=self._give_up,
        )
        self.core.stacks_of = self._stacks_of
        results.missing = self._missing

    # ---- what the run asks, from any thread

    def start(self) -> None:
        """Set the first worker and the timer going; returns at once."""
        capture.begin()
        self._timekeeper.start()
        self._start_worker(self._crew.add())

    def new_slot(self) -> Slot:
        """The worker of a run in the calling thread."""
        return self._crew.add()

    def run_here(self, slot: Slot) -> None:
        """Be the only worker, in this thread, until the run is over."""
        capture.begin()
        self._timekeeper.start()
        self._workers.work(slot)
        self.finished.wait()

    def cancel(self, cause: str = "cancel_requested") -> None:
        """Ask for the end; the timer thread carries it out."""
        self._turns.cancels.append(ev.Cancel(cause))
        self._alarm.set()

    def cancel_task(self, task: str) -> None:
        """Ask for the end of one task; the timer thread carries it out."""
        self._turns.cancels.append(ev.CancelTask(task))
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
                self._turns.callbacks.append(callback)
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

    @property
    def fault(self) -> Optional[BaseException]:
        """What flowdsl itself, or its journal, was at fault with."""
        return self._turns.fault

    # ---- what its parts ask

    def _start_worker(self, slot: Slot) -> None:
        self._executor.submit(self._workers.work, slot)

    def _take(self, reports: Sequence[Report]) -> None:
        """One turn: `reports` says of each when it was, NOW for now."""
        core = self.core
        try:
            with core.lock:
                self._turns.let_in()
                now, then = core.now(), 0.0
                for message, came, at in reports:
                    if type(message) is ev.Ran:
                        core.feed_run(message, cast(Sequence[Outcome], came), now, then)
                        then = core.latest
                        continue
                    if type(message) is ev.Sized:
                        self._take_size(message, cast(Optional[Outcome], came), now)
                        continue
                    then = max(core.within(at, now), then)  # the machine's time never goes back
                    core.feed(message, then, cast(Optional[Outcome], came))
                    if then < now:
                        core.stage(then)
                orders = self._turns.move_on(now)
            if orders is not None:
                self._errands.carry_out(orders)
        except BaseException as exc:
            self._give_up(exc)

    def _take_size(self, message: ev.Sized, outcome: Optional[Outcome], now: float) -> None:
        """A mapped task has its items; or it has no size, which may end the run."""
        self._teller.recall_all(now)
        with growing(message.size or 0):
            self.core.feed(message, self.core.within(now, now), outcome)

    def _give_up(self, exc: BaseException) -> None:
        """flowdsl itself is at fault: end the run rather than hang."""
        with self.core.lock:
            self._turns.fault = self._turns.fault or exc
            self.core.closing = True
            woken = self._turns.close()
        self._errands.carry_out(Orders(woken, (), ()))

    def _stacks_of(self, task: str, attempt: int) -> Mapping[str, Any]:
        """Where the thread is that has this attempt in hand, and what it has printed, for the log; under the lock."""
        slot = self._crew.holding(task, attempt)
        text = stacks.of_thread(slot.thread.ident) if slot is not None and slot.thread is not None else ""
        return {**({"stacks": text} if text else {}), **self.scribe.so_far(task, attempt)}

    def _missing(self, task: str) -> Missing:
        outcome = self.core.errors.get(task)
        return Missing(task, self.core.scheduler.task_state(task), outcome.error if outcome else "")
