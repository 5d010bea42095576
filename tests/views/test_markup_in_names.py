"""Markup in every string that a user or a stranger's log can bring, through every view."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, List

import pytest

from flowdsl.analysis.timeline import timeline_frame
from flowdsl.definition.edge import Input
from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.views.cards import broken_flow_card, task_card
from flowdsl.views.details import details_html
from flowdsl.views.dot import render_svg
from flowdsl.views.drawing import drawing
from flowdsl.views.faces import faces
from flowdsl.views.layout import layered_svg
from flowdsl.views.live import LiveView
from flowdsl.views.report import Findings, report_html
from flowdsl.views.screen import ScreenMaker
from flowdsl.views.shape import shape_of
from flowdsl.views.static import graph_bundle, run_bundle
from flowdsl.views.svg import recolour
from flowdsl.views.table import table_html
from flowdsl.views.timeline import timeline_svg
from tests.views.samples import NASTY, PAYLOAD, batches, begun, failed, graph_of, harmless, started, succeeded

FORBIDDEN = re.compile(r"<title|\bon\w+=|href=|action=|\bsrc=(?!.data:image/svg)")
HOSTILE = [PAYLOAD, NASTY, "<svg onload=alert(1)>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)"]


def graph(hostile: str) -> Any:
    needs = {hostile: [], "b " + hostile: [hostile], "c": ["~b " + hostile]}
    return graph_of(
        needs,
        flow=hostile,
        inputs=[Input(hostile, True, hostile, ("c",))],
        paths={"b " + hostile: (hostile,)},
        functions=dict.fromkeys(needs, hostile),
        tags=dict.fromkeys(needs, hostile),
    )


def run(hostile: str) -> Snapshot:
    g = graph(hostile)
    traceback = f'  File "{hostile}", line 1, in {hostile}\n    {hostile}\n'
    told = {"worker": hostile, "error": hostile, "error_type": hostile, "traceback": traceback}
    steps = [
        *begun(g, hostile),
        *started(hostile, 1, worker=hostile),
        failed(hostile, 2, retry=True, **told),
        *started(hostile, 3, attempt=2, worker=hostile),
        failed(hostile, 4, attempt=2, **told),
        (4.0, Event("task_upstream_failed", "b " + hostile, 0, "pending", *["upstream_failed"] * 2, hostile)),
        *started("c", 4, worker=hostile),
        (5.0, Event("something_new", "new", 0, *[hostile] * 3, detail={"message": hostile, "error": hostile})),
    ]
    snapshot = fold(batches(*steps))
    snapshot.tasks["c"].progress, snapshot.tasks["c"].message = 0.5, hostile
    return snapshot


def opened(html: str) -> List[str]:
    """The HTML, and the pictures inside it."""
    return [html, *(b64decode(data).decode() for data in re.findall(r"base64,([A-Za-z0-9+/=]+)", html))]


def unquoted(tag: str) -> str:
    """A tag without what stands in quotes but for addresses."""
    return re.sub(r'(?<!src=)"[^"]*"', '""', tag)


def body_of(page: str) -> str:
    """A page without its head, which is ours but for the title."""
    return page.partition("<body>")[2] + re.findall("<title>(.*?)</title>", page, re.DOTALL)[0]


def everything(hostile: str) -> List[str]:
    g, snapshot = graph(hostile), run(hostile)
    shape = shape_of(snapshot)
    states = {name: row.state for name, row in snapshot.tasks.items()}
    screen = ScreenMaker(g).make(snapshot, 1_700_000_009.0)
    return [
        render_svg(g),
        render_svg(g, states),
        layered_svg(drawing(g), frozenset(["n0", "n1"])),
        layered_svg(drawing(g, 1)),
        graph_bundle(g)[0]["image/svg+xml"],
        *opened(run_bundle(g, snapshot)["text/html"]),
        table_html(snapshot),
        timeline_svg(timeline_frame(snapshot)),
        recolour(
            layered_svg(drawing(shape_of(snapshot)), frozenset(["n0"])), faces(drawing(shape_of(snapshot)), states)
        ),
        *opened(run_bundle(shape_of(snapshot), snapshot)["text/html"]),
        *opened(graph_bundle(g)[0]["text/html"]),
        details_html(g),
        task_card(g.tasks["c"], hostile, [hostile]),
        broken_flow_card(hostile, [hostile], 1, hostile),
        body_of(report_html(shape, snapshot, Findings(), lambda task: hostile)),
        screen.headline,
        screen.svg,
        screen.table,
        screen.news,
    ]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_markup_gets_out_of_any_picture(hostile: str) -> None:
    for made in everything(hostile):
        tags = [unquoted(tag) for tag in re.findall(r"<[^>]*>", made)]
        assert harmless("".join(tags))
        assert not [tag for tag in tags if FORBIDDEN.search(tag)]


def test_the_payload_is_there_as_text() -> None:
    shown = [made for made in everything(PAYLOAD) if "&lt;img src=x" in made]
    assert len(shown) >= 12


def test_widgets_get_escaped_text(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("IPython")
    pytest.importorskip("ipywidgets")
    shown: List[Any] = []

    class Handle:
        def update(self, data: Any, raw: bool = False) -> None:
            shown.append(data)

    def display(data: Any, **_: Any) -> Handle:
        shown.append(data)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    now = [0.0]
    view = LiveView(graph(PAYLOAD), lambda: run(PAYLOAD), timer=lambda: now[0], later=lambda *_: None)
    view.open()
    now[0] = 9.0
    view.paint()
    assert view.fault is None
    parts = view._surface
    values = [part.value for part in (parts._headline, parts._table, parts._news, parts._count)]
    values.append(bytes(parts._image.value).decode())
    assert all(map(harmless, values))
    assert sum("&lt;img" in value for value in values) == 4
    view.close()
    assert all(harmless(part) for data in (shown[0], shown[-1]) for part in opened(data["text/html"]))


def test_a_name_that_succeeds_is_no_different() -> None:
    g = graph_of({PAYLOAD: []})
    done = fold(batches(*begun(g), *started(PAYLOAD, 1), succeeded(PAYLOAD, 2)))
    assert all(map(harmless, opened(run_bundle(g, done)["text/html"])))
