"""Several attempts as bytes: what they have in common, such as the function of a mapped task, is in it once."""

from __future__ import annotations

import pickle
from typing import Callable, Dict, List, NamedTuple, Tuple

from flowdsl.executors import payload, pickling, sharing
from flowdsl.executors.outcome import Call

PackedPolicy = Tuple[bool, bytes]
PackedMember = Tuple[int, bytes]  # the place of its policy, and its arguments


class Packer:
    """Attempts are added one by one; `data` is what the worker that gets them all is sent."""

    def __init__(self, book: sharing.Book) -> None:
        self._book = book
        self._policies: List[PackedPolicy] = []
        self._places: Dict[Tuple[int, ...], int] = {}
        self._members: List[PackedMember] = []
        self._calls: List[Call] = []  # so that the numbers by which policies are known stay theirs

    def add(self, task: str, attempt: int, call: Call) -> None:
        """One attempt more; raises Unpicklable, and is as it was, where that cannot be sent."""
        try:
            place = self._place(call)
            arguments = pickling.dump_arguments(task, attempt, call.args, call.kwargs, self._book)
        except Exception as exc:
            raise payload.refused(task, call, exc) from exc
        self._members.append((place, arguments))

    def _place(self, call: Call) -> int:
        policy = (call.function, call.verify, call.retry)
        key = tuple(map(id, policy))
        place = self._places.get(key)
        if place is None:
            self._policies.append(pickling.dump_policy(policy))
            self._calls.append(call)
            place = self._places[key] = len(self._policies) - 1
        return place

    def data(self) -> bytes:
        return pickle.dumps((self._policies, self._members))


class Opened(NamedTuple):
    """An attempt of a batch, to be opened in its turn: what is at fault in it is its own fault."""

    policies: List[Tuple[bool, bytes]]
    known: Dict[int, pickling.Policy]
    place: int
    arguments: bytes

    def open(self) -> payload.Attempt:
        policy = self.known.get(self.place)
        if policy is None:
            policy = self.known[self.place] = pickling.load_policy(*self.policies[self.place])
        task, attempt, args, kwargs = sharing.mine.loads(self.arguments)
        function, verify, retry = policy
        return task, attempt, Call(function, args, kwargs, verify, retry)


def unpack(data: payload.Bytes) -> List[Callable[[], bytes]]:
    """The attempts of a batch, in order; each is performed, and answers, when it is called."""
    policies, members = pickle.loads(data)
    known: Dict[int, pickling.Policy] = {}
    return [_performing(Opened(policies, known, place, arguments)) for place, arguments in members]


def _performing(member: Opened) -> Callable[[], bytes]:
    return lambda: payload.perform_opened(member.open)
