"""A run as one page of HTML to send to somebody: pictures, failures, tables; no script, nothing from elsewhere."""

from __future__ import annotations

from typing import Any, Callable, Mapping, NamedTuple, Sequence

from flowdsl.engine import states as st
from flowdsl.settings import options
from flowdsl.views.dot import Picture
from flowdsl.views.drawing import FEW_BOXES, MANY_BOXES
from flowdsl.views.escape import clean_lines, esc, esc_lines, safe_str, shorten
from flowdsl.views.output import may_have_printed
from flowdsl.views.page import page
from flowdsl.views.palette import GREY, look
from flowdsl.views.report_tables import environment_html, path_html, retried_html, workers_html
from flowdsl.views.static import headline, least_width
from flowdsl.views.summary import shown_failures
from flowdsl.views.table import items_of, more, pill, states_of, table_html
from flowdsl.views.times import date_time

__all__ = ["Findings", "report_html"]

_FAILURES, _OUTPUTS, _TASKS = 40, 20, 300  # how many are spelt out
_TRACEBACK, _OUTPUT = 8000, 4000  # characters, the last ones
_TEXTS = 300_000  # characters of all tracebacks and outputs together
_PICTURE = 400_000  # bytes of the graph


class Findings(NamedTuple):
    """What the analysis says of a run: the picture of its attempts; rows of the critical path and of the workers."""

    timeline: str = ""
    path: Sequence[Mapping[str, Any]] = ()
    workers: Sequence[Mapping[str, Any]] = ()


class _Texts:
    """Tails of long texts, as long as there is room for more in the page."""

    def __init__(self) -> None:
        self._room = _TEXTS

    def tail(self, text: str, most: int) -> str:
        """The end of a text in a `<pre>`; "" for none."""
        text = clean_lines(text).strip("\n")
        most = min(most, self._room)
        if not text.strip() or not most:
            return ""
        kept = text[-most:]
        self._room -= len(kept)
        dots = f"\u2026 ({len(text) - len(kept):,} characters more)\n" if len(kept) < len(text) else ""
        return f"<pre>{dots}{esc_lines(kept)}</pre>"


def report_html(graph: Any, snapshot: Any, findings: Findings, output: Callable[[str], str]) -> str:
    """The page; `output` gives what a task printed, and may raise where that is not known."""
    texts = _Texts()
    sections = (
        ("", _head(snapshot)),
        ("Graph", _graph(graph, snapshot)),
        ("Failures", _failures(snapshot, output, texts)),
        ("Timeline", _wide(findings.timeline)),
        ("Tasks", table_html(snapshot, _TASKS)),
        ("Attempts that did not succeed", retried_html(snapshot)),
        ("Critical path", path_html(findings.path)),
        ("Workers", workers_html(findings.workers)),
        ("Output", _outputs(snapshot, output, texts)),
        ("Inputs and environment", environment_html(snapshot)),
    )
    body = "\n".join((f"<h2>{title}</h2>" if title else "") + content for title, content in sections if content)
    return page(f"flow {snapshot.flow}: {look(snapshot.state).word}", body)


def _head(snapshot: Any) -> str:
    began, ended = date_time(snapshot.started_at), date_time(snapshot.ended_at)
    since = f"began {began}" if began else ""
    until = f"ended {ended}" if ended else f"as of {date_time(snapshot.at)}" if began else ""
    told = snapshot.state not in (st.CANCELLED, st.INTERRUPTED)  # by the state itself
    why = "" if told else st.CAUSES.get(snapshot.cause, safe_str(snapshot.cause))
    line = " \u00b7 ".join(esc(text) for text in (why, since, until) if text)
    return f'<div>{headline(snapshot)}</div><div style="color:{GREY}">{line}</div>'


def _graph(graph: Any, snapshot: Any) -> str:
    states, items = states_of(snapshot), items_of(snapshot)
    for limit in (MANY_BOXES, FEW_BOXES):
        try:
            svg = Picture(graph, limit).svg(states, items)
        except Exception:  # a log of a stranger may describe no graph at all
            return ""
        if len(svg) <= _PICTURE:
            return _wide(svg)
    return ""


def _wide(svg: str) -> str:
    """A picture that shrinks with the page as far as it can be read, and scrolls beyond that; in the page itself, so
    that its names can be searched for."""
    if not svg:
        return ""
    style = f"max-width:100%;min-width:{least_width(svg)}px;height:auto"
    return f'<div class="wide">{svg.replace("<svg ", f"<svg style={chr(34)}{style}{chr(34)} ", 1)}</div>'


def _failures(snapshot: Any, output: Callable[[str], str], texts: _Texts) -> str:
    found = shown_failures(snapshot)
    parts = [_failure(one, output, texts) for one in found[:_FAILURES]]
    return "".join(parts) + more(len(found) - _FAILURES, "failures")


def _failure(one: Any, output: Callable[[str], str], texts: _Texts) -> str:
    error = ": ".join(text for text in (one.error_type, one.error) if text) or st.CAUSES.get(one.cause, one.cause)
    tries = f" after {one.attempts} attempts" if one.attempts > 1 else ""
    head = f"<b>{esc(shorten(one.task, 80))}</b> {pill(look(one.state))}{tries} {esc(shorten(error, 300))}"
    printed = texts.tail(_asked(output, one.task), _OUTPUT)
    said = f'<div style="color:{GREY}">what it printed last</div>{printed}' if printed else ""
    head = f'<div style="overflow-wrap:anywhere">{head}</div>'
    return f'<div style="margin:10px 0">{head}{texts.tail(one.traceback or "", _TRACEBACK)}{said}</div>'


def _asked(output: Callable[[str], str], task: str) -> str:
    try:
        return safe_str(output(task))
    except Exception:  # it was not captured, or it is gone
        return ""


def _outputs(snapshot: Any, output: Callable[[str], str], texts: _Texts) -> str:
    """What tasks printed that did not fail, folded."""
    failed = {one.task for one in shown_failures(snapshot)}
    attempts = list(snapshot.attempts)
    wrote = dict.fromkeys(one.task for one in attempts if may_have_printed(one) and one.task not in failed)
    if options.stable_repr:
        wrote = dict.fromkeys(sorted(wrote))
    printed = [(name, texts.tail(_asked(output, name), _OUTPUT)) for name in list(wrote)[:_OUTPUTS]]
    parts = [f"<details><summary>{esc(shorten(name, 80))}</summary>{text}</details>" for name, text in printed if text]
    return "".join(parts) + (more(len(wrote) - _OUTPUTS, "tasks that printed something") if parts else "")
