"""The live view, without a browser: recorded events go in, messages come out."""

from __future__ import annotations

import sys
import threading
from typing import Any, Callable, Dict, List, Tuple

import pytest

from flowdsl.engine.events import Batch
from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.views import live
from flowdsl.views.controls import Controls
from flowdsl.views.live import LiveView
from flowdsl.views.static import BUDGET
from tests.views.samples import batches, begun, fan, small, started, story, succeeded

pytest.importorskip("IPython")
widgets = pytest.importorskip("ipywidgets")


class Handle:
    """A display handle that keeps what it was given."""

    def __init__(self) -> None:
        self.updates: List[Any] = []

    def update(self, data: Any, raw: bool = False) -> None:
        self.updates.append(data)


class Stage:
    """A view on a run, with a clock that is moved by hand and everything that it sends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, graph: Any, **more: Any) -> None:
        self.now = 1_700_000_000.0
        self.run = Snapshot()
        self.shown: List[Any] = []
        self.handle = Handle()
        self.again: List[Tuple[float, Callable[[], None]]] = []
        self.sent: List[Dict[str, Any]] = []
        monkeypatch.setattr("IPython.display.display", self.display)
        monkeypatch.setattr(widgets.Widget, "send_state", self.send_state)
        timing = {"clock": lambda: self.now, "timer": lambda: self.now, "cost": lambda: 0.0, "later": self.later}
        self.view = LiveView(graph, lambda: self.run, **{**timing, **more})

    def display(self, data: Any, **_: Any) -> Handle:
        self.shown.append(data)
        return self.handle

    def send_state(self, key: Any = None) -> None:
        self.sent.append({"at": self.now, "key": key})

    def later(self, delay: float, act: Callable[[], None]) -> None:
        self.again.append((delay, act))

    def play(self, steps: List[Batch]) -> None:
        for batch in steps:
            self.now = batch.at
            self.run.apply(batch)
            self.view.paint()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stage]:
    return lambda graph, **more: Stage(monkeypatch, graph, **more)


def test_a_run_is_a_box_of_widgets_while_it_lives_and_static_html_in_the_end(stage: Callable[..., Stage]) -> None:
    here = stage(small())
    here.view.open()
    here.play(story())
    (data,) = here.handle.updates
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == here.view._surface._box.model_id
    assert "still going on when this notebook was saved" in data["text/html"]
    here.view.close()
    assert here.view.fault is None
    assert sorted(here.handle.updates[-1]) == ["text/html", "text/plain"]
    assert "upstream failed" in here.handle.updates[-1]["text/plain"]


def test_the_box_has_a_bar_the_graph_what_runs_and_what_failed(stage: Callable[..., Stage]) -> None:
    here = stage(small())
    here.view.open()
    here.play(story()[:-3])
    here.now += 1
    here.view.paint()
    parts = here.view._surface
    assert (parts._bar.value, parts._bar.max) == (2, 4)
    assert bytes(parts._image.value).startswith(b"<svg")
    assert ">clean</td>" in parts._table.value
    assert "dep_tme" in parts._news.value


def test_no_widget_is_left_behind(stage: Callable[..., Stage]) -> None:
    here = stage(small())
    before = set(live_widgets())
    here.view.open()
    here.play(story())
    assert set(live_widgets()) - before
    here.view.close()
    assert set(live_widgets()) - before == set()


def live_widgets() -> Any:
    from ipywidgets.widgets import widget

    return widget._instances


def test_the_end_is_sent_twice(stage: Callable[..., Stage]) -> None:
    here = stage(small())
    here.view.open()
    here.play(story())
    here.view.close()
    ((delay, act),) = here.again
    last = here.handle.updates[-1]
    act()
    assert delay == pytest.approx(0.3)
    assert here.handle.updates[-2:] == [last, last]


def test_a_short_run_needs_no_widgets(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    here = stage(small())
    here.view.open()
    for _ in range(10):
        here.now += 0.02
        here.view.paint()
    here.view.close()
    assert here.view.fault is None
    assert len(here.handle.updates) == 1


def test_ten_thousand_changes_from_four_threads_are_few_messages(stage: Callable[..., Stage]) -> None:
    graph = fan(2500)
    here = stage(graph)
    here.view.open()
    steps = [step for n in range(2500) for step in (*started(f"load_{n}", n / 1000), succeeded(f"load_{n}", n / 1000))]
    changes = iter(batches(*begun(graph), *steps))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                batch = next(changes, None)
                if batch is None:
                    return
                here.now = max(here.now, batch.at)
                here.run.apply(batch)
            here.view.paint()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 2.5 seconds of the run's time at 5 Hz, and no paint is more than one message a part.
    assert here.view.fault is None
    assert 1 <= len({message["at"] for message in here.sent}) <= 14
    assert len(here.sent) <= 14 * 9
    here.now += 1
    here.view.paint()
    assert here.view._surface._bar.value == 2500


def test_what_did_not_change_is_not_sent(stage: Callable[..., Stage]) -> None:
    here = stage(small())
    here.view.open()
    here.play(story()[:12])
    here.now += 10
    here.view.paint()
    before = len(here.sent)
    here.now += 0.3
    here.view.paint()
    assert len(here.sent) == before


def test_a_costly_paint_makes_the_next_one_wait(stage: Callable[..., Stage]) -> None:
    spent = [0.0]

    def cost() -> float:
        spent[0] += 0.05
        return spent[0]

    here = stage(small(), cost=cost)
    here.view.open()
    here.play(story())
    assert here.view.interval == pytest.approx(1.25)


def test_the_first_picture_is_part_of_the_first_paint_and_its_cost(stage: Callable[..., Stage]) -> None:
    spent = [0.0]
    here = stage(small(), cost=lambda: spent[0])
    make = here.view._maker.make

    def costly(*arguments: Any) -> Any:
        spent[0] += 0.1
        return make(*arguments)

    here.view._maker.make = costly  # type: ignore[method-assign]
    here.view.open()
    here.play(story()[:4])
    here.now += 1
    here.view.paint()
    assert (spent[0], here.view.interval) == (pytest.approx(0.1), pytest.approx(2.5))


def test_each_paint_keeps_its_budget(stage: Callable[..., Stage]) -> None:
    here = stage(fan(149))
    here.view.open()
    steps = [step for n in range(149) for step in started(f"load_{n}", 1 + n)]
    here.play(batches(*begun(fan(149)), *steps))
    parts = here.view._surface
    texts = [parts._headline, parts._table, parts._news, parts._count]
    assert sum(len(part.value.encode()) for part in texts) + len(parts._image.value) <= BUDGET


def test_without_ipywidgets_it_is_html_of_the_same(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    here = stage(small())
    here.view.open()
    here.play(story())
    here.view.close()
    assert here.view.fault is None
    htmls = [update["text/html"] for update in here.handle.updates]
    assert "2 of 4 done" in htmls[-3]
    assert "data:image/svg+xml;base64," in htmls[-3]
    assert max(map(len, htmls)) <= BUDGET


def test_there_is_a_button_only_where_it_can_cancel(stage: Callable[..., Stage]) -> None:
    cancelled: List[int] = []
    for cancel in (None, lambda: cancelled.append(1)):
        here = stage(small(), controls=Controls(cancel))
        here.view.open()
        here.play(story()[:12])
        buttons = [part for part in here.view._surface._box.children[0].children if isinstance(part, widgets.Button)]
        assert len(buttons) == (0 if cancel is None else 1)
        for button in buttons:
            button.click()
            assert button.disabled
        here.view.close()
    assert cancelled == [1]


def test_without_a_kernel_nothing_breaks() -> None:
    now = [0.0]
    run = fold(story())
    view = LiveView(small(), lambda: run, clock=lambda: now[0], timer=lambda: now[0], later=lambda *_: None)
    view.open()
    now[0] = 1.0
    view.paint()
    view.close()
    assert view.fault is None


def test_without_ipython_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    view = LiveView(small(), lambda: fold(story()))
    view.open()
    view.paint()
    view.close()
    assert isinstance(view.fault, ImportError)


@pytest.mark.parametrize("method", ["open", "paint", "close"])
def test_a_display_that_fails_never_reaches_the_run(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise OSError("the kernel is gone")

    here = stage(small())
    if method == "open":
        monkeypatch.setattr("IPython.display.display", broken)
    elif method == "paint":
        monkeypatch.setattr(live, "surface", broken)
    here.view.open()
    here.play(story())
    monkeypatch.setattr(here.handle, "update", broken)
    here.view.close()
    assert isinstance(here.view.fault, OSError)


def test_the_second_sending_may_fail(stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch) -> None:
    here = stage(small())
    here.view.open()
    here.view.close()
    monkeypatch.setattr(here.handle, "update", lambda *_, **__: 1 / 0)
    ((_, act),) = here.again
    act()
    assert here.view.fault is None
