"""The values that `%flow` takes for inputs: expressions of the notebook, or plain text."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flowdsl.notebook import _value


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("days + 1", 8), ("jan.csv", "jan.csv"), ("data/jan.csv", "data/jan.csv"), ("2013-01-05", "2013-01-05")],
)
def test_a_value_is_an_expression_or_else_the_text(text: str, value: Any) -> None:
    assert _value(text, SimpleNamespace(user_ns={"days": 7})) == value


def test_what_an_expression_raises_is_told_and_not_taken_for_text() -> None:
    with pytest.raises(ZeroDivisionError):
        _value("days / 0", SimpleNamespace(user_ns={"days": 7}))
