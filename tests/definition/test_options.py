"""The options of tasks, flows and runs: what is stored, and every value that is refused."""

from __future__ import annotations

import concurrent.futures
import copy
import pickle
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from flowdsl import ConfigError, Retry
from flowdsl.definition.options import INHERIT, FlowOptions, RunOptions, TaskOptions

NAN, INF = float("nan"), float("inf")


def pairs(table: Dict[str, List[Any]]) -> List[Tuple[str, Any]]:
    return [(option, value) for option, values in table.items() for value in values]


def test_inherit_reads_as_its_name_and_stays_itself_when_copied_or_pickled() -> None:
    assert repr(INHERIT) == str(INHERIT) == "INHERIT"
    assert copy.deepcopy(INHERIT) is INHERIT
    assert pickle.loads(pickle.dumps(INHERIT)) is INHERIT


# ---- tasks


def test_what_is_said_of_a_task_is_stored_in_one_form() -> None:
    said = {"retries": 2, "timeout": 60, "uses": "db", "tags": ["slow", "slow", "io"], "priority": 3, "verify": len}
    options = TaskOptions.checked("here", said)
    assert options.retries == Retry(2)
    assert (options.timeout, type(options.timeout)) == (60.0, float)
    assert options.uses == ("db",)
    assert options.tags == ("slow", "io")
    assert options.priority == 3.0
    assert options.verify is len


def test_a_task_may_say_that_it_inherits_or_that_there_is_no_limit() -> None:
    options = TaskOptions.checked("here", {"retries": INHERIT, "timeout": None, "isolation": INHERIT})
    assert (options.retries, options.timeout, options.isolation) == (INHERIT, None, INHERIT)


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_an_isolation_is_taken_for_a_task_a_flow_and_a_run(isolation: str) -> None:
    assert TaskOptions.checked("here", {"isolation": isolation}).isolation == isolation
    assert FlowOptions.checked("here", {"isolation": isolation}).isolation == isolation
    assert RunOptions.checked(isolation=isolation).isolation == isolation


REFUSED_OF_TASKS: Dict[str, List[Any]] = {
    "retries": [-1, True, 2.5, "3", None, NAN],
    "timeout": [0, -1, NAN, INF, -INF, 10**400, True, False, "60", [60]],
    "isolation": ["threads", "proces", None, 3, True],
    "run_when": ["all_suceeded", "always", None, True],
    "verify": [True, "len", 3],
    "uses": [3, [3], {"db": 1}, "", [""]],
    "priority": [NAN, INF, "high", True],
    "tags": [3, [None], {"a"}, ""],
    "type": ["", None, 3, "a/b", "x" * 201],
    "cache": [1, "yes", None],
}


@pytest.mark.parametrize(("option", "value"), pairs(REFUSED_OF_TASKS))
def test_a_value_of_a_task_that_makes_no_sense_is_refused_by_name_and_place(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^the place: {option}="):
        TaskOptions.checked("the place", {option: value})


@pytest.mark.parametrize(("option", "value"), [("cache", True)])
def test_an_option_of_a_task_that_comes_later_says_so(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{option}=.* is not available in this version"):
        TaskOptions.checked("here", {option: value})


def test_a_misspelt_choice_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'all_succeeded'"):
        TaskOptions.checked("here", {"run_when": "all_suceeded"})


# ---- flows


def test_a_flow_that_says_nothing_retries_nothing_and_has_no_limits() -> None:
    options = FlowOptions.checked("here", {})
    assert options == FlowOptions({}, Retry(0), None, None, "./logs/tasks")


def test_a_path_may_be_a_path_object() -> None:
    assert FlowOptions.checked("here", {"log_dir": Path("a") / "b"}).log_dir == str(Path("a") / "b")
    assert RunOptions.checked(log_dir=Path("a")).log_dir == "a"


REFUSED_OF_FLOWS: Dict[str, List[Any]] = {
    "limits": ["db", ["db"], 3],
    "limits\\['db'\\]": [0, -1, 2.5, True, "2", None],
    "retries": [-1, True, 2.5, "3", None, INHERIT],
    "timeout": [0, -1, NAN, INF, True, "60", INHERIT],
    "isolation": ["threads", 3, INHERIT],
    "log_dir": [None, 3, "", b"logs"],
}


@pytest.mark.parametrize(("option", "value"), pairs(REFUSED_OF_FLOWS))
def test_a_value_of_a_flow_that_makes_no_sense_is_refused_by_name_and_place(option: str, value: Any) -> None:
    given = {"limits": {"db": value}} if "db" in option else {option: value}
    with pytest.raises(ConfigError, match=f"^the place: {option}="):
        FlowOptions.checked("the place", given)


@pytest.mark.parametrize("name", ["", "a/b", "a[1]", 3])
def test_the_name_of_a_limit_is_checked_like_any_name(name: Any) -> None:
    with pytest.raises(ConfigError, match="limits="):
        FlowOptions.checked("here", {"limits": {name: 1}})


# ---- runs


def test_a_run_that_says_nothing_has_the_documented_defaults() -> None:
    options = RunOptions.checked()
    assert options == RunOptions("threads", 5, "continue", True, None, "all", "auto", None, False)


REFUSED_OF_RUNS: Dict[str, List[Any]] = {
    "executor": ["thread", "treads", None, 3, object(), concurrent.futures.ThreadPoolExecutor],
    "max_workers": [0, -1, 2.5, True, False, "5", NAN, INF, None],
    "on_failure": ["stopp", None, True],
    "raise_on_failure": [1, 0, None, "no"],
    "isolation": ["threads", 3],
    "keep": ["target", None, True],
    "display": ["on", 3],
    "log_dir": [3, "", b"logs"],
    "fsync": [1, None, "yes"],
}


@pytest.mark.parametrize(("option", "value"), pairs(REFUSED_OF_RUNS))
def test_a_value_of_a_run_that_makes_no_sense_is_refused_by_name_and_place(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^the place: {option}="):
        RunOptions.checked("the place", **{option: value})


def test_a_misspelt_executor_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'processes'"):
        RunOptions.checked(executor="process")


def test_any_executor_object_is_taken() -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        assert RunOptions.checked(executor=executor).executor is executor


@pytest.mark.parametrize(("value", "stored"), [(True, "auto"), (False, "none"), (None, "none"), ("none", "none")])
def test_a_display_may_be_switched_with_true_and_false(value: Any, stored: str) -> None:
    assert RunOptions.checked(display=value).display == stored


@pytest.mark.parametrize("make", [RunOptions.checked, lambda **given: TaskOptions.checked("here", given)])
def test_a_name_that_is_no_option_is_refused_with_all_that_are(make: Any) -> None:
    with pytest.raises(ConfigError, match=r"there is no option 'colour'; the options are .*isolation"):
        make(colour="red")


def test_a_whole_number_of_another_type_counts_as_one() -> None:
    class Five:
        def __index__(self) -> int:
            return 5

    assert RunOptions.checked(max_workers=Five()).max_workers == 5
