"""The timeline."""

from __future__ import annotations

import re
from typing import Any, Dict, List
from xml.etree import ElementTree

import pytest

from flowdsl.views.timeline import timeline_svg
from tests.views.samples import NASTY, harmless


def row(task: str, start: float, end: float, **more: Any) -> Dict[str, Any]:
    usual = {"attempt": 1, "state": "succeeded", "worker": "thread-1", "queued_s": start}
    return {"task": task, "start_s": start, "end_s": end, **usual, **more}


def words(svg: str) -> List[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]


def bars(svg: str) -> int:
    return len(re.findall(r'<rect [^>]*height="18"', svg))


def test_every_attempt_is_a_bar_with_its_name_and_every_worker_a_lane() -> None:
    svg = timeline_svg([row("flights", 0, 3), row("clean", 3, 6, worker="thread-2")])
    assert bars(svg) == 2
    assert {"flights", "clean", "thread-1", "thread-2", "\u2713 succeeded (2)"} <= set(words(svg))


def test_a_failure_has_its_icon_and_its_word() -> None:
    assert "\u2717 failed: clean" in words(timeline_svg([row("clean", 0, 3, state="failed")]))


def test_a_failure_too_short_for_words_keeps_its_icon_and_the_legend_has_the_word() -> None:
    found = words(timeline_svg([row("a", 0, 0.001, state="failed"), row("b", 0, 100, worker="w2")]))
    assert "\u2717" in found
    assert "\u2717 failed (1)" in found


def test_a_retry_is_tied_to_the_attempt_before_it() -> None:
    one = timeline_svg([row("a", 0, 1, state="failed"), row("b", 3, 4)])
    two = timeline_svg([row("a", 0, 1, state="failed"), row("a", 3, 4, attempt=2)])
    assert (one.count("stroke-dasharray"), two.count("stroke-dasharray")) == (0, 1)
    assert "a #2" in words(two)


def test_waiting_is_a_thin_line_before_the_bar() -> None:
    lines = [len(re.findall("<path", timeline_svg([row("a", 5, 9, queued_s=queued)]))) for queued in (5, 1)]
    assert lines[1] == lines[0] + 1


def test_the_axis_is_in_seconds() -> None:
    assert [word for word in words(timeline_svg([row("a", 0, 3.7)])) if word.endswith(" s")] == [
        "0.0 s", "0.5 s", "1.0 s", "1.5 s", "2.0 s", "2.5 s", "3.0 s", "3.5 s",
    ]  # fmt: skip


def test_the_number_of_bars_is_bounded_and_what_is_left_out_is_said() -> None:
    svg = timeline_svg([row(f"t{n}", n, n + 1, state="failed" if n == 7 else "succeeded") for n in range(5000)])
    assert bars(svg) == 1000
    assert any("4,000 attempts are not drawn" in word for word in words(svg))
    assert "\u2717" in words(svg)
    assert len(svg) < 1_000_000


def test_a_loop_that_runs_thousands_at_once_has_a_bounded_height() -> None:
    svg = timeline_svg([row(f"t{n}", 0, 10, worker="loop") for n in range(3000)])
    assert float(ElementTree.fromstring(svg).get("height", "")) < 2000
    assert any("2,940 attempts are not drawn" in word for word in words(svg))


def test_a_run_without_attempts_is_a_picture_too() -> None:
    assert "no attempts" in words(timeline_svg([]))


@pytest.mark.parametrize("end", [0.0, 1e-9, 1e9])
def test_any_length_of_time_fits(end: float) -> None:
    svg = timeline_svg([row("a", 0, end)])
    assert "nan" not in svg
    assert max(float(x) for x in re.findall(r' x="([-\d.]+)"', svg)) <= 1000


def test_names_are_escaped() -> None:
    svg = timeline_svg([row(NASTY, 0, 10, worker=NASTY, state=NASTY), row(NASTY, 11, 20, attempt=2)])
    assert harmless(svg)
    assert "&lt;img" in svg
    ElementTree.fromstring(svg)


def test_a_legend_of_many_states_takes_a_second_row() -> None:
    states = ["succeeded", "failed", "timed_out", "interrupted", "running", "cancelled", "skipped"]
    svg = timeline_svg([row("t%d" % n, n, n + 1, state=state) for n, state in enumerate(states * 300)])
    picture = ElementTree.fromstring(svg)
    texts = {one.text or "": one for one in picture.iter() if one.tag.endswith("}text")}
    told = next(one for text, one in texts.items() if "are not drawn" in text)
    assert float(told.get("x", "")) + 6.6 * len(told.text or "") <= 1000
    assert (
        float(texts["\u2717 failed (300)"].get("y", "")) < float(told.get("y", "")) < float(picture.get("height", ""))
    )
