"""The values that `%flow` takes for inputs: expressions of the notebook, or plain text."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import pytest

from flowdsl import ConfigError, Flow
from flowdsl.notebook import _flow, _value


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("days + 1", 8), ("jan.csv", "jan.csv"), ("data/jan.csv", "data/jan.csv"), ("2013-01-05", "2013-01-05")],
)
def test_a_value_is_an_expression_or_else_the_text(text: str, value: Any) -> None:
    assert _value(text, SimpleNamespace(user_ns={"days": 7})) == value


def test_what_an_expression_raises_is_told_and_not_taken_for_text() -> None:
    with pytest.raises(ZeroDivisionError):
        _value("days / 0", SimpleNamespace(user_ns={"days": 7}))


@pytest.fixture
def space(log_dir: Path) -> Dict[str, Any]:
    flow = Flow("of_the_notebook", log_dir=log_dir)
    flow.task(name="my task")(lambda said, more=(): (said, more))
    return {"flow": flow, "days": 7}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("run 'my task' said='a b' display='none'", ("a b", ())),
        ('run "my task" said="it\'s" more=[days, 2] display="none"', ("it's", [7, 2])),
        ("run said=don't display=None", ("don't", ())),
        ("run said=dict(a=1, b=(2, 3)) display=None", ({"a": 1, "b": (2, 3)}, ())),
    ],
)
def test_blanks_in_quotes_and_brackets_are_part_of_a_value(line: str, value: Any, space: Dict[str, Any]) -> None:
    assert _flow(SimpleNamespace(user_ns=space), line + " flow=flow")["my task"] == value


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("run said=1/0", "said=1/0 cannot be read: ZeroDivisionError: division by zero"),
        ("run 'my task' said", "'said' is no option; %flow"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(line: str, text: str, space: Dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)):
        _flow(SimpleNamespace(user_ns=space), line + " flow=flow")


def test_the_logs_of_a_task_that_never_was_are_an_error_with_the_nearest_name(space: Dict[str, Any]) -> None:
    shell = SimpleNamespace(user_ns=space)
    _flow(shell, "run said=1 display=None flow=flow")
    assert _flow(shell, "logs 'my task' flow=flow")["state"].tolist() == ["succeeded"]
    with pytest.raises(KeyError, match="my task"):
        _flow(shell, "logs my_task flow=flow")
