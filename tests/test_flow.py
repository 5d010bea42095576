"""Flows: what is in them, what crosses between them, how cells make them, and how they are run."""

from __future__ import annotations

import asyncio
import gc
import inspect
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

import flowdsl
from flowdsl import (
    ConfigError,
    CycleError,
    Flow,
    GraphError,
    InputError,
    Retry,
    current_flow,
)
from flowdsl.definition.options import INHERIT
from flowdsl.graph import Graph


@pytest.fixture
def etl() -> Flow:
    """raw -> clean -> report, and audit beside clean."""
    flow = Flow("etl")
    flow.task("raw")(lambda path: [path])
    flow.task("clean")(lambda raw, level=1: raw * level)
    flow.task("audit")(lambda raw: None)
    flow.task("report", depends_on=["audit"])(lambda clean: len(clean))
    return flow


# ---- what is in it


def test_a_flow_says_what_is_in_it_in_the_order_of_definition(etl: Flow) -> None:
    assert list(etl) == ["raw", "clean", "audit", "report"]
    assert (len(etl), "clean" in etl, "x" in etl) == (4, True, False)
    assert etl["clean"].name == "clean"


def test_a_flow_without_tasks_is_still_true() -> None:
    assert Flow("empty")
    assert len(Flow("empty")) == 0


def test_a_task_can_be_taken_out_and_what_names_it_then_cannot_run(etl: Flow) -> None:
    etl.task("sum", depends_on="clean")(lambda: 1)
    built = etl.graph()
    del etl["clean"]
    assert list(etl) == ["raw", "audit", "report", "sum"]
    assert "clean" in built
    with pytest.raises(GraphError, match="task 'sum' depends on 'clean', which flow 'etl' does not define"):
        etl.graph()


def test_a_flow_may_be_changed_while_its_names_are_read(etl: Flow) -> None:
    for name in etl:
        del etl[name]
    assert list(etl) == []


@pytest.mark.parametrize("ask", [lambda flow: flow["claen"], lambda flow: flow.__delitem__("claen")])
def test_a_task_that_is_not_there_is_a_key_error_with_the_nearest_name(etl: Flow, ask: Callable[[Flow], Any]) -> None:
    with pytest.raises(KeyError, match="flow 'etl' has no task 'claen'; did you mean 'clean'"):
        ask(etl)


def test_completion_offers_the_tasks_in_brackets_and_as_attributes(etl: Flow) -> None:
    etl.task("not a word")(lambda: 1)
    assert etl._ipython_key_completions_() == [*etl]
    assert {"clean", "run", "graph"} <= set(dir(etl))
    assert "not a word" not in dir(etl)
    assert etl.clean is etl["clean"]


def test_an_attribute_that_is_no_task_is_an_attribute_error_with_the_nearest(etl: Flow) -> None:
    with pytest.raises(AttributeError, match="no task 'claen'; did you mean 'clean'"):
        etl.claen
    assert not hasattr(etl, "_repr_html_")


def test_a_flow_has_the_options_it_was_given_and_they_cannot_be_set() -> None:
    flow = Flow("etl", limits={"db": 2}, retries=1, timeout=5, isolation="thread", log_dir="here")
    assert (flow.name, flow.limits, flow.retries, flow.timeout) == ("etl", {"db": 2}, Retry(1), 5.0)
    assert (flow.isolation, flow.log_dir) == ("thread", "here")
    with pytest.raises(AttributeError):
        flow.retries = -1  # type: ignore[misc, assignment]


@pytest.mark.parametrize(
    "options", [{"retries": -1}, {"timeout": 0}, {"limits": {"db": 0}}, {"isolation": "container"}, {"fresh": 1}]
)
def test_an_option_that_makes_no_sense_is_refused_by_name(options: Dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Flow("etl", **options)


def test_a_misspelt_option_of_a_flow_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="flow 'etl': there is no option 'limit'; did you mean 'limits'"):
        Flow("etl", limit={"db": 1})


