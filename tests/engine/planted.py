"""Faults of the machine or of one of its parts, each of which the simulation has to catch."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Type

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.cancels import Cancels
from flowdsl.engine.ends import Ends
from flowdsl.engine.events import Event
from flowdsl.engine.launches import Launches
from flowdsl.engine.policy import Kind
from flowdsl.engine.retries import Retries
from flowdsl.engine.scheduler import Scheduler, Step
from flowdsl.engine.slots import Slots
from flowdsl.engine.stops import Stops
from flowdsl.engine.table import TaskTable
from flowdsl.engine.timers import Timers


class OneAttemptTooMany(Retries):
    """Counts retries from 0."""

    def delay(self, number: int, now: float) -> Optional[float]:
        policy = self._table.policies[number]
        if self._standing.halt is None and self._table.attempts[number] == policy.retry.retries + 1:
            return 0.0
        return super().delay(number, now)


class OneSlotTooMany(Scheduler):
    """Compares with `<=`."""

    def __init__(self, kinds: Mapping[str, Kind], *, max_workers: int, **options: Any) -> None:
        super().__init__(kinds, max_workers=max_workers + 1, **options)


class LostWakeUp(Scheduler):
    """Forgets a task that becomes ready while all workers are busy."""

    def __init__(self, kinds: Mapping[str, Kind], **options: Any) -> None:
        super().__init__(kinds, **options)
        self._push = self._table.push
        self._table.push = self._push_where_one_is_free  # type: ignore[method-assign]

    def _push_where_one_is_free(self, number: int) -> None:
        if self.busy < self._slots.max_workers:
            self._push(number)


class LostWakeUpAtALimit(Slots):
    """Gives a share of a limit back, and tells nobody who waits for it."""

    def free(self, number: int) -> None:
        self.busy -= 1
        for name in self._table.uses[number]:
            self._queue._free[name] += 1


class StartsTooEarly(Scheduler):
    """Starts a task when all its dependencies but one have ended."""

    def _add(self, message: ev.Add, now: float, events: List[Event], effects: List[Any]) -> None:
        super()._add(message, now, events, effects)
        for number, waiting in enumerate(self._table._waiting):
            if waiting > 1:
                self._table._waiting[number] -= 1


class TakesALateResult(Scheduler):
    """Does not look at the attempt's number."""

    def handle(self, message: Any, now: float, then: Any = None) -> Step:
        return super().handle(latest(self, message, ev.Ended), now, then)


class TakesALateNote(Scheduler):
    """Believes whatever is said of an attempt, whether it is the latest one or not."""

    def handle(self, message: Any, now: float, then: Any = None) -> Step:
        return super().handle(latest(self, message, ev.Note), now, then)


def latest(machine: Scheduler, message: Any, what: type) -> Any:
    """A report of this type, as if it were of the latest attempt."""
    return message._replace(attempt=machine.attempt_number(message.task)) if type(message) is what else message


class FreesTheSlotOfABatchTooEarly(Slots):
    """Takes the end of one member for that of the batch."""

    def free(self, number: int) -> None:
        self._batches.leave(number)
        self.busy -= 1
        if self._table.uses[number]:
            self._queue.give_back(self._table.uses[number])


class ForgetsWhatIsGivenBack(Scheduler):
    """Does not hear that an attempt was given back."""

    def __init__(self, kinds: Mapping[str, Kind], **options: Any) -> None:
        super().__init__(kinds, **options)
        self._handlers[ev.Returned] = lambda *message: None


class EndsAMapTooEarly(Scheduler):
    """Lets a mapped task end with the first of its items."""

    def _sized(self, message: ev.Sized, now: float, events: List[Event], effects: List[Any]) -> None:
        super()._sized(message, now, events, effects)
        items = self._table.maps.items.get(self._table.number[message.task])
        if items is not None and items.open > 1:
            items.open = 1


