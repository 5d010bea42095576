"""Whether a run was given what its graph needs."""

from __future__ import annotations

from typing import Any

import pytest

from flowdsl import InputError
from flowdsl.definition.graph import build_graph, check_inputs
from tests.definition.specs import spec, specs

ETL = specs(
    spec(lambda path: 1, "flights"),
    spec(lambda flights, level=1: 1, "clean"),
    spec(lambda level=2: 1, "audit"),
)


def check(*, targets: Any = None, **inputs: Any) -> None:
    check_inputs(build_graph("etl", ETL, targets=targets, given=inputs), inputs)


def test_what_is_needed_is_enough_and_defaults_may_be_given_too() -> None:
    check(path="x")
    check(path="x", level=3)


def test_a_missing_input_is_named_with_who_takes_it_and_where() -> None:
    with pytest.raises(InputError) as caught:
        check()
    assert "input 'path' is missing: task 'flights' (etl.py, line 7) of flow 'etl'" in str(caught.value)
    assert "run(path=...)" in str(caught.value)


def test_who_has_a_default_for_a_missing_input_is_not_said_to_need_it() -> None:
    tasks = specs(spec(lambda path="x": 1, "relaxed"), spec(lambda path: 1, "strict"))
    with pytest.raises(
        InputError, match=r"'path' is missing: task 'strict' \(\S+, line \d+\) of flow 'etl' takes it w"
    ):
        check_inputs(build_graph("etl", tasks), {})


def test_a_parameter_that_misspells_a_task_is_told_as_such() -> None:
    tasks = specs(spec(lambda: 1, "flights"), spec(lambda fligths: 1, "clean"))
    with pytest.raises(InputError, match=r"input 'fligths' is missing: .* did you mean 'flights'"):
        check_inputs(build_graph("etl", tasks), {})


def test_an_unknown_input_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        InputError, match="no task of this graph of flow 'etl' takes the input 'pth'; did you mean 'path'"
    ):
        check(pth="x")


def test_a_misspelt_task_among_the_inputs_is_refused_with_the_nearest_task() -> None:
    with pytest.raises(InputError, match="did you mean 'flights'"):
        check(fligths=1)


@pytest.mark.parametrize("option", ["max_worker", "target", "on_failur", "raise_on_fail"])
def test_a_misspelt_option_of_run_is_refused_as_an_input_with_the_option(option: str) -> None:
    with pytest.raises(InputError, match="did you mean the option '"):
        check(path="x", **{option: 3})


def test_an_input_like_no_other_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match="it takes 'path', 'level'"):
        check(path="x", qqqq=1)
    with pytest.raises(InputError, match="the graph has no inputs"):
        check_inputs(build_graph("etl", {}), {"qqqq": 1})


def test_an_input_that_only_another_part_of_the_flow_takes_is_unknown_to_this_graph() -> None:
    check(targets=["audit"], level=1)
    with pytest.raises(InputError, match="'path'"):
        check(targets=["audit"], path="x")


def test_an_input_of_a_task_that_was_replaced_is_unknown_too() -> None:
    check(flights=1)
    with pytest.raises(InputError, match="takes the input 'path'"):
        check(flights=1, path="x")


def test_a_task_that_is_not_in_this_graph_cannot_be_given() -> None:
    with pytest.raises(InputError, match="takes the input 'clean'"):
        check(targets=["audit"], clean=1)


def test_none_is_a_value_like_any_other() -> None:
    check(path=None)
    check(flights=None)


def test_a_value_for_a_task_that_the_graph_was_not_built_without_is_refused() -> None:
    with pytest.raises(InputError, match="'flights'"):
        check_inputs(build_graph("etl", ETL), {"flights": 1, "path": "x"})