@pytest.mark.parametrize("name", ["", "a/b", "a[1]", 3, None])
def test_a_name_of_a_flow_beyond_the_limits_is_refused(name: Any) -> None:
    with pytest.raises(ConfigError, match="Flow: name="):
        Flow(name)


def test_every_flow_is_a_new_object_outside_of_a_notebook() -> None:
    first = Flow("etl")
    first.task("a")(lambda: 1)
    assert list(Flow("etl")) == []


# ---- names resolve late


def test_a_graph_built_after_a_redefinition_uses_it_whatever_the_order(etl: Flow) -> None:
    before = etl.graph()
    etl.task("raw")(lambda: [7])
    after = etl.graph()
    assert before["raw"] is not after["raw"]
    assert "path" in before.inputs
    assert "path" not in after.inputs


def test_a_task_may_be_defined_after_the_task_that_names_it() -> None:
    flow = Flow("etl")
    report = flow.task("report")(lambda clean: clean)
    assert list(report.graph().inputs) == ["clean"]
    flow.task("clean")(lambda: 1)
    assert list(report.graph()) == ["clean", "report"]


def test_an_unchanged_flow_is_not_built_again(etl: Flow) -> None:
    assert etl.graph() is etl.graph()
    assert etl.graph(targets="clean") is not etl.graph()
    first = etl.graph()
    etl.task("new")(lambda: 1)
    assert etl.graph() is not first


@pytest.mark.parametrize("targets", ["clean", ["clean"], ("clean",)])
def test_targets_may_be_a_name_a_task_or_several(etl: Flow, targets: Any) -> None:
    assert list(etl.graph(targets=targets)) == ["raw", "clean"]
    assert list(etl.graph(targets=[etl["audit"], "clean"])) == ["raw", "clean", "audit"]


def test_a_target_that_is_no_task_of_the_flow_is_refused(etl: Flow) -> None:
    with pytest.raises(ConfigError, match=r"targets=.* is a task of another flow"):
        etl.graph(targets=Flow("other").task("clean")(lambda: 1))
    with pytest.raises(ConfigError, match="targets=3 is not a task"):
        etl.graph(targets=3)  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="has no task 'claen'; did you mean 'clean'"):
        etl.graph(targets=["claen"])


# ---- between flows


def test_a_task_of_another_flow_comes_into_the_graph_with_its_upstream(etl: Flow) -> None:
    other = Flow("other")
    other.task("plot", depends_on=etl["clean"])(lambda clean: clean)
    graph = other.graph()
    assert list(graph) == ["raw", "clean", "plot"]
    assert graph.upstream("plot") == ("clean",)
    assert list(graph.inputs) == ["path", "level"]


def test_a_redefinition_in_the_other_flow_is_seen(etl: Flow) -> None:
    other = Flow("other")
    other.task("plot", depends_on=etl["clean"])(lambda clean: clean)
    assert "raw" in other.graph()
    etl.task("clean")(lambda: 5)
    assert list(other.graph()) == ["clean", "plot"]


def test_a_text_never_crosses_flows(etl: Flow) -> None:
    other = Flow("other")
    other.task("plot", depends_on="clean")(lambda clean: clean)
    with pytest.raises(GraphError, match="'clean', which flow 'other' does not define"):
        other.graph()


def test_a_parameter_never_crosses_flows(etl: Flow) -> None:
    other = Flow("other")
    other.task("extra")(lambda: 1)
    other.task("plot", depends_on=[etl["clean"], "extra"])(lambda clean, audit: clean)
    assert "audit" in other.graph().inputs
    mixed = Flow("mixed")
    mixed.task("level")(lambda: 3)
    mixed.task("path")(lambda: "x")
    mixed.task("plot", depends_on=etl["clean"])(lambda clean, level: clean)
    graph = mixed.graph()
    assert graph.edges["raw"] == ()  # its `path` is an input: the task `path` is of another flow
    assert list(graph.inputs) == ["path", "level"]


def test_one_name_in_two_flows_of_a_graph_is_refused_and_both_are_named(etl: Flow) -> None:
    other = Flow("other")
    other.task("raw")(lambda: 1)
    other.task("plot", depends_on=[etl["clean"], "raw"])(lambda clean: clean)
    with pytest.raises(GraphError, match=r"flow 'etl' .* and flow 'other' .* both have a task 'raw' in this graph"):
        other.graph()
    with pytest.raises(GraphError, match="both have a task 'raw'"):
        other["plot"].graph()


