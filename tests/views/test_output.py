"""The ends of outputs as cells and terminals show them: escaped, bounded, the failed ones first."""

from __future__ import annotations

from typing import Dict, List, Tuple

from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.views.output import ROOM, failed_output, output_html, running_output_html
from flowdsl.views.static import BUDGET, run_bundle
from flowdsl.views.watch import running
from tests.engine.test_snapshot import added, as_batches, ready, run_started, started


class Tails:
    """Outputs in memory, and what was asked for."""

    def __init__(self, **outputs: str) -> None:
        self.outputs = outputs
        self.asked: List[Tuple[str, int, int]] = []

    def __call__(self, task: str, attempt: int, limit: int) -> str:
        self.asked.append((task, attempt, limit))
        return self.outputs.get(task, "")[-limit:]


def snapshot_of(states: Dict[str, str], printed: int = 10) -> Snapshot:
    """A run with a task in each of these states, each of which printed, if it has ended."""
    events: List[Event] = [run_started()]
    for name, state in states.items():
        events += [added(name), ready(name), started(name)]
        cause = {"succeeded": "returned", "failed": "raised"}.get(state, "")
        if cause:
            detail = {"output_bytes": printed} if printed else None
            events.append(Event("attempt_" + state, name, 1, "running", state, cause, detail=detail))
    return fold(as_batches(*events))


def test_failed_tasks_come_first_and_unfolded() -> None:
    tails = Tails(a="fine\n", b="and then?\n")
    html = output_html(snapshot_of({"a": "succeeded", "b": "failed", "c": "failed"}), tails)
    assert html.index("<details open><summary>") < html.index("and then?") < html.index("<details><summary>")
    assert html.index("<details><summary>output of a</summary>") < html.index("fine")
    assert html.count("<pre") == 2


def test_nothing_is_read_of_tasks_that_printed_nothing() -> None:
    tails = Tails(a="never asked for")
    assert output_html(snapshot_of({"a": "succeeded", "b": "running"}, printed=0), tails) == ""
    assert tails.asked == []
    assert output_html(snapshot_of({"a": "succeeded"}), None) == ""


def test_what_a_task_prints_is_text_and_nothing_else() -> None:
    evil = "<script>alert(1)</script></pre>\x1b[31mred\x1b[0m\u202e\n\ttab & 'quote' \"\n10%\r99%\r\n\n\n"
    html = output_html(snapshot_of({"a": "succeeded"}), Tails(a=evil))
    assert "<script" not in html
    assert html.count("</pre>") == 1
    lines = html.partition('1.35">')[2].partition("</pre>")[0].split("\n")
    assert lines == [
        "&lt;script&gt;alert(1)&lt;/script&gt;&lt;/pre&gt;red",
        "    tab &amp; &#x27;quote&#x27; &quot;",
        "99%",
    ]


def test_all_outputs_together_stay_within_their_room_and_the_last_lines_are_kept() -> None:
    names = ["t%d" % number for number in range(50)]
    tails = Tails(**{name: "<&>" * 30_000 + "\n" + "<&>\n" * 30_000 + "last of %s\n" % name for name in names})
    html = output_html(snapshot_of(dict.fromkeys(names, "failed")), tails)
    assert len(html.encode()) <= ROOM + 200
    assert "last of t0" in html
    assert "and 30 more that printed" in html
    assert "\u2026" in html
    one = output_html(snapshot_of({"t0": "failed"}), tails)
    assert ROOM / 2 < len(one.encode()) <= ROOM


def test_a_page_with_outputs_stays_within_its_budget_and_keeps_its_picture() -> None:
    from flowdsl import Flow

    flow = Flow("f")
    names = ["t%d" % number for number in range(60)]
    for name in names:
        flow.task(name=name)(lambda: None)
    tails = Tails(**dict.fromkeys(names, "x" * 100_000))
    html = run_bundle(flow.graph(), snapshot_of(dict.fromkeys(names, "failed")), tails)["text/html"]
    assert len(html.encode()) <= BUDGET
    assert "<img" in html
    assert "<details open>" in html


def test_of_running_tasks_the_last_lines_are_shown() -> None:
    snapshot = snapshot_of(dict.fromkeys("abcde", "running"))
    text = "".join("line %d\n" % number for number in range(100))
    tails = Tails(a=text, b="", c="<c>", d="d", e="e")
    html = running_output_html(running(snapshot), tails)
    assert "line 94" not in html
    assert html.count("<pre") == 3
    assert "line 95\nline 96\nline 97\nline 98\nline 99</pre>" in html
    assert "&lt;c&gt;" in html
    assert all(limit <= 2048 for _, _, limit in tails.asked)


def test_a_terminal_is_told_the_last_lines_of_what_failed() -> None:
    snapshot = snapshot_of({"a": "succeeded", "b": "failed"})
    text = "".join("line %d\n" % number for number in range(12)) + "\x1b[2Jgone\n"
    lines = failed_output(snapshot, Tails(a="fine", b=text))
    assert lines == ["output of b:", *("  | line %d" % number for number in range(3, 12)), "  | gone"]
    assert failed_output(snapshot, None) == []
