"""The picture of a queue's performance."""

from __future__ import annotations

from xml.etree import ElementTree

from flowdsl.views.performance import ActionTimes, Stretch, performance_svg
from tests.views.samples import NASTY, harmless


def test_long_times_are_written_out_and_fit_into_the_picture() -> None:
    svg = performance_svg([Stretch("now", 3, 1)], [ActionTimes("load", 2400.0, 29_600.0), ActionTimes("x", 0.01, 0.5)])
    texts = {one.text or "": one for one in ElementTree.fromstring(svg).iter() if one.tag.endswith("}text")}
    assert {"2,400 / 29,600 s", "0.01 / 0.5 s"} <= set(texts)
    assert max(float(one.get("x", "")) + 6.6 * len(text) for text, one in texts.items() if text.endswith(" s")) <= 760


def test_nothing_is_a_picture_too_and_names_are_escaped() -> None:
    ElementTree.fromstring(performance_svg([], []))
    assert harmless(performance_svg([Stretch("now", 0, 0)], [ActionTimes(NASTY, 0.0, 0.0)]))
