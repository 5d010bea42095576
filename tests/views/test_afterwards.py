"""What there is to press below a run that failed, without a browser."""

from __future__ import annotations

import sys
from typing import Any, Callable, List, Tuple

import pytest

from flowdsl.engine.snapshot import Snapshot
from flowdsl.views.afterwards import STAYS, Afterwards, Row
from flowdsl.views.controls import Controls
from flowdsl.views.live import LiveView
from flowdsl.views.panel import Facts
from tests.views.samples import fan, small, story, told

pytest.importorskip("IPython")
pytest.importorskip("ipywidgets")


class Handle:
    def __init__(self) -> None:
        self.updates: List[Any] = []

    def update(self, data: Any, raw: bool = False) -> None:
        self.updates.append(data)


@pytest.fixture
def place() -> Handle:
    return Handle()


@pytest.fixture
def pressed(place: Handle) -> Any:
    """The row, what the page hears, what was retried and what is to happen later."""
    retried: List[Any] = []
    later: List[Tuple[float, Callable[[], None]]] = []
    controls = Controls(retry=retried.append, facts=lambda name: Facts((("path", "'jan.csv'"),), source=f"def {name}"))
    row = Afterwards(place, controls, told, list(small().tasks), lambda delay, act: later.append((delay, act)))
    heard: List[Any] = []
    row._row.send = heard.append
    yield row, heard, retried, later
    row.close()


def ask(row: Afterwards, **asked: Any) -> None:
    """What the page says when somebody presses or chooses something."""
    row._row._handle_custom_msg(asked, [])


def test_retry_runs_again_in_the_same_place_and_the_row_goes(pressed: Any, place: Handle) -> None:
    row, _, retried, _ = pressed
    ask(row, ask="retry")
    assert retried == [place]
    assert row._row is None
    assert place.updates == []  # what stands there is the affair of the run that follows


def test_where_it_cannot_run_again_the_row_says_why(pressed: Any) -> None:
    row, heard, *_ = pressed

    def refuse(_: Any) -> None:
        raise ValueError("clean <b> is gone\nand more")

    row._controls = row._controls._replace(retry=refuse)
    ask(row, ask="retry")
    assert heard == [{"refused": True}]
    assert row._row.panel == "ValueError: clean &lt;b&gt; is gone<br>and more"


def test_the_menu_opens_the_panel_of_a_task(pressed: Any) -> None:
    row, *_ = pressed
    assert row._row.names == list(small().tasks)
    ask(row, ask="look", task="clean")
    assert "path = &#x27;jan.csv&#x27;" in row._row.panel
    assert "def clean" in row._row.panel and "dep_tme" in row._row.panel
    ask(row, ask="look", task="")
    assert row._row.panel == ""
    ask(row, ask="look", task="<b>nobody")
    assert "no task &lt;b&gt;nobody" in row._row.panel
    before = row._row.panel
    for nonsense in ({"ask": "look", "task": 3}, {"ask": "dance"}, {}):
        ask(row, **nonsense)
    assert row._row.panel == before


def test_of_a_great_many_tasks_no_names_are_sent() -> None:
    graph = fan(300)
    row = Afterwards(
        Handle(), Controls(facts=lambda name: Facts(source=name)), told, list(graph.tasks), lambda *_: None
    )
    assert row._row.names == []
    ask(row, ask="look", task="clean")
    assert "clean" in row._row.panel
    row.close()


def test_it_goes_by_itself(pressed: Any) -> None:
    row, *_, later = pressed
    ((delay, act),) = later
    assert delay == STAYS
    closed = row._row
    act()
    act()
    assert row._row is None and closed.comm is None


# ---- the view that it follows


class Stage:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, session: str, **more: Any) -> None:
        self.handles: List[Handle] = []
        self.later: List[Any] = []
        self.now = 1_700_000_000.0
        self.run = Snapshot()
        monkeypatch.setattr("IPython.display.display", self.display)
        monkeypatch.setenv("JPY_SESSION_NAME", session)
        clock = {"clock": lambda: self.now, "timer": lambda: self.now, "cost": lambda: 0.0}
        self.view = LiveView(
            small(), lambda: self.run, Controls(**more), later=lambda *what: self.later.append(what), **clock
        )

    def display(self, *_: Any, **__: Any) -> Handle:
        self.handles.append(Handle())
        return self.handles[-1]

    def play(self) -> None:
        self.view.open()
        for batch in story():
            self.now = batch.at
            self.run.apply(batch)
            self.view.paint()


def rows() -> List[Any]:
    """The rows that pages draw now."""
    from ipywidgets.widgets import widget

    return [one for one in widget._instances.values() if isinstance(one, Row)]


def test_after_a_failure_the_picture_is_static_and_says_what_to_type_where_the_row_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Stage(monkeypatch, "a.ipynb", retry=lambda _: None)
    here.play()
    here.view.close()
    (picture,) = here.handles
    assert sorted(picture.updates[-1]) == ["text/html", "text/plain"]
    (row,) = rows()
    assert f'data-flowdsl-run="{row.run}"' in picture.updates[-1]["text/html"]
    assert "flowdsl.last_run().rerun(failed=True)" in picture.updates[-1]["text/html"]
    assert row.names == list(small().tasks)
    assert here.view.fault is None
    for _, act in here.later:
        act()
    assert rows() == []


def test_where_nobody_looks_there_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Stage(monkeypatch, "", retry=lambda _: None)
    here.play()
    here.view.close()
    assert rows() == []
    assert "flowdsl.last_run().rerun(failed=True)" in here.handles[0].updates[-1]["text/html"]


def test_without_anywidget_there_is_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "flowdsl.views.afterwards")
    monkeypatch.setitem(sys.modules, "anywidget", None)
    here = Stage(monkeypatch, "a.ipynb", retry=lambda _: None)
    here.play()
    here.view.close()
    assert "flowdsl.last_run().rerun(failed=True)" in here.handles[0].updates[-1]["text/html"]
    assert isinstance(here.view.fault, ImportError)


def test_retry_during_the_run_happens_at_its_end_and_the_old_end_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    retried: List[Any] = []
    here = Stage(monkeypatch, "a.ipynb", retry=retried.append)
    here.play()
    button = here.view._surface._retry
    assert button.layout.display is None  # it is there since something failed
    button.click()
    assert (button.disabled, button.description, retried) == (True, "Retry at the end", [])
    here.view.close()
    assert len(retried) == 1
    sent = len(here.handles[0].updates)
    for _, act in here.later:
        act()
    assert len(here.handles[0].updates) == sent


def test_a_view_takes_the_place_that_it_is_given(monkeypatch: pytest.MonkeyPatch, place: Handle) -> None:
    here = Stage(monkeypatch, "a.ipynb", place=place, note="runs again: clean")
    here.play()
    here.view.close()
    assert here.handles == []
    assert "runs again: clean" in place.updates[0]["text/plain"]
