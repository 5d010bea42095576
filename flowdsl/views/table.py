"""The table of tasks beside the picture: plain HTML with inline styles, which a page that trusts nobody keeps too."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, cast

from flowdsl.engine import states as st
from flowdsl.settings import options
from flowdsl.views.escape import esc, shorten
from flowdsl.views.palette import GREY, INK, Look, by_weight, counts_text, look
from flowdsl.views.rank import blamed
from flowdsl.views.times import duration
from flowdsl.views.users_line import users_line
from flowdsl.views.watch import error_line

__all__ = ["counts_of", "html_table", "items_of", "more", "pill", "rows_of", "states_of", "table_html"]

MOST_ROWS = 30
_ERROR, _NAME = 240, 60  # columns
_LONG = 24  # characters of a cell that should not be squeezed
_CELL = "text-align:left;vertical-align:top;padding:3px 12px 3px 0;white-space:{};border:none;"


def table_html(snapshot: Any, limit: int = MOST_ROWS) -> str:
    """The tasks of a run, one a row: state, attempts, waiting, duration, worker, error.

    Beyond `limit` rows those that did not end well come first, then the slowest, and the rest is counted.
    """
    shown, left = _chosen(rows_of(snapshot), limit)
    heads = ("task", "state", "items", "attempts", "waited", "took", "worker", "error")
    items = items_of(snapshot)
    body = [_cells(row, items, snapshot) for row in shown]
    always = ("task", "state", "attempts") if options.stable_repr else ("task", "state", "attempts", "waited", "took")
    kept = [at for at, head in enumerate(heads) if head in always or any(cells[at] for cells in body)]
    return html_table([heads[at] for at in kept], [[cells[at] for at in kept] for cells in body]) + _rest(left)


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]], breaking: int = 1) -> str:
    """A table; the cells are HTML, the last `breaking` columns may break their lines. Heads may all be empty."""
    first = len(heads) - breaking
    styles = [_style(at >= first, any(len(row[at]) > _LONG for row in rows)) for at in range(len(heads))]
    head = "".join(
        f'<th style="{style}color:{GREY};font-weight:normal">{esc(text)}</th>' for text, style in zip(heads, styles)
    )
    body = "".join(
        "<tr>" + "".join(f'<td style="{style}">{cell}</td>' for cell, style in zip(row, styles)) + "</tr>"
        for row in rows
    )
    top = f"<tr>{head}</tr>" if any(heads) else ""
    return f'<table style="border-collapse:collapse;margin:4px 0;line-height:1.45">{top}{body}</table>'


def more(left: int, what: str) -> str:
    """A line of HTML that counts what was left out; "" for nothing."""
    return f'<div style="color:{GREY}">and {left:,} more {what}</div>' if left > 0 else ""


def pill(how: Look) -> str:
    """A state: its icon and word on its fill."""
    style = f"background-color:{how.fill};color:{INK};padding:1px 8px;border-radius:8px;white-space:nowrap"
    return f'<span style="{style}">{esc(how.text)}</span>'


def _chosen(rows: List[Any], limit: int) -> Tuple[List[Any], List[Any]]:
    if len(rows) <= limit:
        return rows, []
    weight = {state: at for at, (state, _) in enumerate(by_weight(dict.fromkeys(st.TASK_STATES, 1)))}
    slow = 0.0 if options.stable_repr else 1.0
    rows = sorted(
        rows, key=lambda row: (min(weight.get(row.state, 0), weight[st.SUCCEEDED]), -slow * (row.duration_s or 0.0))
    )
    return rows[:limit], rows[limit:]


def _rest(left: Sequence[Any]) -> str:
    if not left:
        return ""
    counts: Dict[str, int] = {}
    for row in left:
        counts[row.state] = counts.get(row.state, 0) + 1
    return f'<div style="color:{GREY}">and {len(left):,} more: {esc(counts_text(counts))}</div>'


def _cells(row: Any, items: Mapping[str, str], snapshot: Any) -> Tuple[str, ...]:
    waited = None if row.started_at is None or row.queued_at is None else row.started_at - row.queued_at
    return (
        esc(shorten(row.name, _NAME)),
        pill(look(row.state, row.cause)),
        esc(items.get(row.name, "")),
        str(row.attempts) if row.attempts else "",
        esc(duration(waited)),
        esc(duration(_took(row))),
        "" if options.stable_repr else esc(shorten(row.worker or "", 24)),
        _error(row, snapshot),
    )


def _took(row: Any) -> Optional[float]:
    """The last attempt's duration; that of a mapped task is from its first item's begin to its last one's end."""
    if row.size is None or row.started_at is None or row.ended_at is None:
        return cast("Optional[float]", row.duration_s)
    return cast(float, row.ended_at - row.started_at)


def _error(row: Any, snapshot: Any) -> str:
    """What went wrong, and where in the user's code; for a task that never ran, because of whom."""
    guilty = blamed(row, snapshot)
    if row.size is not None and row.state in st.FAILED_ITSELF and guilty in snapshot.tasks:
        return f"first {esc(shorten(guilty, _NAME))}: {_error(snapshot.tasks[guilty], snapshot)}"
    if row.state in (st.UPSTREAM_FAILED, st.CANCELLED, st.SKIPPED) and guilty:
        return f'<span style="color:{GREY}">because of {esc(shorten(guilty, _NAME))}</span>'
    if row.state == st.SKIPPED:
        return esc(shorten(row.message, _ERROR))
    latest = row.latest
    if row.state in st.DONE_WELL or (latest is not None and latest.state == st.RUNNING):
        return ""
    text = (row.error or "") if latest is None else error_line(latest)
    where = "" if latest is None else users_line(latest.traceback)
    left = "; its thread was left behind and still runs" if row.abandoned else ""
    place = f'<br><span style="color:{GREY}">{esc(shorten(where, 120))}</span>' if where else ""
    return esc(shorten(text, _ERROR) + left) + place


def _style(breaks: bool, long: bool) -> str:
    """A column that may break keeps some width where it has much to say, else that of its longest word."""
    if breaks and long:
        return _CELL.format("normal;overflow-wrap:anywhere") + "min-width:13em;"
    return _CELL.format("normal" if breaks else "nowrap")


def rows_of(snapshot: Any) -> List[Any]:
    """The rows of the tasks as they were defined: a mapped task once, and none of its instances."""
    return [row for row in list(snapshot.tasks.values()) if getattr(row, "map_index", None) is None]


def states_of(snapshot: Any) -> Mapping[str, str]:
    """The state of every task, by name."""
    return {row.name: row.state for row in rows_of(snapshot)}


def counts_of(snapshot: Any) -> Mapping[str, int]:
    """How many tasks are in which state; a mapped task is one."""
    rows = rows_of(snapshot)
    return snapshot.counts if len(rows) == len(snapshot.tasks) else Counter(row.state for row in rows)


def items_of(snapshot: Any) -> Mapping[str, str]:
    """How far each mapped task is that has begun, by name: "120/200", and what failed of it.

    Items that were cancelled, or left open by a process that died, did not get anywhere.
    """
    sized = (row for row in rows_of(snapshot) if getattr(row, "size", None) is not None)
    return {row.name: _items(row) for row in sized}


def _items(row: Any) -> str:
    done = sum(row.items.get(state, 0) for state in st.TERMINAL - {st.CANCELLED, st.INTERRUPTED})
    bad = sum(row.items.get(state, 0) for state in st.FAILED_ITSELF)
    return f"{done:,}/{row.size:,}" + (f"  {look(st.FAILED).icon} {bad:,}" if bad else "")
