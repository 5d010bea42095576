"""The page on a run: whole, bounded, and in need of nothing."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List

import pytest

import flowdsl
from flowdsl.analysis.critical import critical_path
from flowdsl.analysis.timeline import timeline_frame
from flowdsl.analysis.utilisation import utilisation
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.report import _records
from flowdsl.views.report import Findings, report_html
from flowdsl.views.shape import shape_of
from flowdsl.views.timeline import timeline_svg
from tests.views.samples import batches, begun, ended, failed, small, started, story, succeeded, told


def findings(snapshot: Snapshot) -> Findings:
    path = critical_path(snapshot)
    svg = timeline_svg(timeline_frame(snapshot))
    return Findings(svg, _records(path[path.on_path]), _records(utilisation(snapshot)))


def nothing(task: str) -> str:
    raise LookupError(task)


def report(snapshot: Snapshot, output: Any = nothing) -> str:
    return report_html(shape_of(snapshot), snapshot, findings(snapshot), output)


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def sections(html: str) -> List[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def test_a_page_has_all_that_is_known_of_a_run() -> None:
    page = report(told(), {"clean": "40 rows read\n"}.get)
    assert sections(page) == [
        "Graph", "Failures", "Timeline", "Tasks", "Attempts that did not succeed", "Critical path", "Workers",
        "Inputs and environment",
    ]  # fmt: skip
    text = plain(page)
    assert "clean \u2717 failed after 2 attempts KeyError: &#x27;dep_tme&#x27;" in text
    assert "Traceback (most recent call last):" in text
    assert "what it printed last 40 rows read" in text
    assert "\u2298 upstream failed" in text


def test_a_page_needs_no_script_and_nothing_from_elsewhere() -> None:
    page = report(told())
    assert not re.search(r"<script|<link|<iframe|\bon\w+=|\bsrc=|href=|@import|url\(", page)
    assert set(re.findall(r"https?://[^\"' <]*", page)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in page


def test_a_page_is_light_or_dark_as_its_reader_is_and_can_be_printed() -> None:
    page = report(told())
    assert "prefers-color-scheme:dark" in page
    assert "@media print" in page


def test_what_a_task_printed_that_did_not_fail_is_folded() -> None:
    snapshot = told()
    next(one for one in snapshot.attempts if one.task == "audit").output_bytes = 3
    page = report(snapshot, lambda task: f"said by {task}")
    assert re.search(r"<details><summary>audit</summary><pre>said by audit</pre></details>", page)


def test_what_an_attempt_printed_that_nobody_saw_end_is_there_and_why_it_did_not_succeed() -> None:
    run = fold(batches(*begun(small()), *started("flights", 1)))
    run.interrupted()
    text = plain(report(run, {"flights": "half of it"}.get))
    assert "Output flights half of it" in text
    assert "flights 1 \u21af interrupted the process that drove the run is gone" in text


def test_the_end_of_a_long_output_and_of_a_long_traceback_is_kept() -> None:
    snapshot = fold(batches(*begun(small()), *started("clean", 1), failed("clean", 2, traceback="x\n" * 9000 + "END")))
    page = report(snapshot, lambda task: "y" * 10_000 + "LAST")
    assert "END</pre>" in page
    assert "LAST</pre>" in page
    assert "characters more)" in page
    assert len(page) < 60_000


@pytest.mark.parametrize("upto", range(0, 20, 3))
def test_a_run_has_a_page_at_every_moment(upto: int) -> None:
    snapshot = fold(story()[:upto])
    assert report(snapshot).endswith("</html>\n")
    snapshot.interrupted()
    assert "interrupted" in report(snapshot)


def test_a_log_that_describes_no_graph_has_a_page() -> None:
    loop = [
        Event("task_added", "a", 0, "", "pending", "added", detail={"upstream": ["b", "a"]}),
        Event("task_added", "b", 0, "", "pending", "added", detail={"upstream": ["a", 7, None]}),
    ]
    snapshot = fold([Batch(0, 1.0, tuple(loop))])
    assert "<h2>Tasks</h2>" in report_html(shape_of(snapshot), snapshot, Findings(), nothing)


def large(tasks: int) -> Snapshot:
    """Half of the tasks fail, with long errors and tracebacks."""
    steps: Dict[str, Any] = {"run_id": "r1", "flow": "large"}
    made = [Event("run_started", "", 0, "", "running", "started", detail=steps)]
    for n in range(tasks):
        name = f"task_{n}"
        above = {"upstream": [f"task_{n // 2}"]} if n else {}
        made.append(Event("task_added", name, 0, "", "pending", "added", detail=above))
        made += [event for _, event in started(name, 0, worker=f"thread-{n % 80}")]
        made.append((failed(name, 0, traceback="z" * 5000, error="e" * 900) if n % 2 else succeeded(name, 0))[1])
    made.append(ended(1)[1])
    return fold([Batch(at, 1_700_000_000.0 + at / 100, (event,)) for at, event in enumerate(made)])


def test_a_page_on_20_000_tasks_is_bounded() -> None:
    page = report(large(20_000), lambda task: "o" * 100_000)
    assert len(page.encode()) < 2_000_000
    assert "and 9,960 more failures" in page
    assert "and 19,700 more" in page


@pytest.fixture
def stable() -> Iterator[None]:
    flowdsl.options.stable_repr = True
    yield
    flowdsl.options.stable_repr = False


def test_a_stable_page_has_no_times_and_no_ids(stable: None) -> None:
    text = plain(report(told()))
    assert "r1" not in text
    assert not re.search(r"\d+(\.\d+)? (s|ms|min)\b|\d\d:\d\d", text)
