"""The view of a run that must show the same each time, beside the live one, which must leave the same behind."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, List

import pytest

import flowdsl
from flowdsl import Flow
from flowdsl.views.controls import Controls
from flowdsl.views.live import LiveView
from flowdsl.views.still import StillView
from tests.views.samples import small, told

pytest.importorskip("IPython")


class Handle:
    def __init__(self, shown: List[Any]) -> None:
        self.shown = shown

    def update(self, data: Any, raw: bool = False) -> None:
        self.shown.append(data)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """What is displayed, updates too."""
    found: List[Any] = []

    def display(data: Any, **more: Any) -> Any:
        found.append(data)
        return Handle(found) if more.get("display_id") else None

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(flowdsl.options, "stable_repr", True)
    return found


@pytest.mark.parametrize("stays", ["", "flow etl: started <here>"])
def test_one_display_and_a_live_view_leaves_the_same(stays: str, shown: List[Any]) -> None:
    controls = Controls(retry=lambda _: None, stays=stays)
    for view in (StillView(small(), told, controls), LiveView(small(), told, controls, later=lambda *_: None)):
        view.open()
        view.paint()
        view.close()
        view.close()
        assert view.fault is None
    still, *live = shown
    assert len(live) == 2
    assert live[-1] == still
    assert "\u2717 failed" in still["text/plain"] if not stays else "started &lt;here&gt;" in still["text/html"]


def test_a_display_that_fails_never_reaches_the_run(shown: List[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: 1 / 0)
    view = StillView(small(), told)
    view.open()
    view.paint()
    view.close()
    assert isinstance(view.fault, ZeroDivisionError)
    assert view.interval > 0


def test_who_has_waited_has_seen_the_end(monkeypatch: pytest.MonkeyPatch, log_dir: Path) -> None:
    shown: List[str] = []

    class Slow:
        def open(self) -> None: ...

        paint = open

        def close(self) -> None:
            time.sleep(0.3)
            shown.append("the end")

    monkeypatch.setattr("flowdsl.views.choose.choose_view", lambda *_: Slow())
    flow = Flow("etl", log_dir=log_dir)
    flow.task(name="quick")(lambda: 1)
    run = flow.start()
    assert run.wait() and shown == ["the end"]
    later = flow.start()
    while not later.done:
        time.sleep(0.001)
    assert later.wait(0)
    assert len(shown) == 1, "it waits no longer than it was asked to"
    later.wait()
