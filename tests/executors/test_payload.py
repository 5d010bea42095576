"""What crosses the border to a worker: bytes with a header, and answers that never raise."""

from __future__ import annotations

import pickle
import threading
from functools import lru_cache
from typing import Any

import pytest

from flowdsl.executors import payload
from flowdsl.executors.outcome import Call
from tests.executors.hostile import Locked, OpensBadly, Sticky


def answer(function: Any, *args: Any) -> payload.Answer:
    return payload.unpack(payload.work(payload.pack("t", 1, Call(function, args, {}))))


def test_a_closure_travels_by_value() -> None:
    factor = 3
    assert answer(lambda x: factor * x, 14).outcome.value == 42


def test_what_lru_cache_made_of_a_function_travels_by_value_too() -> None:
    @lru_cache(maxsize=7)
    def fibonacci(n: int) -> int:
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    fibonacci(50)
    found = answer(lambda: (fibonacci(30), fibonacci.cache_info(), fibonacci.__name__)).outcome
    assert found.value == (832040, (28, 31, 7, 7), "fibonacci"), found.error
    assert answer(fibonacci, 10).outcome.value == 55


def test_an_exception_that_does_not_unpickle_is_told_as_text() -> None:
    def bad() -> None:
        raise Sticky(1, "told")

    outcome = answer(bad).outcome
    assert (outcome.state, outcome.error_type, outcome.error) == ("failed", "Sticky", "told")
    assert "in bad" in outcome.traceback
    assert outcome.exception is None


def test_an_exception_that_holds_a_lock_is_told_as_text() -> None:
    def bad() -> None:
        raise Locked

    outcome = answer(bad).outcome
    assert (outcome.error_type, outcome.error) == ("Locked", "has a lock")


def test_a_result_that_cannot_be_pickled_fails_with_the_name_of_its_type() -> None:
    outcome = answer(threading.Lock).outcome
    assert (outcome.state, outcome.cause) == ("failed", "unpicklable")
    assert "of type lock" in outcome.error


def test_a_result_that_cannot_be_unpickled_fails_and_says_why() -> None:
    outcome = answer(OpensBadly).outcome
    assert (outcome.state, outcome.cause) == ("failed", "unpicklable")
    assert "not a number" in outcome.error


def test_an_argument_that_cannot_be_pickled_is_named_before_anything_is_sent() -> None:
    with pytest.raises(payload.Unpicklable, match=r"argument 'lock' \(lock\) cannot be pickled"):
        payload.pack("t", 1, Call(print, (), {"lock": threading.Lock()}))


def test_another_python_is_refused_before_anything_is_unpickled() -> None:
    data = bytearray(payload.pack("t", 1, Call(int, (), {})))
    data[6] += 1  # the minor version
    outcome = payload.unpack(payload.work(bytes(data))).outcome
    assert (outcome.state, outcome.cause) == ("failed", "unpicklable")
    assert "use the same" in outcome.error


def test_rubbish_is_an_outcome_too() -> None:
    for data in (b"", b"FDS", b"rubbish" * 10, pickle.dumps(1)):
        assert payload.unpack(payload.work(data)).outcome.state == "failed"
