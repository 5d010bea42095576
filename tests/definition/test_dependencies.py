"""What `depends_on` may say, and which parameter takes what."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

import pytest

from flowdsl import ConfigError, CycleError, Flow
from tests.definition.specs import spec


def taken(function: Callable[..., Any], depends_on: Any) -> List[Tuple[str, Optional[str]]]:
    return [(dependency.source, dependency.parameter) for dependency in spec(function, "it", depends_on).depends_on]


def test_nothing_is_no_dependency() -> None:
    assert taken(lambda: 1, None) == []
    assert taken(lambda: 1, []) == []


def test_a_text_is_one_name_and_never_its_characters() -> None:
    assert taken(lambda: 1, "clean") == [("clean", None)]


@pytest.mark.parametrize("several", [["a", "b"], ("a", "b")])
def test_a_list_or_a_tuple_holds_several(several: Any) -> None:
    assert taken(lambda: 1, several) == [("a", None), ("b", None)]


def test_a_dependency_whose_name_is_a_parameter_passes_its_result_and_any_other_is_order_only() -> None:
    assert taken(lambda b, c=1: 1, ["a", "b", "c"]) == [("a", None), ("b", "b"), ("c", "c")]


def test_a_dict_says_which_parameter_takes_what() -> None:
    assert taken(lambda df, other: 1, {"df": "clean", "other": "raw"}) == [("clean", "df"), ("raw", "other")]


def test_a_list_may_hold_dicts() -> None:
    assert taken(lambda df: 1, ["audit", {"df": "clean"}]) == [("audit", None), ("clean", "df")]


def test_star_args_take_what_no_other_parameter_names_in_the_order_of_depends_on() -> None:
    assert taken(lambda b, *rest: 1, ["c", "b", "a"]) == [("c", "*rest"), ("b", "b"), ("a", "*rest")]


def test_keywords_take_what_no_other_parameter_names_under_its_name() -> None:
    assert taken(lambda b, **more: 1, ["a", "b"]) == [("a", "a"), ("b", "b")]
    assert taken(lambda **more: 1, {"left": "a"}) == [("a", "left")]


def test_with_both_star_args_take_the_list_and_keywords_what_a_dict_names() -> None:
    assert taken(lambda *rest, **more: 1, ["a", {"left": "b"}]) == [("a", "*rest"), ("b", "left")]


def test_a_dependency_listed_twice_counts_once() -> None:
    assert taken(lambda: 1, ["a", "a"]) == [("a", None)]
    assert taken(lambda a: 1, ["a", "a", {"a": "a"}]) == [("a", "a")]
    assert taken(lambda *rest: 1, ["a", "b", "a"]) == [("a", "*rest"), ("b", "*rest")]


def test_order_alone_says_nothing_more_where_a_value_comes_from_the_same_task() -> None:
    assert taken(lambda x: 1, ["a", {"x": "a"}]) == [("a", "x")]


def test_one_result_may_go_to_two_parameters() -> None:
    assert taken(lambda x, y: 1, {"x": "a", "y": "a"}) == [("a", "x"), ("a", "y")]


def test_a_parameter_cannot_take_two_results() -> None:
    with pytest.raises(ConfigError, match="parameter 'x' cannot take both 'a' and 'b'"):
        spec(lambda x: 1, "it", [{"x": "a"}, {"x": "b"}])
    with pytest.raises(ConfigError, match="parameter 'b' cannot take both 'a' and 'b'"):
        spec(lambda b: 1, "it", [{"b": "a"}, "b"])


def test_a_parameter_that_the_function_does_not_have_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"task 'it' .*names a parameter 'trian'.*did you mean 'train'"):
        spec(lambda train, test: 1, "it", {"trian": "split"})
    with pytest.raises(ConfigError, match="it takes no parameters"):
        spec(lambda: 1, "it", {"x": "split"})


def test_two_items_of_one_result_go_to_two_parameters() -> None:
    flow = Flow("items")
    split = flow.task("split")(dict)
    task = flow.task("fit", depends_on={"train": split["train"], "test": split["test"][0]})(lambda train, test: 1)
    assert [(d.source, d.parameter, d.path) for d in task.spec.depends_on] == [
        ("split", "train", ("train",)),
        ("split", "test", ("test", 0)),
    ]


def test_items_go_to_star_args_each_once() -> None:
    flow = Flow("items")
    split = flow.task("split")(dict)
    both = [split["a"], split["b"], split["a"]]
    task = flow.task("fit", depends_on=both)(lambda *parts: 1)
    assert [d.path for d in task.spec.depends_on] == [("a",), ("b",)]


def test_a_slice_is_an_item_too() -> None:
    flow = Flow("items")
    split = flow.task("split")(list)
    task = flow.task("fit", depends_on={"rows": split[1:3]})(lambda rows: 1)
    assert task.spec.depends_on[0].path == (slice(1, 3),)


def test_an_item_that_no_parameter_takes_is_refused() -> None:
    flow = Flow("items")
    split = flow.task("split")(dict)
    with pytest.raises(ConfigError, match=r"nothing takes split\['train'\]; write depends_on={parameter: split"):
        flow.task("fit", depends_on=split["train"])(lambda: 1)


@pytest.mark.parametrize("value", [3, True, {"a", "b"}, [["a"]], {"x": ["a"]}, {3: "a"}, object(), [None]])
def test_what_is_no_dependency_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="depends_on="):
        spec(lambda x: 1, "it", value)


def test_a_function_that_is_no_task_is_refused_with_the_fix() -> None:
    def clean() -> None: ...

    with pytest.raises(ConfigError, match="is a function but not a task; put @task above it"):
        spec(lambda: 1, "it", [clean])


def test_a_task_that_names_itself_is_refused_at_once() -> None:
    with pytest.raises(CycleError, match="task 'it' depends on itself; take it out") as caught:
        spec(lambda: 1, "it", ["a", "it"])
    assert caught.value.cycle == ("it", "it")


def test_a_task_with_a_parameter_of_its_own_name_is_refused_unless_that_comes_from_elsewhere() -> None:
    with pytest.raises(CycleError, match="its parameter has its name; rename the parameter"):
        spec(lambda it: 1, "it")
    assert taken(lambda it: 1, {"it": "raw"}) == [("raw", "it")]
    assert taken(lambda it=1: 1, None) == []


def test_thousands_of_dependencies_are_read_in_order() -> None:
    names = [f"t{number}" for number in range(5000)]
    assert [task for task, _ in taken(lambda *rest: 1, names + names)] == names