def test_one_name_in_two_flows_does_no_harm_where_only_one_of_them_is_in_the_graph(etl: Flow) -> None:
    other = Flow("other")
    other.task("raw")(lambda: 1)
    other.task("plot", depends_on=etl["clean"])(lambda clean: clean)
    assert list(other["plot"].graph()) == ["raw", "clean", "plot"]


def test_a_task_and_its_own_namesake_of_another_flow_clash(etl: Flow) -> None:
    other = Flow("other")
    other.task("clean", depends_on={"data": etl["clean"]})(lambda data: data)
    with pytest.raises(GraphError, match="both have a task 'clean'"):
        other.graph()


def test_a_cycle_across_flows_is_found(etl: Flow) -> None:
    other = Flow("other")
    plot = other.task("plot", depends_on=etl["report"])(lambda report: report)
    etl.task("raw", depends_on=plot)(lambda: 1)
    with pytest.raises(CycleError, match=r"^cycle: plot -> raw -> (clean|audit) -> report -> plot$"):
        etl.graph()
    with pytest.raises(CycleError):
        other.graph()


def test_a_task_that_is_gone_from_the_other_flow_is_refused_with_that_flow(etl: Flow) -> None:
    other = Flow("other")
    other.task("plot", depends_on=etl["report"])(lambda report: report)
    del etl["report"]
    with pytest.raises(GraphError, match="depends on 'report' of flow 'etl', which is not defined there any more"):
        other.graph()


def test_a_task_of_another_flow_brings_what_its_flow_says_for_it() -> None:
    careful = Flow("careful", retries=4, timeout=9, limits={"db": 3, "api": 1})
    load = careful.task("load", uses="db")(lambda: 1)
    quick = careful.task("quick", retries=0, timeout=None)(lambda: 1)
    other = Flow("other", limits={"db": 2})
    other.task("plot", depends_on=[load, quick], uses="db")(lambda: 1)
    graph = other.graph()
    assert (graph["load"].retries, graph["load"].timeout) == (Retry(4), 9.0)
    assert (graph["quick"].retries, graph["quick"].timeout) == (Retry(0), None)
    assert graph["plot"].retries is INHERIT
    assert graph.limits == {"db": 2}  # the smaller of the two


def test_a_limit_that_the_flow_does_not_name_is_refused_when_the_graph_is_built() -> None:
    flow = Flow("etl", limits={"database": 2})
    flow.task("load", uses="databse")(lambda: 1)
    with pytest.raises(GraphError, match="uses 'databse', which flow 'etl' does not limit; did you mean 'database'"):
        flow.graph()


def test_a_given_task_of_another_flow_is_replaced_too(etl: Flow) -> None:
    other = Flow("other")
    other.task("plot", depends_on=etl["clean"])(lambda clean: clean)
    graph = other.build(given=["clean"])
    assert list(graph) == ["clean", "plot"]
    assert graph.given == {"clean"}


# ---- how it looks


def test_a_flow_is_told_in_a_line_and_with_its_fault(etl: Flow) -> None:
    assert repr(etl) == "flow 'etl': 4 tasks"
    etl.task("raw")(lambda report: 1)
    assert repr(etl).startswith("flow 'etl': 4 tasks; it cannot run: cycle: raw -> ")


def test_a_flow_in_a_notebook_is_its_picture_or_its_fault(etl: Flow) -> None:
    bundle = etl._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/html", "text/plain"}
    etl.task("raw")(lambda report: 1)
    bundle = etl._repr_mimebundle_()
    assert bundle["text/plain"] == repr(etl)
    assert "cannot run" in bundle["text/html"]
    assert "cycle: raw -&gt; " in bundle["text/html"]


def test_a_graph_is_a_picture_and_text(etl: Flow) -> None:
    graph = etl.graph()
    assert isinstance(graph, Graph)
    bundle = graph._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"] == repr(graph)
    assert all(name in bundle["text/plain"] for name in etl)


