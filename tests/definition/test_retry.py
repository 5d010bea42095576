"""Retry: its formula, what it matches, and every value that it refuses."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Dict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowdsl import ConfigError, Retry
from flowdsl.definition.retry import check_retries


def test_a_bare_retry_means_three_retries_at_once_after_any_exception() -> None:
    policy = Retry()
    assert policy.retries == 3
    assert [policy.wait(k, 1.0) for k in (1, 2, 3)] == [0.0, 0.0, 0.0]
    assert policy.matches(ValueError())
    assert not policy.matches(KeyboardInterrupt())


def test_the_wait_grows_by_the_factor_up_to_the_longest() -> None:
    policy = Retry(9, delay=2, backoff=3, max_delay=50)
    assert [policy.wait(k, 0.0) for k in (1, 2, 3, 4, 5)] == [2.0, 6.0, 18.0, 50.0, 50.0]


def test_jitter_is_a_share_of_the_wait_that_was_already_cut_to_the_longest() -> None:
    policy = Retry(delay=40, backoff=2, max_delay=50, jitter=0.1)
    assert policy.wait(1, 1.0) == pytest.approx(44.0)
    assert policy.wait(2, -1.0) == pytest.approx(45.0)
    assert policy.wait(2, 1.0) == pytest.approx(55.0)


def test_a_wait_far_beyond_what_a_float_can_hold_is_the_longest_wait() -> None:
    assert Retry(10_000, delay=1, backoff=10).wait(5_000, 0.0) == 300.0
    assert Retry(10_000, delay=0, backoff=10).wait(5_000, 0.0) == 0.0


@given(
    st.integers(1, 3000),
    st.floats(0, 1e6),
    st.floats(0.01, 1e3),
    st.floats(0, 1e4),
    st.floats(0, 1),
    st.floats(-1, 1),
)
def test_every_wait_is_finite_and_neither_negative_nor_longer_than_the_longest_with_its_jitter(
    k: int, delay: float, backoff: float, longest: float, jitter: float, u: float
) -> None:
    wait = Retry(3, delay=delay, backoff=backoff, max_delay=longest, jitter=jitter).wait(k, u)
    assert math.isfinite(wait)
    assert 0 <= wait <= longest * (1 + jitter)


def test_what_matches_give_up_on_is_not_retried() -> None:
    policy = Retry(retry_on=OSError, give_up_on=(FileNotFoundError,))
    assert policy.matches(PermissionError())
    assert not policy.matches(FileNotFoundError())
    assert not policy.matches(ValueError())


def test_classes_of_exceptions_may_come_in_a_list() -> None:
    assert Retry(retry_on=[OSError, KeyError]).retry_on == (OSError, KeyError)


def test_a_retry_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Retry().retries = 5  # type: ignore[misc]


def test_equal_retries_are_equal_and_hash_alike() -> None:
    assert Retry(2, delay=1) == Retry(2, delay=1.0)
    assert len({Retry(2), Retry(2), Retry(3)}) == 2


@pytest.mark.parametrize("number", [-1, True, False, 2.5, "3", None, float("nan"), [3]])
def test_a_number_of_retries_that_is_no_whole_number_from_0_is_refused(number: Any) -> None:
    with pytest.raises(ConfigError, match="retries="):
        Retry(number)


REFUSED: Dict[str, Any] = {
    "delay": [-1, -0.001, True, "1", None, float("nan"), float("inf")],
    "backoff": [0, -2, True, "2", None, float("nan"), float("inf")],
    "max_delay": [-5, True, "60", None, float("nan"), float("inf")],
    "jitter": [-0.1, 1.5, True, "0.1", None, float("nan")],
    "retry_on": [ValueError(), "ValueError", None, 3, (ValueError, "x"), int],
    "give_up_on": [ValueError(), "ValueError", None, [object]],
    "max_elapsed": [0, -1, True, "60", float("nan"), float("inf")],
    "retry_abandoned": [1, 0, "yes", None],
}


@pytest.mark.parametrize(("option", "value"), [(option, value) for option in REFUSED for value in REFUSED[option]])
def test_a_value_that_makes_no_sense_is_refused_under_the_name_of_its_option(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^Retry: {option}="):
        Retry(3, **{option: value})


def test_a_misspelt_option_of_retry_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="no option 'dealy'; did you mean 'delay'"):
        Retry(3, dealy=1)


def test_a_whole_number_stands_for_a_retry_and_equal_numbers_share_one() -> None:
    assert check_retries(2, "here") == Retry(2)
    assert check_retries(2, "here") is check_retries(2, "there")


def test_a_retry_is_taken_as_it_is() -> None:
    policy = Retry(2, delay=1)
    assert check_retries(policy, "here") is policy
