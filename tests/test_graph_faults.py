"""Faults in what the user wrote down: each is refused where it is said, and names the place and the next step."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest

from flowdsl import ConfigError, CycleError, Flow, GraphError, Retry, task
from flowdsl.errors import DefinitionError


@pytest.fixture
def calls() -> List[str]:
    """Who ran, in order."""
    return []


@pytest.fixture
def note(calls: List[str]) -> Callable[[str], Callable[[], None]]:
    def make(name: str) -> Callable[[], None]:
        return lambda: calls.append(name)

    return make


def test_g1_a_cycle_names_its_path_and_nothing_runs(calls: List[str], note: Any) -> None:
    flow = Flow("etl")
    flow.task("free")(note("free"))
    flow.task("a", depends_on="b")(note("a"))
    flow.task("b", depends_on="a")(note("b"))
    with pytest.raises(GraphError, match=r"^cycle: a -> b -> a$") as caught:
        flow.run(display="none")
    assert isinstance(caught.value, CycleError)
    assert caught.value.cycle == ("a", "b", "a")
    assert calls == []


def test_g2_an_unknown_dependency_names_the_task_the_flow_and_the_nearest_and_nothing_runs(
    calls: List[str], note: Any
) -> None:
    flow = Flow("etl")
    flow.task("flights")(note("flights"))
    flow.task("clean", depends_on="fligths")(note("clean"))
    with pytest.raises(GraphError) as caught:
        flow.run(display="none")
    message = "task 'clean' depends on 'fligths', which flow 'etl' does not define; did you mean 'flights'?"
    assert str(caught.value) == message
    assert calls == []


def test_g3_a_task_that_depends_on_itself_is_refused_when_it_is_defined() -> None:
    flow = Flow("etl")
    with pytest.raises(GraphError, match="task 'a' depends on itself"):
        flow.task("a", depends_on=["a"])(lambda: 1)
    assert list(flow) == []


def test_g4_in_a_flow_the_second_task_of_a_name_replaces_the_first(calls: List[str], note: Any) -> None:
    flow = Flow("etl")
    flow.task("a")(note("first"))
    flow.task("a")(note("second"))
    flow.run(display="none")
    assert calls == ["second"]


def test_g5_a_dependency_listed_twice_counts_and_runs_once(calls: List[str], note: Any) -> None:
    flow = Flow("etl")
    a = flow.task("a")(note("a"))
    flow.task("b", depends_on=["a", a, "a"])(note("b"))
    graph = flow.graph()
    assert graph.upstream("b") == ("a",)
    assert len(graph.edges["b"]) == 1
    flow.run(display="none")
    assert calls == ["a", "b"]


def test_g6_a_text_is_one_dependency_and_never_its_characters() -> None:
    flow = Flow("etl")
    flow.task("ab")(lambda: 1)
    flow.task("c", depends_on="ab")(lambda: 1)
    assert flow.graph().upstream("c") == ("ab",)


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "5", float("nan"), float("inf"), None])
def test_g7_a_number_of_workers_that_makes_no_sense_is_refused_by_name(value: Any) -> None:
    flow = Flow("etl")
    flow.task("a")(lambda: 1)
    for run in (flow.run, flow.start, flow["a"].run):
        with pytest.raises(ConfigError, match="max_workers="):
            run(max_workers=value)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "60"])
def test_g8_a_timeout_that_makes_no_sense_is_refused_by_name_in_task_and_flow(value: Any) -> None:
    with pytest.raises(ConfigError, match="timeout="):
        task(timeout=value)
    with pytest.raises(ConfigError, match="timeout="):
        Flow("etl", timeout=value)


def test_g8_none_is_no_timeout() -> None:
    assert Flow("etl", timeout=None).timeout is None
    assert Flow("etl", timeout=3).task("a", timeout=None)(lambda: 1).spec.timeout is None


@pytest.mark.parametrize("value", [-1, True, 2.5, "3"])
def test_g9_a_number_of_retries_that_makes_no_sense_is_refused_by_name(value: Any) -> None:
    for make in (lambda: task(retries=value), lambda: Flow("etl", retries=value), lambda: Retry(value)):
        with pytest.raises(ConfigError, match="retries="):
            make()


@pytest.mark.parametrize("value", [-5, float("nan"), float("inf"), True, "5"])
def test_g9_a_delay_that_makes_no_sense_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ConfigError, match="delay="):
        Retry(3, delay=value)


def test_g10_a_misspelt_option_is_refused_with_a_suggestion_wherever_it_stands() -> None:
    with pytest.raises(ConfigError, match="did you mean 'retries'"):
        task(retrys=3)
    with pytest.raises(ConfigError, match="did you mean 'timeout'"):
        Flow("etl").task("a", timeuot=3)
    with pytest.raises(ConfigError, match="did you mean 'backoff'"):
        Retry(3, backof=2)
    with pytest.raises(ConfigError, match="did you mean 'log_dir'"):
        Flow("etl", logdir="logs")
    with pytest.raises(DefinitionError, match="did you mean the option 'on_failure'"):
        Flow("etl").run(on_failur="stop")


def test_g11_an_empty_graph_succeeds_with_no_tasks() -> None:
    run = Flow("empty").run(display="none")
    assert run.state == "succeeded"
    assert len(run.tasks) == 0


def chain(size: int) -> Flow:
    flow = Flow("chain")
    flow.task("t0")(lambda: 0)
    for number in range(1, size):
        flow.task(f"t{number}", depends_on={"before": f"t{number - 1}"})(lambda before: before + 1)
    return flow


def test_g12_a_chain_of_ten_thousand_runs_without_recursion() -> None:
    run = chain(10_000).run(display="none")
    assert run["t9999"] == 9_999


def test_g12_a_chain_of_ten_thousand_is_built_told_and_pruned_without_recursion() -> None:
    flow = chain(10_000)
    assert list(flow.graph(targets="t9999"))[-1] == "t9999"
    assert len(flow.build(given=["t9998"])) == 2
    assert repr(flow) == "flow 'chain': 10,000 tasks"
    assert len(repr(flow.graph())) < 20_000


def test_g12_a_chain_defined_backwards_comes_out_in_order() -> None:
    flow = Flow("chain")
    for number in reversed(range(1, 10_000)):
        flow.task(f"t{number}", depends_on=f"t{number - 1}")(lambda: 0)
    flow.task("t0")(lambda: 0)
    assert list(flow.graph()) == [f"t{number}" for number in range(10_000)]


def test_g12_a_cycle_of_ten_thousand_is_found_without_recursion() -> None:
    flow = Flow("ring")
    for number in range(10_000):
        flow.task(f"t{number}", depends_on=f"t{(number - 1) % 10_000}")(lambda: 0)
    with pytest.raises(CycleError) as caught:
        flow.graph()
    assert len(caught.value.cycle) == 10_001
    assert len(str(caught.value)) < 500
