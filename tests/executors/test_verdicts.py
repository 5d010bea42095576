"""What a `verify` may return: a false bool refuses a result, whoever made that bool; nothing else does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from flowdsl import Flow

FRAME = pd.DataFrame({"n": [1, 2]})


def judged(verdict: Any) -> Any:
    flow = Flow("verdicts")
    flow.task(name="one", verify=lambda result: verdict)(lambda: 1)
    return flow.run(display=None, raise_on_failure=False)


@pytest.mark.parametrize("verdict", [False, np.bool_(False), np.array(False), (FRAME["n"] > 1).all()])
def test_a_false_bool_refuses_the_result(verdict: Any) -> None:
    (failure,) = judged(verdict).failures
    assert (failure.cause, failure.error_type) == ("verify_failed", "VerifyFailed")
    assert failure.error.startswith("verify returned")


@pytest.mark.parametrize(
    "verdict", [None, True, np.bool_(True), np.array(True), 0, "", [], FRAME, FRAME["n"], FRAME[:0]]
)
def test_anything_else_lets_it_pass(verdict: Any) -> None:
    assert judged(verdict)["one"] == 1


def test_many_bools_are_no_verdict() -> None:
    (failure,) = judged(FRAME["n"] > 0).failures
    assert failure.cause == "verify_failed"
    assert failure.error == "verify returned a Series of bools; make one of them, as with .all()"
