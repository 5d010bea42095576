"""Recorded workflows scheduled by the real machine on a virtual clock, with the durations of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping

import pytest

from flowdsl.definition.graph import Graph
from flowdsl.engine import events as ev
from flowdsl.engine.policy import Node
from flowdsl.engine.simulate import Forecast, simulate
from flowdsl.runtime.history import Historian, expected
from flowdsl.runtime.plan import Defaults, Kinds, nodes
from flowdsl.storage.journal import Journal
from tests.workflows import REFERENCES, Reference, Workflow, read_workflow

WORKER = Kinds("worker", "worker", "worker", "worker")
RUN_ID = "20260101-000000-000-%s-000001"
HERE = "/u/ada/etl.ipynb"

references = pytest.mark.parametrize("reference", REFERENCES, ids=lambda one: f"{one.workflow} on {one.workers}")


def nodes_of(graph: Graph, weights: Mapping[str, float]) -> List[Node]:
    return list(nodes(graph, Defaults(), WORKER, weights))


def write_down(forecast: Forecast, log_dir: Path, flow: str) -> None:
    """The journal that such a run would have left, had its clock been a real one."""
    detail = {"run_id": RUN_ID % flow, "flow": flow, "file": HERE}
    with Journal.create(log_dir, RUN_ID % flow) as journal:
        for batch in forecast.batches:
            events = [one._replace(detail=detail) if one.event == ev.RUN_STARTED else one for one in batch.events]
            journal.append(events, 1_767_225_600.0 + batch.at)


def over_the_bound(workflow: Workflow, forecast: Forecast, workers: int) -> float:
    assert forecast.state == "succeeded"
    return forecast.makespan / workflow.bound(workers)


@references
def test_with_known_durations_the_makespan_is_that_of_the_reference(
    reference: Reference, shared: Path, log_dir: Path
) -> None:
    workflow = read_workflow(shared, reference.workflow)
    graph = workflow.flow(log_dir).graph()
    forecast = simulate(nodes_of(graph, workflow.seconds), workflow.seconds, reference.workers)
    assert over_the_bound(workflow, forecast, reference.workers) == pytest.approx(
        reference.longest_path_first, rel=0.01
    )


@references
def test_with_the_journal_of_an_earlier_run_too(reference: Reference, shared: Path, log_dir: Path) -> None:
    workflow = read_workflow(shared, reference.workflow)
    graph = workflow.flow(log_dir).graph()
    first = simulate(nodes_of(graph, {}), workflow.seconds, reference.workers)
    write_down(first, log_dir, workflow.name)
    weights = expected(graph, Historian(log_dir, workflow.name, HERE).past(len(graph))).seconds
    assert set(weights) == set(graph)
    second = simulate(nodes_of(graph, weights), workflow.seconds, reference.workers)
    reached = over_the_bound(workflow, second, reference.workers)
    assert reached == pytest.approx(reference.longest_path_first, rel=0.01)
    assert reached <= over_the_bound(workflow, first, reference.workers)


@references
def test_first_come_first_served_takes_longer(reference: Reference, shared: Path, log_dir: Path) -> None:
    workflow = read_workflow(shared, reference.workflow)
    graph = workflow.flow(log_dir).graph()
    unordered = [node._replace(rank=0.0) for node in nodes_of(graph, {})]
    forecast = simulate(unordered, workflow.seconds, reference.workers)
    assert over_the_bound(workflow, forecast, reference.workers) > reference.longest_path_first * 1.01


@pytest.mark.slow
def test_what_a_real_run_took_orders_the_next_one(shared: Path, log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", HERE)
    workflow = read_workflow(shared, "seismology")
    flow = workflow.flow(log_dir, faster=20.0)
    run: Any = flow.run(max_workers=16, display="none")
    weights = expected(flow.graph(), Historian(log_dir, workflow.name, HERE).past()).seconds
    assert run.state == "succeeded" and set(weights) == set(workflow.seconds)
    forecast = simulate(nodes_of(flow.graph(), weights), workflow.seconds, 16)
    assert over_the_bound(workflow, forecast, 16) == pytest.approx(1.015, rel=0.01)
