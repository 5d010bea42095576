"""The page on a flow in a real browser: a click on a box leads to its task, in light and in dark, wide and narrow."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, List

import pytest

from flowdsl import DocumentationOrchestrator, Flow

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@pytest.fixture
def target(log_dir: Path, tmp_path: Path) -> str:
    flow = Flow("etl", log_dir=log_dir)
    flow.task(name="<b>x")(lambda: [1, 2])
    for n in range(12):
        flow.task(name="task %d" % n, depends_on=["<b>x" if n == 0 else "task %d" % (n - 1)])(lambda: 1)
    flow.run(display=None)
    DocumentationOrchestrator(flow).generate(tmp_path / "etl.html")
    return (tmp_path / "etl.html").as_uri()


def test_a_click_on_a_box_leads_to_its_task(chromium: Any, shots: Path, target: str) -> None:
    for scheme, width in itertools.product(["light", "dark"], [1280, 420]):
        click(chromium, shots, target, scheme, width)


def click(chromium: Any, shots: Path, target: str, scheme: str, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    said: List[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(target)
    page.screenshot(path=shots / ("documentation %s %d.png" % (scheme, width)))
    page.locator("svg a", has_text="task 7").click()
    assert page.evaluate("document.querySelector(':target').innerText") == "task 7"
    assert 0 <= page.evaluate("document.querySelector(':target').getBoundingClientRect().top") < 400
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page itself scrolls sideways"
    assert page.locator("main h3").first.inner_text() == "<b>x" and said == []
    context.close()
