"""Several attempts as bytes: what they have in common, such as the function of a mapped task, is in it once."""

from __future__ import annotations

import pickle
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from flowdsl.engine import batches
from flowdsl.executors import letters, payload, pickling, sharing
from flowdsl.executors.outcome import Call

MOST = batches.MOST  # tickets for so many fit into a pipe of the least size

PackedPolicy = Tuple[bool, bytes]
# The place of its policy, then task, attempt, args and kwargs, or the bytes of those where they are not plain data.
PackedMember = Tuple[Any, ...]


class Packer:
    """Attempts are added one by one; `data` is what the worker that gets them all is sent."""

    def __init__(self, book: sharing.Book) -> None:
        self._book = book
        self._policies: List[PackedPolicy] = []
        self._places: Dict[Tuple[int, ...], int] = {}
        self._members: List[PackedMember] = []
        self._large: Dict[int, Sequence[bytes]] = {}  # the arguments of members, in pieces
        self._calls: List[Call] = []  # so that the numbers by which policies are known stay theirs
        self._last: Optional[Call] = None
        self._place_of_last = 0

    def add(self, task: str, attempt: int, call: Call) -> bool:
        """One attempt more; whether its arguments are plain, so that nobody has to keep them.

        Raises Unpicklable, and is as it was, where it cannot be sent.
        """
        function, args, kwargs, verify, retry = call
        try:
            last = self._last
            if last is None or last[0] is not function or last[3] is not verify or last[4] is not retry:
                self._place_of_last = self._place(call)
                self._last = call
            place = self._place_of_last
            if pickling.are_plain(args) and (not kwargs or pickling.are_plain(kwargs.values())):
                self._members.append((place, task, attempt, args, kwargs))
                return True
            self._add_pieces(place, self._book.pieces((task, attempt, tuple(args), dict(kwargs))))
            return False
        except Exception as exc:
            raise payload.refused(task, call, exc) from exc

    def _add_pieces(self, place: int, pieces: Sequence[bytes]) -> None:
        large = letters.is_large(pieces)
        if large:
            self._large[len(self._members)] = pieces
        self._members.append((place, b"" if large else b"".join(pieces)))

    def _place(self, call: Call) -> int:
        policy = (call.function, call.verify, call.retry)
        key = tuple(map(id, policy))
        place = self._places.get(key)
        if place is None:
            self._policies.append(pickling.dump_policy(policy))
            self._calls.append(call)
            place = self._places[key] = len(self._policies) - 1
        return place

    @property
    def is_large(self) -> bool:
        return bool(self._large)

    def seal(self, places: Sequence[str]) -> Mapping[int, str]:
        """Put large arguments into files there, where there is room; which those are, by the members' numbers."""
        sealed = {number: letters.seal(pieces, places) for number, pieces in self._large.items()}
        for number, one in sealed.items():
            self._members[number] = (self._members[number][0], one.data)
        self._large.clear()
        return {number: one.path for number, one in sealed.items()}

    def data(self) -> bytes:
        return pickle.dumps((self._policies, self._members), 5)


class Opened(NamedTuple):
    """An attempt of a batch, to be opened in its turn: what is at fault in it is its own fault."""

    policies: List[PackedPolicy]
    known: Dict[int, pickling.Policy]
    member: PackedMember

    def open(self) -> payload.Attempt:
        """The attempt; raises whatever unpickling raises."""
        place, *packed = self.member
        policy = self.known.get(place)
        if policy is None:
            policy = self.known[place] = pickling.load_policy(*self.policies[place])
        task, attempt, args, kwargs = packed if len(packed) > 1 else sharing.mine.loads(packed[0])
        function, verify, retry = policy
        return task, attempt, Call(function, args, kwargs, verify, retry)


def unpack(data: payload.Bytes) -> List[Callable[[], payload.Attempt]]:
    """The attempts of a batch, in order; each is opened when it is called, in its turn."""
    policies, members = pickle.loads(data)
    known: Dict[int, pickling.Policy] = {}
    return [Opened(policies, known, member).open for member in members]
