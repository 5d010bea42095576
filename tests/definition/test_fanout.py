"""What `map=` may name, and whose items go over one by one."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Tuple

import pytest

from flowdsl import ConfigError, Flow, GraphError


def sources(flow: Flow, **given: Any) -> Mapping[str, Tuple[str, ...]]:
    return dict(flow.graph().mapped)


def flow_of(functions: Dict[str, Tuple[Any, Dict[str, Any]]]) -> Flow:
    flow = Flow("maps")
    for name, (function, options) in functions.items():
        flow.task(name=name, **options)(function)
    return flow


def test_a_map_over_a_list_waits_for_all_of_it() -> None:
    flow = flow_of({"parts": (lambda: [1], {}), "each": (lambda parts: parts, {"map": "parts"})})
    assert sources(flow) == {"each": ()}


def test_a_map_over_a_mapped_task_takes_its_items_one_by_one() -> None:
    flow = flow_of(
        {
            "parts": (lambda: [1], {}),
            "a": (lambda parts: parts, {"map": "parts"}),
            "b": (lambda a: a, {"map": "a"}),
            "c": (lambda a, b: a, {"map": ["a", "b"]}),
        }
    )
    assert sources(flow) == {"a": (), "b": ("a",), "c": ("a", "b")}


def test_lists_of_different_maps_are_waited_for() -> None:
    flow = flow_of(
        {
            "xs": (lambda: [1], {}),
            "a": (lambda xs: xs, {"map": "xs"}),
            "b": (lambda xs: xs, {"map": "xs"}),
            "c": (lambda a, b: a, {"map": ["a", "b"]}),
        }
    )
    assert sources(flow)["c"] == ()


def test_a_list_that_another_parameter_takes_whole_is_waited_for() -> None:
    flow = flow_of(
        {
            "xs": (lambda: [1], {}),
            "a": (lambda xs: xs, {"map": "xs"}),
            "b": (lambda one, every: one, {"map": "one", "depends_on": {"one": "a", "every": "a"}}),
        }
    )
    assert sources(flow)["b"] == ()


def test_a_mapped_task_that_is_given_is_a_list_like_any_other() -> None:
    flow = flow_of(
        {
            "xs": (lambda: [1], {}),
            "a": (lambda xs: xs, {"map": "xs"}),
            "b": (lambda a: a, {"map": "a"}),
        }
    )
    run = flow.run(a=[5, 6], display=None)
    assert run["b"] == [5, 6]
    assert dict(run.graph.mapped) == {"b": ()}


def test_an_input_can_be_mapped_with_its_default() -> None:
    flow = flow_of({"each": (lambda xs=(1, 2): xs * 10, {"map": "xs"})})
    assert flow.run(display=None)["each"] == [10, 20]
    assert flow.run(xs={"a": 1}, display=None)["each"] == [("a", 1) * 10]


def test_a_name_that_is_no_parameter_is_refused_where_it_is_written() -> None:
    with pytest.raises(ConfigError, match=r"map='prats' is no parameter of the function; did you mean 'parts'\?"):
        flow_of({"each": (lambda parts: parts, {"map": "prats"})})


@pytest.mark.parametrize("value", [3, {"a": 1}, [1], True, ""])
def test_what_is_no_name_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="map"):
        flow_of({"each": (lambda parts: parts, {"map": value})})


def test_the_values_of_star_args_cannot_be_mapped() -> None:
    with pytest.raises(ConfigError, match="map='parts' is no parameter"):
        flow_of({"each": (lambda *parts: parts, {"map": "parts"})})


def test_mapping_a_dependency_that_is_only_order_is_a_graph_error() -> None:
    flow = flow_of({"parts": (lambda: [1], {}), "each": (lambda: 1, {"map": "parts", "depends_on": "parts"})})
    with pytest.raises(GraphError, match=r"only for order; give the function a parameter 'parts'"):
        flow.graph()