class LeaksALimit(Launches):
    """Keeps the share of a limit when a worker dies before it began."""

    def take_back(self, number: int) -> Any:
        uses, self._table.uses[number] = self._table.uses[number], ()
        try:
            return super().take_back(number)
        finally:
            self._table.uses[number] = uses


class FreesALimitTooEarly(Slots):
    """Lets others use the limits of a thread that was left behind and is still going."""

    def abandon(self, number: int) -> None:
        super().abandon(number)
        self._queue.give_back(self._table.uses[number])


class RetriesBesideItself(Ends):
    """Retries beside an attempt that was left behind, without being told that it may."""

    def not_succeeded(self, number: int, *rest: Any) -> None:
        state, cause, retryable, mechanism, *others = rest
        retryable = retryable or mechanism == "abandoned"
        super().not_succeeded(number, state, cause, retryable, mechanism.replace("abandoned", "killed"), *others)


class RetriesTooSoon(Scheduler):
    """Takes half of the delay for the whole."""

    def _tick(self, message: ev.Tick, now: float, events: List[Event], effects: List[Any]) -> None:
        super()._tick(message, now + 0.1, events, effects)


class StartsAfterACancel(Retries):
    """Retries what fails after a cancel."""

    def delay(self, number: int, now: float) -> Optional[float]:
        halt, self._standing.halt = self._standing.halt, None
        try:
            return super().delay(number, now)
        finally:
            self._standing.halt = halt


class RunsOnAfterACancel(Stops):
    """Does not stop what was launched and has not begun."""

    def stop(self, number: int, *rest: Any) -> None:
        if number not in self._launched:
            super().stop(number, *rest)


class KeepsADeadline(Timers):
    """Leaves the deadline of an attempt set when it has ended."""

    def drop(self, number: int) -> None:
        pass


class ForgetsTheAbandoned(Cancels):
    """Lets any number of threads be left behind."""

    def cancel_if_too_many_are_left(self, now: float, events: List[Event], effects: List[Any]) -> None:
        pass


class PrefersTheShortPath(TaskTable):
    """Starts the task with the shortest remaining path first."""

    def push(self, number: int) -> None:
        key = (self.priorities.get(number, 0.0), -self.ranks[number], number)
        self._queue.push(self.policies[number].kind, key)


class EndsTwice(Scheduler):
    """Tells the end of a run whenever it is asked."""

    def _close(self, events: List[Event], effects: List[Any]) -> None:
        super()._close(events, effects)
        self._standing.state = st.RUNNING


class SkipsBeforeItKnows(TaskTable):
    """Lets a skipped dependency go before a failed one."""

    def _decide_blamed(self, number: int, run_when: str, blame: Any, events: List[Event]) -> bool:
        if st.SKIPPED in blame and run_when == "all_succeeded":
            blame = {st.SKIPPED: blame[st.SKIPPED]}
        return super()._decide_blamed(number, run_when, blame, events)


FAULTS = (
    OneAttemptTooMany,
    OneSlotTooMany,
    LostWakeUp,
    LostWakeUpAtALimit,
    StartsTooEarly,
    TakesALateResult,
    TakesALateNote,
    FreesTheSlotOfABatchTooEarly,
    ForgetsWhatIsGivenBack,
    EndsAMapTooEarly,
    LeaksALimit,
    FreesALimitTooEarly,
    RetriesBesideItself,
    RetriesTooSoon,
    StartsAfterACancel,
    RunsOnAfterACancel,
    KeepsADeadline,
    ForgetsTheAbandoned,
    PrefersTheShortPath,
    EndsTwice,
    SkipsBeforeItKnows,
)


def machine_with(fault: type) -> Type[Scheduler]:
    """A machine with this fault; where it is that of a part, that part is replaced."""
    if issubclass(fault, Scheduler):
        return fault

    class Faulty(Scheduler):
        def __init__(self, kinds: Mapping[str, Kind], **options: Any) -> None:
            super().__init__(kinds, **options)
            part = next(part for part in vars(self).values() if type(part) is fault.__base__)
            part.__class__ = fault

    return Faulty
