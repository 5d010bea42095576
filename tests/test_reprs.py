"""How everything shows itself: a line of text, a card, names to complete; never an exception, never slow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Iterator

import pytest

import flowdsl
from flowdsl import Flow, Run
from flowdsl.settings import Options


@pytest.fixture
def stable() -> Iterator[None]:
    flowdsl.options.stable_repr = True
    yield
    flowdsl.options.stable_repr = False


class Hostile:
    """Everything that a view could ask of a value raises."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    __str__ = __repr__

    def __len__(self) -> int:
        raise ZeroDivisionError

    def __bool__(self) -> bool:
        raise ZeroDivisionError


class Nasty(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


HOSTILE = Hostile()


def hostile_flow() -> Flow:
    flow = Flow("hostile")

    @flow.task
    def takes(value: Any = HOSTILE) -> Any:
        return HOSTILE

    @flow.task(depends_on="takes")
    def fails() -> None:
        raise Nasty

    return flow


def shown(thing: Any) -> Any:
    """What a notebook would be sent."""
    bundle = getattr(thing, "_repr_mimebundle_", None)
    if bundle is None:
        return {"text/plain": repr(thing), "text/html": getattr(thing, "_repr_html_", lambda: None)()}
    made = bundle()
    return made[0] if isinstance(made, tuple) else made


def one_line(text: str) -> bool:
    return 0 < len(text) < 300 and "\n" not in text


@pytest.fixture
def run(log_dir: Path) -> Run:
    return hostile_flow().run(log_dir=log_dir, display="none", raise_on_failure=False)


def test_everything_has_a_line_and_a_card_whatever_the_values_do(run: Run, log_dir: Path) -> None:
    flow = hostile_flow()
    runs = flowdsl.load_runs(log_dir)
    for thing in (flow, flow["takes"], flow["fails"], run, runs, runs[-1]):
        assert one_line(repr(thing)), thing
        assert "<" in shown(thing)["text/html"]
    graph = flow.graph()
    assert len(repr(graph).splitlines()) == 2
    assert one_line(repr(graph["takes"]))
    assert one_line(repr(graph.inputs["value"]))
    assert one_line(repr(run.failures[0]))
    assert one_line(repr(run.snapshot().attempts[0]))


def test_a_card_of_a_task_says_what_it_is() -> None:
    flow = Flow("etl")

    @flow.task(retries=2, timeout=60)
    def clean(flights: Any, rows: int = 7) -> None:
        """Drops what is not known."""

    card = shown(clean)["text/html"]
    assert "(flights, rows=7)" in card
    assert "Drops what is not known." in card
    assert "2 retries, timeout 60 s" in card
    assert "flow etl, " in card


def test_a_broken_flow_shows_why_it_cannot_run() -> None:
    flow = Flow("<b>etl")
    flow.task(name="a", depends_on="b")(lambda: 1)
    flow.task(name="b", depends_on="a")(lambda: 1)
    card = shown(flow)["text/html"]
    assert "cannot run" in card
    assert "cycle: " in card
    assert "&lt;b&gt;etl" in card
    assert one_line(repr(flow))


def test_names_of_tasks_are_completed(run: Run, log_dir: Path) -> None:
    flow = hostile_flow()
    past = flowdsl.load_runs(log_dir)[-1]
    for thing in (flow, flow.graph(), run, past):
        assert thing._ipython_key_completions_() == ["takes", "fails"]
    assert "takes" in dir(flow)
    assert flowdsl.load_runs(log_dir)._ipython_key_completions_() == [run.id]


def test_a_very_large_flow_is_shown_in_bounds() -> None:
    flow = Flow("large")
    names = [f"t{n}" for n in range(30_000)]
    for n, name in enumerate(names):
        flow.task(name=name, depends_on=[names[n // 2]] if n else None)(lambda **_: None)
    begun = time.monotonic()
    for thing in (flow, flow.graph(), flow["t9"]):
        assert len(repr(thing)) < 10_000
        assert sum(len(text) for text in shown(thing).values()) < 400_000
    assert time.monotonic() - begun < 20


def test_a_picture_that_cannot_be_drawn_leaves_the_text(
    run: Run, log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no picture today")

    for place in ("static.run_bundle", "static.graph_bundle", "cards.task_card", "shape.shape_of"):
        monkeypatch.setattr(f"flowdsl.views.{place}", broken)
    flow = hostile_flow()
    for thing in (flow, flow.graph(), flow["takes"], run, flowdsl.load_runs(log_dir)[-1]):
        assert shown(thing)["text/plain"]


def test_a_stable_line_has_no_id(stable: None, run: Run, log_dir: Path) -> None:
    runs = flowdsl.load_runs(log_dir)
    for thing in (run, runs, runs[-1], run.timeline()):
        assert run.id not in repr(thing)
        assert run.id not in "".join(map(str, shown(thing).values()))
    assert repr(run) == "<Run of flow 'hostile': failed, 2 tasks>"


def test_a_misspelt_setting_and_a_strange_value_are_refused() -> None:
    with pytest.raises(AttributeError):
        flowdsl.options.stabel_repr = True  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="neither True nor False"):
        flowdsl.options.stable_repr = 1  # type: ignore[assignment]


@pytest.mark.parametrize(("said", "is_on"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_the_environment_says_what_the_switch_is_at_first(
    monkeypatch: pytest.MonkeyPatch, said: str, is_on: bool
) -> None:
    monkeypatch.setenv("FLOWDSL_STABLE_REPR", said)
    assert Options().stable_repr is is_on
