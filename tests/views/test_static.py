"""Pictures that last without a kernel."""

from __future__ import annotations

import re
from base64 import b64decode
from xml.etree import ElementTree

import pytest

from flowdsl.definition.graph import Graph
from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.views import static
from flowdsl.views.static import BUDGET, graph_bundle, image, run_bundle, run_html
from flowdsl.views.svg import root, size
from tests.views.samples import batches, begun, chain, failed, fan, graph_of, small, started, succeeded, told


def pictures(html: str) -> list:
    return [b64decode(data).decode() for data in re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', html)]


def test_a_run_is_a_picture_in_an_img_a_table_and_text() -> None:
    bundle = run_bundle(small(), told())
    assert sorted(bundle) == ["text/html", "text/plain"]
    (svg,) = pictures(bundle["text/html"])
    assert "\u2298 upstream failed" in "".join(ElementTree.fromstring(svg).itertext())
    assert bundle["text/html"].count("<table") == 1
    assert bundle["text/plain"].splitlines()[0] == "run r1: \u2717 failed in 3.2 s"
    assert bundle["text/plain"].splitlines()[-1] == "\u2717 clean: KeyError: 'dep_tme'"


def test_the_html_needs_nothing_that_an_untrusted_notebook_takes_away() -> None:
    html = run_html(small(), told())
    assert not re.search(r"<style|<svg|<script|class=|var\(|on\w+=", html)


def test_a_graph_is_a_picture_with_a_table_an_svg_and_text() -> None:
    bundle, metadata = graph_bundle(small())
    assert sorted(bundle) == ["image/svg+xml", "text/html", "text/plain"]
    assert pictures(bundle["text/html"]) == [bundle["image/svg+xml"]]
    assert bundle["text/html"].count("<table") == 1
    assert metadata == {}


def test_the_html_of_a_graph_needs_nothing_that_an_untrusted_notebook_takes_away() -> None:
    assert not re.search(r"<style|<svg|<script|class=|var\(|on\w+=", graph_bundle(small())[0]["text/html"])


def test_a_picture_that_would_become_too_small_to_read_scrolls() -> None:
    bundle, metadata = graph_bundle(chain(60))
    assert size(bundle["image/svg+xml"])[0] > 1600
    assert metadata == {"image/svg+xml": {"unconfined": True}}


def test_a_picture_shrinks_with_the_page_to_three_quarters() -> None:
    html = image(root(1000, 50, "", "x"))
    assert 'width="1000" height="50"' in html
    assert "max-width:100%;min-width:750px;height:auto" in html
    assert html.startswith('<div style="overflow-x:auto')


def heavy() -> tuple[Graph, Snapshot]:
    names = [f"{n:03d}" + "\u98db" * 190 for n in range(149)]
    graph = graph_of({name: names[max(0, n - 6) : n] for n, name in enumerate(names)})
    steps = [step for name in names for step in (*started(name, 1), failed(name, 2, error="\u98db" * 5000))]
    return graph, fold(batches(*begun(graph), *steps))


def test_an_output_never_outgrows_its_budget() -> None:
    html = run_html(*heavy())
    assert len(html.encode()) <= BUDGET
    assert pictures(html)


def test_a_picture_that_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static, "BUDGET", 3000)
    html = run_html(small(), told())
    assert pictures(html) == []
    assert "<table" in html


@pytest.mark.parametrize("thing", [None, object(), 3])
def test_no_repr_raises(thing: object) -> None:
    assert graph_bundle(thing)[0]["text/plain"]
    assert run_bundle(thing, thing)["text/plain"]
    assert run_bundle(small(), thing)["text/html"]
    assert run_bundle(thing, told())["text/html"]


def test_a_run_of_many_tasks_is_stacked() -> None:
    graph = fan(1000)
    run = fold(batches(*begun(graph), *started("load_1", 1), succeeded("load_1", 2)))
    (svg,) = pictures(run_html(graph, run))
    assert "load \u00d7 1,000" in svg
    assert "and 971 more" in run_html(graph, run)
