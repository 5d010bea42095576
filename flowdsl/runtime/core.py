"""The machine of one run with all that changes along with it: its journal, its results, its snapshot.

Every method but `snapshot` and `cancel_with` is called under `lock`, which whoever has something to report takes.
"""

from __future__ import annotations

import random
import threading
import time
from array import array
from typing import Any, Callable, ContextManager, Dict, List, Mapping, Optional, Sequence, Set, Tuple, Union

from flowdsl.definition.graph import Graph
from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.engine.policy import Kind
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.snapshot import Snapshot
from flowdsl.errors import LogWriteError, TaskTimeout
from flowdsl.executors.outcome import Outcome
from flowdsl.runtime.fold import Fold
from flowdsl.runtime.results import Results
from flowdsl.runtime.stint import Stint
from flowdsl.storage.journal import Journal

ATTEMPT_ENDS = frozenset(ev.ATTEMPT_STATE) - {ev.ATTEMPT_STARTED}
ENDS = ATTEMPT_ENDS | {ev.TASK_FAILED}
WAITING = frozenset((ev.ATTEMPT_SUCCEEDED, ev.ATTEMPT_STARTED, ev.TASK_READY))  # what may wait to be written
TOGETHER = 256  # ends of attempts that may be written together
LATEST = 0.002  # seconds that one may wait to be written with others


