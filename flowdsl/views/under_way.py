"""The table of what is under way: what runs, for how long, how far it is, and what waits to be tried again."""

from __future__ import annotations

from typing import Any, List, Tuple

from flowdsl.engine import states as st
from flowdsl.views.escape import esc, shorten
from flowdsl.views.palette import counts_text, look
from flowdsl.views.table import html_table, more, pill
from flowdsl.views.times import steady
from flowdsl.views.watch import running

__all__ = ["under_way"]

_ROWS = 10
_BAR = 10  # characters


def under_way(snapshot: Any, now: float) -> str:
    """A table of what runs, longest first, then of what waits for its next attempt, soonest first; "" for nothing."""
    rows = running(snapshot)
    waiting = _waiting(snapshot)
    body = [_running_cells(row, now) for row in rows[:_ROWS]]
    body += [_waiting_cells(row, now) for row in waiting[: max(2, _ROWS - len(body))]]
    if not body:
        return ""
    width = 5 if any(cells[-1] for cells in body) else 4
    heads = ("running" if rows else "waiting", "attempt", "for", "worker", "progress")
    table = html_table(heads[:width], [cells[:width] for cells in body])
    return table + more(len(rows) + len(waiting) - len(body), "running or waiting")


def _waiting(snapshot: Any) -> List[Any]:
    if not snapshot.counts.get(st.RETRY_WAIT):
        return []
    rows = [row for row in list(snapshot.tasks.values()) if row.state == st.RETRY_WAIT and row.map_index is None]
    return sorted(rows, key=lambda row: row.retry_at or 0.0)


def _running_cells(row: Any, now: float) -> Tuple[str, ...]:
    if row.size is not None:
        return _mapped_cells(row, now)
    latest = row.latest
    began = row.started_at if latest is None else latest.started_at
    return (
        esc(shorten(row.name, 60)),
        _of(row.attempts, row.retries + 1),
        esc("" if began is None else steady(now - began)),
        esc(shorten(row.worker or "", 24)),
        esc(f"{_share(row.progress)} {shorten(row.message, 60)}".strip()),
    )


def _mapped_cells(row: Any, now: float) -> Tuple[str, ...]:
    """A mapped task: how many of its items are done, and in which states they are."""
    done = sum(row.items.get(state, 0) for state in st.TERMINAL)
    since = "" if row.started_at is None else steady(now - row.started_at)
    share = _share(done / row.size if row.size else 1.0)
    how = f"{share} {counts_text(row.items)}"
    return esc(shorten(row.name, 60)), f"{done:,} of {row.size:,} items", esc(since), "", esc(how)


def _waiting_cells(row: Any, now: float) -> Tuple[str, ...]:
    wait = "" if row.retry_at is None else f" in {steady(row.retry_at - now + 0.999)}"
    return esc(shorten(row.name, 60)), _of(row.attempts + 1, row.retries + 1), pill(look(row.state)) + esc(wait), "", ""


def _of(attempt: int, most: int) -> str:
    return f"{attempt} of {most}" if most >= attempt > 0 and most > 1 else str(attempt)


def _share(progress: Any) -> str:
    """`0.5` as a short bar and a percentage."""
    if progress is None:
        return ""
    filled = int(_BAR * progress)
    return "\u2588" * filled + "\u2591" * (_BAR - filled) + f" {progress:.0%}"
