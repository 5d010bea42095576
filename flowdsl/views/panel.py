"""All that there is to say of one task, as HTML: what went in, its attempts, output, error and source."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from flowdsl.engine import states as st
from flowdsl.views.escape import esc, shorten
from flowdsl.views.palette import GREY, look
from flowdsl.views.table import html_table, pill
from flowdsl.views.times import duration, steady
from flowdsl.views.watch import error_line

__all__ = ["Facts", "brief", "panel_html"]

_ATTEMPTS = 8  # the latest
_TEXT = 4000  # characters of output, traceback or source
_PRE = (
    "margin:2px 0 6px 0;padding:0;white-space:pre-wrap;line-height:1.35;font-size:12px;max-height:260px;overflow:auto"
)
_PLAIN = (type(None), bool, int, float, complex)


class Facts(NamedTuple):
    """What only the process that runs the task knows of it."""

    arguments: Sequence[Tuple[str, str]] = ()  # a parameter, and what it takes
    output: str = ""  # what it printed and logged so far
    source: str = ""
    place: str = ""  # where its source stands


def brief(value: Any) -> str:
    """A value in a few words, without asking a large or a strange object for its repr.

    >>> brief("jan.csv"), brief([1, 2, 3])
    ("'jan.csv'", 'list of 3')
    """
    kind, shape = type(value).__name__, getattr(type(value), "shape", None)
    if isinstance(value, int) and value.bit_length() > 128:
        return "%s of %s bits" % (kind, format(value.bit_length(), ","))
    if isinstance(value, _PLAIN):
        return shorten(repr(value), 60)
    if isinstance(value, (str, bytes)):
        return shorten(repr(value[:80]), 60) + ("" if len(value) <= 80 else " (%s)" % format(len(value), ","))
    try:
        if shape is not None:
            return "%s %s" % (kind, " \u00d7 ".join(str(n) for n in value.shape))
        return "%s of %s" % (kind, format(len(value), ","))
    except Exception:  # it has no length, or one that cannot be told
        return kind


def panel_html(snapshot: Any, name: str, facts: Facts, now: Optional[float] = None) -> str:
    """The panel of the task `name`; `now` (seconds since the epoch) is for what still runs."""
    row = snapshot.tasks.get(name)
    if row is None:
        return f'<div style="color:{GREY}">no task {esc(shorten(name, 60))}</div>'
    attempts = [attempt for attempt in snapshot.attempts if attempt.task == name]
    latest = row.latest
    bad = latest is not None and latest.state not in (st.RUNNING, st.SUCCEEDED)
    parts = [
        f"<div><b>{esc(shorten(name, 60))}</b> {pill(look(row.state, row.cause))} {esc(_why(row))}</div>",
        _section("takes", _arguments(facts.arguments)),
        _section("attempts", _attempts(attempts, now)),
        _section("error", _pre(latest.traceback or error_line(latest)) if bad else ""),
        _section("output so far" if row.state in st.OPEN else "output", _pre(facts.output)),
        _section(f"source, {facts.place}" if facts.place else "source", _pre(facts.source, tail=False)),
    ]
    return f'<div style="margin:4px 0;line-height:1.45;overflow-wrap:anywhere">{"".join(parts)}</div>'


def _why(row: Any) -> str:
    guilty = f", because of {shorten(row.cause_task, 60)}" if row.cause_task else ""
    return f"{st.CAUSES.get(row.cause, row.cause)}{guilty}"


def _section(title: str, html: str) -> str:
    return f'<div style="color:{GREY}">{esc(shorten(title, 120))}</div>{html}' if html else ""


def _arguments(arguments: Sequence[Tuple[str, str]]) -> str:
    lines = [f"{esc(shorten(name, 40))} = {esc(shorten(text, 120))}" for name, text in arguments[:20]]
    more = [f"and {len(arguments) - 20:,} more"] if len(arguments) > 20 else []
    return f'<div style="margin:0 0 6px 0">{"<br>".join([*lines, *more])}</div>' if lines else ""


def _attempts(attempts: List[Any], now: Optional[float]) -> str:
    shown = [_attempt(attempt, now) for attempt in attempts[-_ATTEMPTS:]]
    heads = ("attempt", "state", "took", "worker", "error")
    return html_table(heads, shown) if shown else ""


def _attempt(attempt: Any, now: Optional[float]) -> Tuple[str, ...]:
    took = duration(attempt.duration_s)
    if attempt.state == st.RUNNING and now is not None and attempt.started_at is not None:
        took = steady(now - attempt.started_at)
    error = error_line(attempt) if attempt.state not in (st.RUNNING, st.SUCCEEDED) else ""
    cells = (str(attempt.attempt), took, shorten(attempt.worker or "", 24), shorten(error, 160))
    number, took, worker, error = map(esc, cells)
    return number, pill(look(attempt.state)), took, worker, error


def _pre(text: str, tail: bool = True) -> str:
    """Lines of text, cut at the beginning or at the end, each of them escaped."""
    if not text.strip():
        return ""
    cut = text[-_TEXT:] if tail else text[:_TEXT]
    lines = [esc(line) for line in cut.expandtabs(4).splitlines()]
    mark = ["\u2026"] if len(cut) < len(text) else []
    return f'<pre style="{_PRE}">{chr(10).join([*mark, *lines] if tail else [*lines, *mark])}</pre>'