def test_drawing_a_graph_never_raises(etl: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> str:
        raise RuntimeError("no picture today")

    monkeypatch.setattr("flowdsl.views.text.tree", broken)
    monkeypatch.setattr("flowdsl.views.static.render_svg", broken)
    graph = etl.graph()
    assert repr(graph) == "Graph of flow 'etl': 4 tasks"
    assert graph._repr_mimebundle_() == {"text/plain": repr(graph)}


# ---- running


def test_a_run_of_a_flow_has_every_result(etl: Flow) -> None:
    run = etl.run(path="x", display="none")
    assert (run["raw"], run["clean"], run["report"]) == (["x"], ["x"], 1)


def test_a_run_of_a_task_goes_up_to_that_task(etl: Flow) -> None:
    run = etl["clean"].run(path="x", level=3, display="none")
    assert run["clean"] == ["x", "x", "x"]
    assert "report" not in run


def test_inputs_may_come_in_a_dict_by_keyword_or_both(etl: Flow) -> None:
    run = etl.run({"path": "x"}, level=2, display="none")
    assert run["clean"] == ["x", "x"]


def test_an_input_with_the_name_of_a_task_replaces_it(etl: Flow) -> None:
    run = etl.run(raw=[1, 2], display="none")
    assert run["report"] == 2
    run = etl["report"].run(clean=[1, 2, 3], path="x", display="none")
    assert run["report"] == 3


def test_a_value_that_replaces_a_task_is_also_the_input_of_that_name_for_those_who_take_it_as_such() -> None:
    flow = Flow("etl")
    flow.task("days")(lambda: 7)
    flow.task("upto")(lambda days=1: days)  # with a default it is no edge
    flow.task("after")(lambda days: days)
    assert flow.run(display="none").results == {"days": 7, "upto": 1, "after": 7}
    assert flow["upto"].run(days=3, display="none").results == {"upto": 3}
    run = flow.run(days=3, display="none")
    assert run.results == {"days": 3, "upto": 3, "after": 3}
    assert run.rerun(display="none").results == run.results


def test_an_input_with_the_name_of_an_option_goes_through_the_dict() -> None:
    flow = Flow("etl")
    flow.task("show")(lambda display, keep: (display, keep))
    run = flow.run({"display": 1, "keep": 2}, display="none")
    assert run["show"] == (1, 2)
    with pytest.raises(
        InputError, match=r"input 'display' is missing: .*; give it: run\({'display': \.\.\.}\), by keyword"
    ):
        flow.run(display="none", keep="all")


def test_started_and_awaited_runs_give_the_same_results(etl: Flow) -> None:
    started = etl.start(path="x", display="none")
    assert started.wait(30)
    assert started["report"] == 1
    assert asyncio.run(etl.run_async(path="x", display="none"))["report"] == 1
    clean = etl["clean"]
    assert clean.start(path="x", display="none").wait(30)
    assert asyncio.run(clean.run_async({"path": "x"}, display="none"))["clean"] == ["x"]


def test_a_run_after_a_redefinition_has_the_new_result(etl: Flow) -> None:
    assert etl.run(path="x", display="none")["report"] == 1
    etl.task("raw")(lambda: [1, 2, 3])
    assert etl.run(display="none")["report"] == 3


def refused(flow: Flow, *inputs: Any, **options: Any) -> List[str]:
    """The messages of all three ways to run."""
    messages = []
    for run in (flow.run, flow.start, lambda *a, **k: asyncio.run(flow.run_async(*a, **k))):
        with pytest.raises((ConfigError, InputError, GraphError)) as caught:
            run(*inputs, **options)
        messages.append(str(caught.value))
    return messages


def test_a_run_is_refused_before_anything_of_it_exists(etl: Flow, own_directory: Any) -> None:
    assert "max_workers=0" in refused(etl, path="x", max_workers=0)[0]
    assert "did you mean the option 'max_workers'" in refused(etl, path="x", max_worker=3)[0]
    assert "input 'path' is missing" in refused(etl)[0]
    assert "did you mean 'path'" in refused(etl, pth="x")[0]
    assert "input 'path' is given twice" in refused(etl, {"path": "x"}, path="y")[0]
    assert "is not a dict of names" in refused(etl, [("path", "x")])[0]
    assert "is not a dict of names" in refused(etl, {3: "x"})[0]
    assert "did you mean 'clean'" in refused(etl, targets="claen", path="x")[0]
    assert "isolation='proces' is not a choice; did you mean 'process'" in refused(etl, path="x", isolation="proces")[0]
    assert list(own_directory.iterdir()) == []


def test_each_way_to_run_refuses_with_the_same_words(etl: Flow) -> None:
    assert len(set(refused(etl, path="x", on_failure="stopp"))) == 1


def test_the_signature_of_run_is_the_documented_one() -> None:
    shown = inspect.signature(Flow.run).parameters
    documented = {
        "inputs": None,
        "targets": None,
        "executor": "threads",
        "max_workers": 5,
        "on_failure": "continue",
        "raise_on_failure": True,
        "isolation": None,
        "keep": "all",
        "display": "auto",
        "log_dir": None,
    }
    assert {name: shown[name].default for name in documented} == documented
    assert all(shown[name].kind is inspect.Parameter.KEYWORD_ONLY for name in list(documented)[1:])
    assert shown["more_inputs"].kind is inspect.Parameter.VAR_KEYWORD


def test_every_way_to_run_shows_the_options_of_run() -> None:
    of_run = dict(inspect.signature(Flow.run).parameters)
    for method in (Flow.start, Flow.run_async):
        assert dict(inspect.signature(method).parameters) == of_run
    del of_run["targets"], of_run["self"]
    one = two_tasks()["flights"]
    for bound in (one.run, one.start, one.run_async):
        assert dict(inspect.signature(bound).parameters) == of_run
    assert inspect.iscoroutinefunction(one.run_async)


def test_the_signature_of_a_flow_is_the_documented_one() -> None:
    shown = inspect.signature(Flow).parameters
    documented = {"limits": None, "retries": 0, "timeout": None, "isolation": None, "log_dir": "./logs/tasks"}
    assert {name: shown[name].default for name in documented} == documented
    assert all(shown[name].kind is inspect.Parameter.KEYWORD_ONLY for name in documented)


# ---- modules


def test_every_module_has_one_flow_named_after_it() -> None:
    assert current_flow() is flowdsl.current_flow()
    assert current_flow().name == __name__
    space: Dict[str, Any] = {"__name__": "elsewhere"}
    exec("import flowdsl\nfirst, second = flowdsl.current_flow(), flowdsl.current_flow()", space)
    assert space["first"] is space["second"]
    assert space["first"] is not current_flow()
    assert space["first"].name == "elsewhere"


# ---- stale tasks


def two_tasks() -> Flow:
    made = Flow("stale")
    made.task(name="flights")(lambda: 1)
    made.task(name="clean", depends_on="flights")(lambda flights: flights)
    return made


def test_a_task_defined_again_after_a_run_is_stale_with_all_downstream_until_it_is_run(log_dir: Path) -> None:
    made = two_tasks()
    assert made.graph().stale == frozenset()
    first = made.run(log_dir=log_dir, display="none")
    assert made.graph().stale == frozenset()
    made.task(name="flights")(lambda: 2)
    assert made.graph().stale == {"flights", "clean"}
    partly = made["flights"].run(log_dir=log_dir, display="none")
    assert made.graph().stale == {"clean"}
    last = made.run(log_dir=log_dir, display="none")
    assert made.graph().stale == frozenset()
    assert (first["clean"], partly["flights"], last["clean"]) == (1, 2, 2)


def test_a_result_that_nobody_holds_any_more_is_not_stale(log_dir: Path) -> None:
    made = two_tasks()
    made.run(log_dir=log_dir, display="none")
    two_tasks().run(log_dir=log_dir, display="none")  # now this is the last run
    gc.collect()
    made.task(name="flights")(lambda: 2)
    assert made.graph().stale == frozenset()
