"""What a flow or a run would come to on other workers, as users ask for it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import List

import pytest

import flowdsl
from flowdsl import ConfigError, Flow


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    flow = Flow("etl", log_dir=log_dir)
    for number in range(4):
        flow.task(f"part {number}")(lambda: time.sleep(0.03))

    @flow.task(depends_on=[f"part {number}" for number in range(4)])
    def report() -> None:
        time.sleep(0.01)

    return flow


@pytest.mark.slow
def test_a_run_a_past_run_and_its_flow_have_plans_that_agree(flow: Flow, log_dir: Path) -> None:
    run = flow.run(max_workers=2, display="none")
    (past,) = flowdsl.load_runs(log_dir)
    assert tuple(past.what_if(4).numbers) == pytest.approx(tuple(run.what_if(4).numbers), abs=1e-5)
    assert flow.what_if(4).makespan_s == pytest.approx(run.what_if(4).makespan_s, rel=0.3)
    one, four = run.what_if(1).numbers, run.what_if(4).numbers
    assert one.makespan_s == pytest.approx(one.work_s, abs=1e-5)
    assert four.makespan_s == pytest.approx(four.critical_path_s, abs=1e-5)
    assert four.makespan_s < one.makespan_s
    assert run.what_if(4).tasks["state"].tolist() == ["succeeded"] * 5
    for plan in (
        run.what_if(4),
        past.what_if(4),
        flow.what_if(4),
    ):  # an image, as all pictures: what untrusted pages show
        assert "data:image/svg+xml;base64," in plan.timeline()._repr_mimebundle_()["text/html"]


def test_of_a_flow_that_never_ran_each_task_takes_a_second(flow: Flow) -> None:
    assert flow.what_if(2).numbers[:5] == (2, 3.0, 2.5, 2.0, 5.0)
    assert flow.what_if(2, targets="part 1").makespan_s == 1.0


@pytest.mark.slow
def test_a_mapped_task_has_as_many_items_as_last_time(log_dir: Path) -> None:
    flow = Flow("maps", log_dir=log_dir)

    @flow.task
    def files() -> List[int]:
        return [1, 2, 3]

    @flow.task(map="files")
    def size(files: int) -> None:
        time.sleep(0.02)

    assert len(flow.what_if(3).tasks) == 3
    run = flow.run(display="none")
    assert len(flow.what_if(3).tasks) == 5
    assert run.what_if(1).makespan_s >= 0.06
    assert run.what_if(3).makespan_s < run.what_if(1).makespan_s


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "5", None])
def test_a_number_of_workers_that_is_none_is_refused(wrong: object, flow: Flow) -> None:
    with pytest.raises(ConfigError, match="max_workers"):
        flow.what_if(wrong)  # type: ignore[arg-type]
    run = flow.run(display="none")
    with pytest.raises(ConfigError, match="max_workers"):
        run.what_if(wrong)  # type: ignore[arg-type]


# ---- a flow over time


@pytest.mark.slow
def test_the_history_of_a_flow_has_a_row_for_each_run_and_for_each_task_in_it(flow: Flow, log_dir: Path) -> None:
    runs = [flow.run(display="none") for _ in range(3)]
    Flow("other", log_dir=log_dir).run(display="none")
    history = flow.history()
    assert history.runs["run_id"].tolist() == [run.id for run in runs]
    assert len(history.tasks) == 15 and len(history) == 3
    assert set(history.tasks["state"]) == {"succeeded"}
    assert repr(history) == "<History of flow 'etl': 3 runs, 5 tasks>"
    assert runs[0].id in history._repr_html_()
    assert flow.history(last=2).runs["run_id"].tolist() == [run.id for run in runs[1:]]


def test_runs_from_another_notebook_are_not_in_it(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = Flow("etl", log_dir=log_dir)
    flow.task("a")(lambda: None)
    monkeypatch.setenv("JPY_SESSION_NAME", "/u/ada/one.ipynb")
    flow.run(display="none")
    monkeypatch.setenv("JPY_SESSION_NAME", "/u/ada/two.ipynb")
    assert len(flow.history()) == 0
    monkeypatch.setenv("JPY_SESSION_NAME", "/u/ada/one.ipynb")
    assert len(flow.history()) == 1


def test_a_mapped_task_is_one_row_with_the_median_of_its_items(log_dir: Path) -> None:
    flow = Flow("maps", log_dir=log_dir)

    @flow.task(map="number")
    def part(number: int = 0) -> int:
        return number

    flow.run(number=[1, 2, 3], display="none")
    (row,) = flow.history().tasks.to_dict("records")
    assert (row["task"], row["items"], row["attempts"]) == ("part", 3, 3)
    assert row["duration_s"] >= 0


def test_only_the_last_runs_or_those_of_one_flow_are_loaded(log_dir: Path) -> None:
    for name in ("a", "b", "a", "b"):
        Flow(name, log_dir=log_dir).run(display="none")
    assert [run.flow for run in flowdsl.load_runs(log_dir, last=3)] == ["b", "a", "b"]
    assert [run.flow for run in flowdsl.load_runs(log_dir, flow="a")] == ["a", "a"]
    assert [run.flow for run in flowdsl.load_runs(log_dir, flow="a", last=1)] == ["a"]
    assert len(flowdsl.load_runs(log_dir, flow="c")) == 0
    with pytest.raises(ConfigError, match="last"):
        flowdsl.load_runs(log_dir, last=0)
    with pytest.raises(ConfigError, match="last"):
        Flow("a", log_dir=log_dir).history(last=True)


def test_a_plot_shows_the_runs_and_the_tasks_that_took_most_time(flow: Flow) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is in the extras `notebook` and `data`")
    flow.run(display="none")
    flow.task("$x_1 <b>")(lambda: None)
    flow.task("_hidden")(lambda: time.sleep(0.05))
    flow.run(display="none")
    history = flow.history()
    above, below = history.plot().axes
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["succeeded"]
    assert len(below.lines) == 5
    _, below = history.plot("$x_1 <b>", "_hidden").axes
    labels = [text.get_text().strip("\u200b") for text in below.get_legend().get_texts()]
    assert labels == [r"\$x_1 <b>", "_hidden"]
    assert history.plot().get_facecolor()[3] == 0  # transparent: the page may be dark
    with pytest.raises(KeyError, match="fligths"):
        history.plot("fligths")


def test_a_history_without_runs_can_be_shown_too(flow: Flow) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is in the extras `notebook` and `data`")
    assert len(flow.history().plot().axes) == 2


def test_without_matplotlib_a_plot_says_how_to_get_it(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(flowdsl.RendererMissing, match="pip install matplotlib"):
        flow.history().plot()
