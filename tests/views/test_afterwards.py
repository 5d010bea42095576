"""What there is to press below a run that failed, without a browser."""

from __future__ import annotations

from typing import Any, Callable, List, Tuple

import pytest

from flowdsl.engine.snapshot import Snapshot
from flowdsl.views.afterwards import STAYS, Afterwards
from flowdsl.views.controls import Controls
from flowdsl.views.live import LiveView
from flowdsl.views.panel import Facts
from flowdsl.views.place import NOTHING, Place
from tests.views.samples import small, story, told

pytest.importorskip("IPython")
widgets = pytest.importorskip("ipywidgets")


class Handle:
    def __init__(self) -> None:
        self.updates: List[Any] = []

    def update(self, data: Any, raw: bool = False) -> None:
        self.updates.append(data)


@pytest.fixture
def place() -> Place:
    return Place(Handle(), Handle())


@pytest.fixture
def pressed(place: Place) -> Any:
    """The row, its widgets by name, what was retried and what is to happen later."""
    retried: List[Any] = []
    later: List[Tuple[float, Callable[[], None]]] = []
    controls = Controls(retry=retried.append, facts=lambda name: Facts((("path", "'jan.csv'"),), source=f"def {name}"))
    row = Afterwards(place, controls, told, list(small().tasks), lambda delay, act: later.append((delay, act)))
    retry, menu, close = row._box.children[0].children
    return row, retry, menu, close, retried, later


def test_retry_runs_again_in_the_same_place_and_the_row_goes(pressed: Any, place: Place) -> None:
    row, retry, _, _, retried, _ = pressed
    retry.click()
    assert retried == [place]
    assert place.below.updates[-1] == NOTHING
    assert row._box is None


def test_where_it_cannot_run_again_the_row_says_why(pressed: Any, place: Place) -> None:
    row, retry, *_ = pressed

    def refuse(_: Any) -> None:
        raise ValueError("clean <b> is gone\nand more")

    row._controls = row._controls._replace(retry=refuse)
    retry.click()
    assert (retry.disabled, retry.description) == (False, "Retry failed")
    assert row._panel.value == "ValueError: clean &lt;b&gt; is gone<br>and more"
    assert place.below.updates[-1] is not NOTHING


def test_the_menu_opens_the_panel_of_a_task(pressed: Any) -> None:
    row, _, menu, *_ = pressed
    menu.value = "clean"
    assert "path = &#x27;jan.csv&#x27;" in row._panel.value
    assert "def clean" in row._panel.value and "dep_tme" in row._panel.value
    menu.value = ""
    assert row._panel.value == ""


def test_it_goes_by_itself_or_when_it_is_closed(pressed: Any, place: Place) -> None:
    row, _, _, close, _, later = pressed
    ((delay, act),) = later
    assert delay == STAYS
    close.click()
    act()
    assert place.below.updates.count(NOTHING) == 1
    assert row._box is None


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


def test_after_a_failure_the_picture_is_static_and_the_row_stands_below(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Stage(monkeypatch, "a.ipynb", retry=lambda _: None)
    here.play()
    here.view.close()
    picture, below = here.handles
    assert sorted(picture.updates[-1]) == ["text/html", "text/plain"]
    assert isinstance(below.updates[-1], widgets.VBox)
    assert here.view.fault is None


def test_where_nobody_looks_there_is_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Stage(monkeypatch, "", retry=lambda _: None)
    here.play()
    here.view.close()
    assert len(here.handles) == 1


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


def test_a_view_takes_the_place_that_it_is_given(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    here = Stage(monkeypatch, "a.ipynb", place=place, note="runs again: clean")
    here.play()
    here.view.close()
    assert here.handles == []
    assert "runs again: clean" in place.picture.updates[0]["text/plain"]
