"""A virtual world with a virtual clock that drives the machine as a driver would, with whatever faults it is told."""

from __future__ import annotations

import heapq
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Set, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Batch
from flowdsl.engine.policy import Kind
from flowdsl.engine.scheduler import Scheduler
from flowdsl.errors import InternalError

__all__ = ["NEVER", "Act", "Habits", "World"]

NEVER = float("inf")


class Act(NamedTuple):
    """What becomes of an attempt once it is launched; all times in seconds."""

    duration: float = 1.0  # from begun to its outcome
    state: str = st.SUCCEEDED
    cause: str = "returned"
    retryable: bool = True
    begins_after: float = 0.0  # from launch to begun; only for kinds that do not begin at launch
    lost: bool = False  # the worker dies instead of beginning
    refused: bool = False  # the executor cannot even send it: its outcome comes without a begin
    silent: bool = False  # the worker does not say that it began
    obeys_after: float = 0.0  # from a Stop to its end; NEVER: it does not notice
    mechanism: str = ""  # how the executor says that it ended a stopped attempt
    notes: Tuple[float, ...] = ()  # when the task says how far it is, from its begin; it may be over by then
    recalls_after: float = NEVER  # from its begin until somebody looks: then it is told, and those behind it come back
    tells_at_once: bool = False  # a silent one: its begin is told with its end
    tells_late: bool = False  # a silent one that succeeds: it is told of when its worker comes back from its batch
    echoes: Tuple[float, ...] = ()  # its begin and its outcome are reported again, so long after


class Habits(Protocol):
    """How the workers and the clock of a world behave."""

    def act(self, launch: ev.Launch) -> Act:
        """What becomes of this attempt."""

    def size(self, task: str) -> Tuple[float, Optional[int]]:
        """After how long it is known how many items this mapped task has, and how many; None: it cannot be said."""

    def claim(self) -> Tuple[float, ev.Claim]:
        """After how long a worker asks for an attempt, and how."""

    def lateness(self) -> float:
        """How long after it was due a tick comes."""


class Life:
    """One attempt, as the world knows it."""

    __slots__ = ("act", "attempt", "began_at", "before", "begun", "behind", "ended_at", "over", "stopped", "task")

    def __init__(self, launch: ev.Launch, act: Act) -> None:
        self.task = launch.task
        self.attempt = launch.attempt
        self.act = act
        self.begun = False
        self.began_at = self.ended_at = 0.0
        self.over = False
        self.stopped = ""  # why it was told to end
        self.behind: Optional[Life] = None  # who comes next in its batch
        self.before: Tuple[Life, ...] = ()  # who came before it, succeeded, and has not been told of


