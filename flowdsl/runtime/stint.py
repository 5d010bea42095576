"""What a worker has in hand: one attempt; or several tiny ones, which it goes through without a turn between them."""

from __future__ import annotations

from typing import AbstractSet, Any, List, Mapping, Optional, Sequence, Union

from flowdsl.executors.current import Current
from flowdsl.executors.outcome import Outcome


class Single:
    """One attempt, which began when it was launched."""

    __slots__ = ("current", "outcome")

    waits = False  # see `Series`

    def __init__(self, current: Current) -> None:
        self.current = current
        self.outcome: Optional[Outcome] = None  # when it is over

    def has_any_of(self, tasks: AbstractSet[str]) -> bool:
        """Whether this is an attempt of one of these."""
        return self.current.task in tasks

    @property
    def in_hand(self) -> Current:
        """The attempt that runs, or is about to."""
        return self.current

    def find(self, task: str, attempt: int) -> Optional[Current]:
        """That attempt, if it is here."""
        return self.current if self.current.task == task and self.current.attempt == attempt else None

    def mend(self, stopped: Outcome, now: float) -> None:
        """A stop has struck the worker between two lines: what it had in hand is over."""
        self.outcome = self.outcome or stopped


class Series:
    """Attempts that one worker makes one after the other, in one slot; none of them has begun when it is made.

    The worker alone moves `index` on, and begins no member at or behind `limit`. Whoever has the lock may lower that
    (`hold`), tell the machine of what is over or has begun (`told`, `begun`), and take the members behind away.
    """

    __slots__ = ("began", "begun", "detail", "ends", "index", "limit", "members", "outcomes", "told", "until")

    def __init__(self, members: List[Current], detail: Optional[Mapping[str, Any]]) -> None:
        self.members = members
        self.outcomes: List[Outcome] = []
        self.ends: List[float] = []  # when each ended, by the monotonic clock
        self.index = 0  # of the member in hand: all before it are over
        self.limit = len(members)
        self.begun = 0  # how many of them the machine knows to have begun
        self.told = 0  # and to be over
        self.detail = detail  # what the log says of the begin of each
        self.began = 0.0  # when the worker set out
        self.until = 0.0  # when it is to come back for what it has, by the monotonic clock

    def has_any_of(self, tasks: AbstractSet[str]) -> bool:
        """Whether there is an attempt of one of these among them."""
        return not tasks.isdisjoint([current.task for current in self.members])

    @property
    def in_hand(self) -> Optional[Current]:
        """The member that runs, or is about to."""
        return self.members[self.index] if self.index < len(self.members) else None

    def find(self, task: str, attempt: int) -> Optional[Current]:
        """The member that is this attempt."""
        found = (current for current in self.members if current.task == task and current.attempt == attempt)
        return next(found, None)

    @property
    def waits(self) -> bool:
        """Whether members wait behind the one in hand, or nobody knows that this one began, or that others are over."""
        count = len(self.members)
        return self.told < self.index or self.index + 1 < count or self.begun <= self.index < count

    def untold(self) -> Sequence[Outcome]:
        """Of what is over and the machine does not know."""
        return self.outcomes[self.told :]

    def hold(self) -> int:
        """Have the worker come back after the member in hand; its place, or that behind the last. Under the lock.

        The worker moves `index` and then reads `limit`; here `limit` is lowered and then `index` read. So the worker
        has seen the limit, or it is seen here what it went on with before: it begins nothing behind the place found. If
        it saw the limit before that is raised to include this place, it looks again under the lock.
        """
        self.limit = min(self.index + 1, len(self.members))
        place = self.index
        self.limit = min(place + 1, len(self.members))
        return place

    def take_behind(self, place: int) -> List[Current]:
        """The members behind this place, which `hold` found, are members no more."""
        behind = self.members[place + 1 :]
        del self.members[place + 1 :]
        return behind

    def mend(self, stopped: Outcome, now: float) -> None:
        """A stop has struck the worker between two lines: what it had in hand is over."""
        if self.index < len(self.members):
            if len(self.outcomes) == self.index:
                self.outcomes.append(stopped)
            if len(self.ends) == self.index:
                self.ends.append(now)
            self.index += 1


Stint = Union[Single, Series]
