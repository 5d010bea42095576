"""Machines with a fault in them, each of which the simulation has to catch."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.engine.policy import Kind
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.timers import Timers


class OneAttemptTooMany(Scheduler):
    """Counts retries from 0."""

    def _delay_before_retry(self, number: int, now: float) -> Optional[float]:
        policy = self._table.policies[number]
        if self._halt is None and self._table.attempts[number] == policy.retry.retries + 1:
            return 0.0
        return super()._delay_before_retry(number, now)


class OneSlotTooMany(Scheduler):
    """Compares with `<=`."""

    def __init__(self, kinds: Mapping[str, Kind], *, max_workers: int, **options: Any) -> None:
        super().__init__(kinds, max_workers=max_workers + 1, **options)


class LostWakeUp(Scheduler):
    """Forgets a task that becomes ready while all workers are busy."""

    def _push(self, number: int) -> None:
        if self.busy < self.max_workers:
            super()._push(number)


class LostWakeUpAtALimit(Scheduler):
    """Gives a share of a limit back, and tells nobody who waits for it."""

    def _free_slot(self, number: int) -> None:
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

    def _ended(self, message: ev.Ended, now: float, events: List[Event], effects: List[Any]) -> None:
        latest = self.attempt_number(message.task)
        super()._ended(message._replace(attempt=latest), now, events, effects)


class TakesALateNote(Scheduler):
    """Believes whatever is said of an attempt, whether it is the latest one or not."""

    def _note(self, message: ev.Note, now: float, events: List[Event], effects: List[Any]) -> None:
        latest = self.attempt_number(message.task)
        super()._note(message._replace(attempt=latest), now, events, effects)


class FreesTheSlotOfABatchTooEarly(Scheduler):
    """Takes the end of one member for that of the batch."""

    def _free_slot(self, number: int) -> None:
        self._batches.leave(number)
        self.busy -= 1
        if self._table.uses[number]:
            self._queue.give_back(self._table.uses[number])


class ForgetsWhatIsGivenBack(Scheduler):
    """Does not hear that an attempt was given back."""

    def _returned(self, message: ev.Returned, now: float, events: List[Event], effects: List[Any]) -> None:
        return


class EndsAMapTooEarly(Scheduler):
    """Lets a mapped task end with the first of its items."""

    def _sized(self, message: ev.Sized, now: float, events: List[Event], effects: List[Any]) -> None:
        super()._sized(message, now, events, effects)
        items = self._table.maps.items.get(self._table.number[message.task])
        if items is not None and items.open > 1:
            items.open = 1


class LeaksALimit(Scheduler):
    """Keeps the share of a limit when a worker dies before it began."""

    def _take_back(self, number: int) -> Any:
        uses, self._table.uses[number] = self._table.uses[number], ()
        try:
            return super()._take_back(number)
        finally:
            self._table.uses[number] = uses


class FreesALimitTooEarly(Scheduler):
    """Lets others use the limits of a thread that was left behind and is still going."""

    def _abandon(self, number: int) -> None:
        super()._abandon(number)
        self._queue.give_back(self._table.uses[number])


class RetriesBesideItself(Scheduler):
    """Retries beside an attempt that was left behind, without being told that it may."""

    def __init__(self, kinds: Mapping[str, Kind], **options: Any) -> None:
        bold = {name: kind._replace(retries_timeouts=True) for name, kind in kinds.items()}
        super().__init__(bold, **options)

    def _not_succeeded(self, number: int, *rest: Any) -> None:
        state, cause, retryable, mechanism, *others = rest
        super()._not_succeeded(number, state, cause, retryable, mechanism.replace("abandoned", "killed"), *others)


class RetriesTooSoon(Scheduler):
    """Takes half of the delay for the whole."""

    def _tick(self, message: ev.Tick, now: float, events: List[Event], effects: List[Any]) -> None:
        super()._tick(message, now + 0.1, events, effects)


class StartsAfterACancel(Scheduler):
    """Retries what fails after a cancel."""

    def _delay_before_retry(self, number: int, now: float) -> Optional[float]:
        halt, self._halt = self._halt, None
        try:
            return super()._delay_before_retry(number, now)
        finally:
            self._halt = halt


class RunsOnAfterACancel(Scheduler):
    """Does not stop what was launched and has not begun."""

    def _stop(self, number: int, stopping: Any, now: float, effects: List[Any]) -> None:
        if number not in self._launched:
            super()._stop(number, stopping, now, effects)


class KeepsADeadline(Scheduler):
    """Leaves the deadline of an attempt set when it has ended."""

    def __init__(self, kinds: Mapping[str, Kind], **options: Any) -> None:
        super().__init__(kinds, **options)
        self._timers = NeverDropped()


class NeverDropped(Timers):
    """Timers that cannot be taken back."""

    def drop(self, number: int) -> None:
        pass


class ForgetsTheAbandoned(Scheduler):
    """Lets any number of threads be left behind."""

    def _end_if_too_many_are_left(self, now: float, events: List[Event], effects: List[Any]) -> None:
        pass


class PrefersTheShortPath(Scheduler):
    """Starts the task with the shortest remaining path first."""

    def _push(self, number: int) -> None:
        priority, rank, _ = self._table.keys[number]
        self._queue.push(self._table.policies[number].kind, (priority, -rank, number))


class EndsTwice(Scheduler):
    """Tells the end of a run whenever it is asked."""

    def _close(self, events: List[Event], effects: List[Any]) -> None:
        super()._close(events, effects)
        self.state = st.RUNNING


class SkipsBeforeItKnows(Scheduler):
    """Lets a skipped dependency go before a failed one."""

    def _add(self, message: ev.Add, now: float, events: List[Event], effects: List[Any]) -> None:
        super()._add(message, now, events, effects)
        self._table._decide_blamed = self._skip_first  # type: ignore[method-assign]

    def _skip_first(self, number: int, run_when: str, blame: Any, events: List[Event]) -> bool:
        if st.SKIPPED in blame and run_when == "all_succeeded":
            blame = {st.SKIPPED: blame[st.SKIPPED]}
        return type(self._table)._decide_blamed(self._table, number, run_when, blame, events)


MACHINES = (
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
