"""The answer of an attempt that succeeded with plain data, in the fewest bytes; most answers are such ones."""

from __future__ import annotations

import pickle
import struct
from typing import NamedTuple

from flowdsl.executors.lasting import PLAIN
from flowdsl.executors.outcome import Outcome
from flowdsl.executors.payload import Bytes

HEAD = struct.Struct(">ddd?")  # when it ended, seconds in the function, of the processor, whether the next one begins
LARGE = 4_096  # bytes or characters of a value that goes another way

_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor


class Answer(NamedTuple):
    """An outcome, when that was by the monotonic clock, and whether the next attempt of the batch began then."""

    outcome: Outcome
    ended_at: float
    goes_on: bool


def fits(outcome: Outcome) -> bool:
    """Whether it is as plain as that."""
    value = outcome.value
    if outcome.state != "succeeded" or type(value) not in PLAIN or outcome.cpu_s is None:
        return False
    return type(value) not in (str, bytes) or len(value) <= LARGE


def pack(outcome: Outcome, ended_at: float, goes_on: bool) -> bytes:
    """The answer as bytes, of an outcome that fits."""
    return HEAD.pack(ended_at, outcome.seconds, outcome.cpu_s, goes_on) + pickle.dumps(outcome.value, 4)


def unpack(body: Bytes) -> Answer:
    """What `pack` made."""
    ended_at, seconds, cpu_s, goes_on = HEAD.unpack_from(body)
    value = pickle.loads(memoryview(body)[HEAD.size :])
    outcome = _new(Outcome, ("succeeded", "returned", value, False, seconds, cpu_s, "", "", "", None))
    return Answer(outcome, ended_at, goes_on)