class World:
    """All that is under way, in one heap.

    `feed` gives the machine an input now, `later` plans one, `run` lets time pass. After every input, once the world
    knows of its effects, `watch(message, batch, effects, now)` is called.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        kinds: Mapping[str, Kind],
        habits: Habits,
        watch: Optional[Callable[[Any, Batch, Sequence[Any], float], None]] = None,
    ) -> None:
        self.scheduler = scheduler
        self.now = 0.0
        self.steps = 0
        self.alive: Dict[Tuple[str, int], Life] = {}
        self._kinds = kinds
        self._habits = habits
        self._watch = watch
        self._seq = 0
        self._count = 0
        self._coming: List[Tuple[float, int, Callable[[Any], None], Any]] = []
        self._untold: Set[Tuple[str, int]] = set()  # attempts that are over, of which nobody has been told
        self._asking = 0  # claims that are on their way
        self._tick_for = NEVER  # what the earliest tick on its way is for

    # ---- what may happen to it

    def feed(self, message: Any) -> None:
        """Give the machine this input now, and carry out what it orders."""
        events, effects = self.scheduler.handle(message, self.now)
        self.steps += 1
        batch = Batch(self._seq, self.now, tuple(events))
        self._seq += len(events)
        for effect in effects:
            if type(effect) is ev.Launch:
                self._launch(effect)
            elif type(effect) is ev.LaunchBatch:
                self._launch_batch(effect)
            elif type(effect) is ev.Stop:
                self._stop(effect)
            elif type(effect) is ev.Expand:
                delay, size = self._habits.size(effect.task)
                self.later(delay, ev.Sized(effect.task, size))
        if self._watch is not None:
            self._watch(message, batch, effects, self.now)

    def later(self, delay: float, message: Any) -> None:
        """Plan an input; one that comes when the run is over is not given to the machine."""
        self._plan(delay, self._feed_open, message)

    def jump(self, delay: float, seconds: float) -> None:
        """Plan a jump of the clock; what would have happened meanwhile happens late."""
        self._plan(delay, self._jump, seconds)

    def run(self, most: Optional[int] = None) -> None:
        """Let time pass until nothing is under way; InternalError after more than `most` inputs."""
        while self._coming or self._summon():
            time, _, happens, what = heapq.heappop(self._coming)
            if time > self.now:
                self.now = time
            happens(what)
            self._summon()
            if most is not None and self.steps > most:
                raise InternalError(f"the run does not come to its end within {most} inputs")

    # ---- claims and ticks

    def _summon(self) -> bool:
        """Set on their way the claims and the tick that the machine wants; True when anything is under way."""
        wanted = self.scheduler.claimable()
        while self._asking < wanted:
            delay, claim = self._habits.claim()
            self._asking += 1
            self._plan(delay, self._claim, claim)
        due = self.scheduler.next_due()
        if due is not None and due < self._tick_for:
            self._tick_for = due
            self._plan(max(0.0, due - self.now) + self._habits.lateness(), self._tick, due)
        return bool(self._coming)

    def _claim(self, message: ev.Claim) -> None:
        self._asking -= 1
        self.feed(message)

    def _tick(self, due: float) -> None:
        if due == self._tick_for:
            self._tick_for = NEVER
        if self.now < due:  # adding and subtracting floats may lose the last bit
            self.now = due
        self.feed(ev.Tick())

    # ---- attempts

    def _launch(self, launch: ev.Launch) -> None:
        life = Life(launch, self._habits.act(launch))
        self.alive[life.task, life.attempt] = life
        act = life.act
        if self._kinds[launch.kind].begins_at_launch:
            life.begun = True
            self._plan(act.duration, self._end, life)
            self._plan_notes(life)
        elif act.refused:
            self._plan(act.begins_after, self._end, life)
        else:
            self._plan(act.begins_after, self._begin, life)

    def _launch_batch(self, effect: ev.LaunchBatch) -> None:
        """The first begins as it would alone, each other when the one before it has ended."""
        lives = [Life(launch, self._habits.act(launch)) for launch in effect.launches()]
        self.alive.update({(life.task, life.attempt): life for life in lives})
        for life, behind in zip(lives, lives[1:]):
            life.behind = behind
        self._plan(lives[0].act.begins_after, self._begin, lives[0])

    def _go_on(self, life: Life) -> None:
        """The worker turns to the next of the batch."""
        if life.behind is not None:
            life.behind.before, life.before = life.before, ()
            self._plan(0.0, self._begin, life.behind)

    def _tell_before(self, life: Life) -> None:
        """Of those that its worker did not tell of at once."""
        if life.before:
            before, life.before = life.before, ()
            self._untold.difference_update([(one.task, one.attempt) for one in before])
            self.feed(_ran(before))

    def _scatter(self, life: Life) -> None:
        """The worker is gone: those behind in the batch are given back."""
        behind = life.behind
        while behind is not None:
            if not behind.over:
                self._bury(behind)
                self.feed(ev.Returned(behind.task, behind.attempt))
            behind = behind.behind

    def _recall(self, life: Life) -> None:
        """It takes long: those behind it in its batch are given back, and it goes on; now all know that it began."""
        if not life.over:
            self._tell_before(life)
            self._scatter(life)
            life.behind = None
            if life.act.silent:
                self._say(life, ev.Begun(life.task, life.attempt))

    def _begin(self, life: Life) -> None:
        if life.over:
            self._go_on(life)
            return
        if life.act.lost:
            self._tell_before(life)
            self._bury(life)
            self.feed(ev.Lost(life.task, life.attempt))
            self._scatter(life)
            return
        life.begun, life.began_at = True, self.now
        self._plan(life.act.duration, self._end, life)
        self._plan_notes(life)
        if life.behind is not None or life.act.silent:
            self._plan(life.act.recalls_after, self._recall, life)
        if life.stopped:
            self._plan(life.act.obeys_after, self._obey, life)
        if not life.act.silent:
            self._tell_before(life)
            self._say(life, ev.Begun(life.task, life.attempt))

    def _end(self, life: Life) -> None:
        """It comes to its own end."""
        act = life.act
        if life.over:
            return
        self._bury(life)
        life.ended_at = self.now
        if act.tells_late and act.silent and act.state == st.SUCCEEDED and not life.stopped:
            life.before = (*life.before, life)
            self._untold.add((life.task, life.attempt))
            if life.behind is None:
                self._tell_before(life)
            self._go_on(life)
            return
        self._tell_before(life)
        if act.lost:
            self.feed(ev.Lost(life.task, life.attempt))
        elif act.tells_at_once and act.silent and act.state == st.SUCCEEDED:
            self._say(life, _ran((life,)))
        else:
            self._say(life, ev.Ended(life.task, life.attempt, act.state, act.cause, act.retryable))
        if act.lost or act.cause == "worker_died":
            self._scatter(life)
        else:
            self._go_on(life)

    def _plan_notes(self, life: Life) -> None:
        for count, delay in enumerate(life.act.notes, 1):
            detail = {"progress": count / len(life.act.notes), "message": f"step {count}"}
            self._plan(delay, self._feed_open, ev.Note(life.task, life.attempt, detail))

    def _stop(self, stop: ev.Stop) -> None:
        if (stop.task, stop.attempt) in self._untold:  # it is over, and its worker will say so
            return
        life = self.alive[stop.task, stop.attempt]
        life.stopped = stop.cause
        self._plan(life.act.obeys_after, self._obey, life)

    def _obey(self, life: Life) -> None:
        """It ends because it was told to."""
        if life.over:
            return
        self._tell_before(life)
        mechanism = life.act.mechanism if life.begun else "withdrawn"
        if mechanism != "abandoned":
            self._bury(life)
        self._say(life, ev.Ended(life.task, life.attempt, st.CANCELLED, life.stopped, False, mechanism))
        if life.begun:
            self._scatter(life)

    def _bury(self, life: Life) -> None:
        life.over = True
        del self.alive[life.task, life.attempt]

    def _say(self, life: Life, message: Any) -> None:
        for delay in life.act.echoes:
            self._plan(delay, self.feed, message)
        self.feed(message)

    # ---- the rest

    def _feed_open(self, message: Any) -> None:
        if self.scheduler.state in ("", st.RUNNING):
            self.feed(message)

    def _jump(self, seconds: float) -> None:
        self.now += seconds

    def _plan(self, delay: float, happens: Callable[[Any], None], what: Any) -> None:
        if delay != NEVER:
            self._count += 1
            heapq.heappush(self._coming, (self.now + delay, self._count, happens, what))


def _ran(lives: Sequence[Life]) -> ev.Ran:
    """What a worker says of attempts that it made one after the other, and that succeeded."""
    attempts = tuple((life.task, life.attempt) for life in lives)
    return ev.Ran(attempts, lives[0].began_at, tuple(life.ended_at for life in lives))
