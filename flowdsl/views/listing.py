"""Rows of past runs as aligned text for a terminal: times in local time, durations to read, strings on one line."""

from __future__ import annotations

from datetime import datetime
from typing import Any, List, Mapping, Sequence

from flowdsl.engine.failures import Failure
from flowdsl.views.escape import clean, columns, shorten
from flowdsl.views.summary import failure_lines
from flowdsl.views.times import duration

__all__ = ["LISTINGS", "failures_text", "listing"]

# What a terminal has room for, of each frame.
LISTINGS: Mapping[str, Sequence[str]] = {
    "runs": ("run_id", "flow", "state", "started_at", "duration_s", "tasks", "failed"),
    "tasks": ("task", "state", "cause", "cause_task", "attempts", "wait_s", "duration_s", "error"),
    "attempts": ("task", "attempt", "state", "cause", "mechanism", "wait_s", "duration_s", "worker", "error"),
    "events": ("seq", "at", "task", "attempt", "event", "state", "cause"),
}
_NUMBERS = frozenset(("duration_s", "wait_s", "tasks", "failed", "attempts", "attempt", "seq"))
_LONGEST = 60  # columns of one value


def listing(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """`rows` as text, one line each below a heading; columns without any value are left out, "" for no rows.

    A missing value is None. Times are datetimes, durations seconds.
    """
    kept = [name for name in names if any(row[name] is not None for row in rows)]
    table = [[_heading(name) for name in kept], *([_text(name, row[name]) for name in kept] for row in rows)]
    widths = [max(columns(line[at]) for line in table) for at in range(len(kept))]
    return "\n".join(_line(line, kept, widths) for line in table) if rows else ""


def _heading(name: str) -> str:
    return {"started_at": "started", "duration_s": "duration", "wait_s": "waited", "run_id": "run"}.get(name, name)


def _line(cells: Sequence[str], names: Sequence[str], widths: Sequence[int]) -> str:
    padded: List[str] = []
    for cell, name, width in zip(cells, names, widths):
        pad = " " * (width - columns(cell))
        padded.append(pad + cell if name in _NUMBERS else cell + pad)
    return "  ".join(padded).rstrip()


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = datetime.fromtimestamp(value.timestamp())
        return local.strftime("%H:%M:%S.%f" if name == "at" else "%Y-%m-%d %H:%M:%S")
    if name.endswith("_s"):
        return duration(value)
    return clean(value) if name == "run_id" else shorten(value, _LONGEST)


def failures_text(run_id: str, found: Sequence[Failure]) -> str:
    """The failures of one run as text, each with its traceback."""
    lines: List[str] = []
    for one in found:
        lines.append("%s  %s" % (clean(run_id), failure_lines(one)[0]))
        lines += ["    " + clean(line) for line in (one.traceback or "").rstrip().splitlines()]
    return "\n".join(lines)