class Core:
    """Feeds the machine and writes down what follows; effects wait in its lists until somebody carries them out."""

    def __init__(
        self,
        graph: Graph,
        kinds: Mapping[str, Kind],
        journal: Journal,
        results: Results,
        *,
        max_workers: int,
        on_failure: str,
    ) -> None:
        self.lock = threading.Lock()
        self.scheduler = Scheduler(
            kinds, max_workers=max_workers, on_failure=on_failure, limits=graph.limits, draw=random.Random().random
        )
        self.results = results
        self.errors: Dict[str, Outcome] = {}  # the last outcome of each task that did not succeed
        self.fault: Optional[BaseException] = None  # a LogWriteError
        self.launches: List[Union[ev.Launch, ev.LaunchBatch]] = []
        self.stops: List[ev.Stop] = []
        self.expansions: List[str] = []  # mapped tasks whose sizes are asked for
        self.left_behind: List[Tuple[str, int]] = []  # attempts abandoned since somebody looked
        self.closing = False
        self.held = False  # nothing new is to start for the time being
        self.followers: Tuple[Callable[[float, Sequence[Event]], Any], ...] = ()  # hear of events that are durable
        self.before_cancel: Callable[[float], None] = lambda now: None  # says what is over that nobody was told of
        self.stacks_of: Callable[[str, int], Mapping[str, Any]] = lambda task, attempt: {}  # where its thread is
        self.together = 1 if journal.fsync else TOGETHER  # ends of attempts that one write may take
        self.latest = 0.0  # time of the last write: no event is dated before it
        self._journal = journal
        self._events: List[Event] = []
        self._staged: List[Tuple[float, List[Event]]] = []  # dated and not written
        self._fresh: Set[str] = set()  # tasks that became ready by what is not written
        self._urgent = False  # something has happened that is to be written at once
        self._written = 0.0  # when somebody wrote last
        self._wall = time.time()
        self._zero = time.monotonic()
        self._fold = Fold(self.lock)
        self._timed: List[str] = []  # tasks that succeeded,
        self._seconds = array("d")  # and how long each took

    @property
    def clock(self) -> Mapping[str, float]:
        """Seconds by task, of those that succeeded."""
        return dict(zip(self._timed, self._seconds))

    def now(self) -> float:
        """Seconds since the run's start, by the monotonic clock."""
        return time.monotonic() - self._zero

    def at(self, moment: float) -> float:
        """That moment of the monotonic clock as seconds since the run's start."""
        return moment - self._zero

    def feed(
        self,
        message: Any,
        now: float,
        outcome: Optional[Outcome] = None,
        claim: Optional[ev.Claim] = None,
    ) -> None:
        """Give the machine one input; `outcome` is what an `Ended` stands for, `claim` what its worker asks for next.

        Both at once, because a second call costs 1 us an attempt.
        """
        events, effects = self.scheduler.handle(message, now, claim)
        if events:
            self._events += events
            first = events[0]
            if first[0] == ev.ATTEMPT_SUCCEEDED and outcome is not None:
                self._keep(first[1], outcome)
                for event in events:
                    if event[0] == ev.TASK_READY:
                        self._fresh.add(event[1])
                    elif event[0] not in WAITING:
                        self._urgent = True
            elif first[0] != ev.ATTEMPT_STARTED or len(events) > 1:
                self._urgent = True
                self._note(events, outcome)
            if self.results.lists and len(events) > 1:
                self._gather(events)
            if self.results.releases:
                self._release(events)
        if effects:
            if len(effects) == 1 and type(effects[0]) is ev.Launch:
                self.launches.append(effects[0])
            else:
                self._carry(effects)

    def _carry(self, effects: Sequence[Any]) -> None:
        for effect in effects:
            if type(effect) is ev.Launch:
                self.launches.append(effect)
            elif type(effect) is ev.Stop:
                self.stops.append(effect)
            elif type(effect) is ev.LaunchBatch:
                self.launches.append(effect)
            elif type(effect) is ev.Expand:
                self.expansions.append(effect.task)
            else:
                self.closing = True

    def feed_run(self, run: ev.Ran, outcomes: Sequence[Outcome], now: float, then: float = 0.0) -> None:
        """Tell the machine of attempts that succeeded one after the other, and date what follows from each.

        Nothing of it is later than `now`, or before `then`, which the machine was told last.
        What `feed` and `stage` would do with a `Begun` and an `Ended` for each costs twice as much.
        """
        began, ends = max(self.within(run.began, now), then), run.ends
        if began != run.began or ends[0] < began or ends[-1] > now:
            ends = [max(began, min(end, now)) for end in ends]
            run = run._replace(began=began, ends=ends)
        events, effects = self.scheduler.handle(run, ends[-1])
        if self._events or not self._staged or began != self.latest:
            self.stage(began)
            self._staged.append((self._moment(began), []))
        staged, wall, attempts, place = self._staged, self._wall, run.attempts, -1
        group = staged[-1][1]
        for event in events:
            what = event[0]
            if what in ATTEMPT_ENDS:
                place += 1
                while attempts[place][0] != event[1]:  # nothing follows from the end of one that was given up
                    place += 1
                group = []
                staged.append((round((wall + ends[place]) * 1e6) / 1e6, group))
                if what == ev.ATTEMPT_SUCCEEDED:  # and was not told to end meanwhile
                    self._keep(event[1], outcomes[place])
                else:
                    self._urgent = True
            elif what == ev.TASK_READY:
                self._fresh.add(event[1])
            elif what != ev.ATTEMPT_STARTED:
                self._urgent = True
            group.append(event)
        self.latest = ends[-1]
        if self.results.lists and len(events) > 2 * len(outcomes):
            self._gather(events)
        if self.results.releases:
            self._release(events)
        if effects:
            self._carry(effects)

    def _keep(self, task: str, outcome: Outcome) -> None:
        self._timed.append(task)
        self._seconds.append(outcome.seconds)
        if task[-1] == "]":
            self.results.put_item(task, outcome.value)
        else:
            self.results.values[task] = outcome.value

    @property
    def write_by(self) -> float:
        """When what happens now is to be written at the latest, by the monotonic clock."""
        return self._zero + self._written + LATEST

    def may_wait(self, stint: Stint, now: float) -> bool:
        """Whether these attempts may begin before what has happened is written.

        Only where they do not follow from that: the tasks were ready before, all that has happened is that others
        succeeded, and the write comes within LATEST. Never where every write has to survive a loss of power.
        """
        if self._urgent or self.launches or self.stops or self.expansions or self.closing:
            return False
        if self._fresh and stint.has_any_of(self._fresh):
            return False
        return len(self._staged) < self.together and now - self._written <= LATEST

    def stage(self, now: float) -> None:
        """What has happened is dated now; the next `commit` writes it with what comes till then, in one write."""
        if self._events:
            self._staged.append((self._moment(now), self._events))
            self._events = []

    def commit(self, now: float) -> None:
        """Make what has happened durable: nothing that follows from it may begin before this returns."""
        if self._events:
            self.stage(now)
        staged, self._staged = self._staged, []
        self._written = now
        if self._fresh:
            self._fresh.clear()
        self._urgent = False
        if not staged:
            return
        failed, seq = None, 0  # the number of what could not be written
        if self.fault is None:
            try:
                seq = self._journal.append_all(staged)
            except LogWriteError as exc:
                self.fault = failed = exc
        self._fold.add(seq, staged, numbered=self.fault is None)
        for follower in self.followers:
            for at, events in staged:
                follower(at, events)
        if failed is not None:
            self.before_cancel(now)
            self.feed(ev.Cancel("log_write_failed"), now)
            self.commit(now)

    def within(self, moment: float, now: float) -> float:
        """That moment, in seconds since the run's start, as the log has it: not before what is dated already."""
        latest = self.latest
        return latest if moment < latest else moment if moment < now else now

    def _moment(self, now: float) -> float:
        """As exact as the journal, so that what is read back is the same; `round(at, 6)` costs 0.45 us, this 0.09."""
        self.latest = now
        return round((self._wall + now) * 1e6) / 1e6

    def fix(self, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        """A detail that many events will share."""
        return self._journal.fix(detail)

    def close(self) -> None:
        """Write what is left, which is nothing unless flowdsl is at fault, and give the journal free."""
        try:
            if self._staged and self.fault is None:
                self._journal.append_all(self._staged)
            self._journal.close()
        except LogWriteError as exc:
            self.fault = self.fault or exc

    def snapshot(self) -> Snapshot:
        """All that has happened so far, folded; from any thread, to be read only."""
        with self._fold.reading() as snapshot:
            return snapshot

    def reading(self) -> ContextManager[Snapshot]:
        """The snapshot, which stands still until the block ends; the run itself goes on."""
        return self._fold.reading()

    def _note(self, events: Sequence[Event], outcome: Optional[Outcome]) -> None:
        """Remember how tasks ended that did not succeed, and say of timed-out attempts what became of them."""
        start = len(self._events) - len(events)
        for offset, event in enumerate(events):
            if event.mechanism == "abandoned":
                event = event._replace(detail={**(event.detail or {}), **self.stacks_of(event.task, event.attempt)})
                self._events[start + offset] = event
                self.left_behind.append((event.task, event.attempt))
            if event.event == ev.ATTEMPT_TIMED_OUT:
                told = _timed_out(event, self.scheduler.timeout_of(event.task))
                self._events[start + offset] = event._replace(detail={**(event.detail or {}), **told})
                exception = TaskTimeout("task %r %s" % (event.task, told["error"]))
                self.errors[event.task] = Outcome("timed_out", "timeout", exception=exception, error=told["error"])
            elif event.event == ev.ATTEMPT_SUCCEEDED and outcome is not None:
                self._keep(event.task, outcome)
            elif outcome is not None and event.event in ENDS:
                self.errors[event.task] = outcome

    def _gather(self, events: Sequence[Event]) -> None:
        """Make the list of a mapped task that has ended; whoever takes it has not been given out yet."""
        for event in events:
            if event.task in self.results.lists and event.state in st.TERMINAL:
                self.results.gather(event.task)

    def _release(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.task and event.state in st.TERMINAL and event.before != event.state:
                self.results.ended(event.task)


def _timed_out(event: Event, timeout: Optional[float]) -> Dict[str, Any]:
    """The error of an attempt that outlived its limit."""
    text = "timed out after %g s" % (timeout or 0.0)
    if event.mechanism == "abandoned":
        text += "; what it runs in cannot be killed: abandoned, still running"
    return {"error_type": "TaskTimeout", "error": text}
