"""Tells the machine what became of the attempts that a worker had in hand; all of it under the lock."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence

from flowdsl.engine import events as ev
from flowdsl.executors.current import Current
from flowdsl.executors.outcome import Outcome
from flowdsl.runtime.core import Core
from flowdsl.runtime.crew import Crew
from flowdsl.runtime.scribe import Scribe
from flowdsl.runtime.stint import Series, Single, Stint
from flowdsl.storage.detail import clip

_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor, once an attempt
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
    return ev.Ended(task, attempt, outcome.state, outcome.cause, outcome.retryable, mechanism, detail)


class Teller:
    """For the worker itself, at its turn, and for whoever looks after those that do not come back."""

    def __init__(self, core: Core, scribe: Scribe, crew: Crew) -> None:
        self._core = core
        self._scribe = scribe
        self._crew = crew
        core.before_cancel = self.recall_all

    def tell(self, stint: Stint, now: float, claim: Optional[ev.Claim] = None) -> bool:
        """Of all that is over; with the last, what its worker asks for next. True when nothing is left of it."""
        if type(stint) is Single:
            if stint.outcome is None or stint.outcome.state != "succeeded":
                self.recall_all(now)  # it may end the run, or others: not those that are over, or have begun
            self._core.feed(self._end(stint.current, stint.outcome or STOPPED, now), now, stint.outcome, claim)
            return True
        assert isinstance(stint, Series)
        done = stint.index
        if done and stint.outcomes[done - 1].state != "succeeded":  # its worker begins no other, and perhaps none is to
            self._give_back(stint.take_behind(done - 1), now)
        while stint.told < done:
            place = stint.told
            plain = self._last_plain(stint, place, done)
            if plain > place:
                self._tell_run(stint, place, plain, now)
            else:
                stint.told += 1
                self._tell_one(stint, place, now)
        over = stint.told == len(stint.members)
        if over and claim is not None:
            self._core.feed(claim, now)
        return over

    def give_back(self, stint: Series, now: float) -> None:
        """Have back what nobody knows to have begun; for the worker itself, which has nothing in hand."""
        self._give_back(stint.take_behind(max(stint.index, stint.begun) - 1), now)

    def recall_all(self, now: float) -> None:
        """Let the machine know what each worker has in hand and what is over, and have back what waits behind that."""
        for series in list(self._crew.series()):
            self.recall(series, now)

    def recall(self, stint: Series, now: float) -> None:
        """The same for one of them."""
        place = stint.hold()
        behind = stint.take_behind(place)
        self.tell(stint, now)
        if max(stint.begun, stint.told) <= place < len(stint.members):
            self._tell_begin(stint, place, now)
        self._give_back(behind, now)

    def _give_back(self, members: Sequence[Current], now: float) -> None:
        for current in members:
            self._core.feed(ev.Returned(current.task, current.attempt), now)

    def _date(self, moment: float, now: float) -> float:
        """That moment of the monotonic clock as the log has it."""
        return self._core.within(self._core.at(moment), now)

    def _began(self, stint: Series, place: int, now: float) -> float:
        return self._date(stint.ends[place - 1] if place else stint.began, now)

    def _tell_begin(self, stint: Series, place: int, now: float) -> None:
        current, began = stint.members[place], self._began(stint, place, now)
        self._core.feed(ev.Begun(current.task, current.attempt, stint.detail), began)
        self._core.stage(began)
        stint.begun = place + 1

    def _tell_one(self, stint: Series, place: int, now: float) -> None:
        current, outcome = stint.members[place], stint.outcomes[place]
        if place >= stint.begun:
            self._tell_begin(stint, place, now)
        if outcome.state != "succeeded":
            self.recall_all(now)
        at = self._date(stint.ends[place], now)
        self._core.feed(self._end(current, outcome, at), at, outcome)
        self._core.stage(at)

    def _end(self, current: Current, outcome: Outcome, now: float) -> ev.Ended:
        """What the machine is told of the end of an attempt that it knows to have begun."""
        plain = outcome.state == "succeeded" and outcome.cpu_s is None
        detail = None if plain else detail_of(outcome)
        if current.output is not None or current.said is not current.told:
            detail = self._take_words(current, detail, now)
        mechanism = "overran" if current.reason and outcome.error_type != "AttemptStopped" else ""
        report = (current.task, current.attempt, outcome.state, outcome.cause, outcome.retryable, mechanism, detail)
        return _new(ev.Ended, report)

    def _last_plain(self, stint: Series, start: int, end: int) -> int:
        """The place behind the last that had nothing to say but that it succeeded, and nobody knows that it began."""
        if start < stint.begun:
            return start
        for place in range(start, end):
            current, outcome = stint.members[place], stint.outcomes[place]
            if current.output is not None or current.said is not current.told or current.reason:
                return place
            if outcome.state != "succeeded" or outcome.cpu_s is not None:
                return place
        return end

    def _tell_run(self, stint: Series, start: int, end: int, now: float) -> None:
        """Of those from `start` to before `end`, all of them plain."""
        zero = self._core.at(0.0)
        attempts = [(current.task, current.attempt) for current in stint.members[start:end]]
        began = (stint.ends[start - 1] if start else stint.began) + zero
        ends = [moment + zero for moment in stint.ends[start:end]]
        self._core.feed_run(ev.Ran(attempts, began, ends, stint.detail), stint.outcomes[start:end], now)
        stint.told = end

    def _take_words(self, current: Current, detail: Optional[Mapping[str, Any]], now: float) -> Any:
        """What the attempt said last, before its end; what the log says of its end, with what it printed."""
        note = self._scribe.notes.last(current, now)
        if note is not None:
            self._core.feed(ev.Note(*note), now)
        return self._scribe.end(current.task, current.attempt, detail)
