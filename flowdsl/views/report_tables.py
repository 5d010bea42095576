"""The tables of a run's report: attempts that came to nothing, the critical path, the workers, the environment."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence, Tuple

from flowdsl.definition.counted import counted
from flowdsl.engine import states as st
from flowdsl.settings import options
from flowdsl.views.escape import clean, esc, safe_str, shorten
from flowdsl.views.palette import GREY, look
from flowdsl.views.table import html_table, more, pill
from flowdsl.views.times import duration
from flowdsl.views.watch import error_line

__all__ = ["environment_html", "path_html", "retried_html", "workers_html"]

RETRIED, ROWS = 60, 15  # how many are spelt out


def retried_html(snapshot: Any) -> str:
    """Attempts that came to nothing, of tasks that succeeded too."""
    bad = [one for one in list(snapshot.attempts) if one.state in st.WENT_WRONG]
    if options.stable_repr:
        bad.sort(key=lambda one: (one.task, one.attempt))
    rows = [
        (
            esc(shorten(one.task, 60)),
            str(one.attempt),
            pill(look(one.state)),
            esc(duration(one.duration_s)),
            esc(shorten(error_line(one), 240)),
        )
        for one in bad[:RETRIED]
    ]
    table = html_table(("task", "attempt", "state", "took", "error"), rows) if rows else ""
    return table + more(len(bad) - RETRIED, "attempts")


def path_html(rows: Sequence[Mapping[str, Any]]) -> str:
    """The chain of tasks that made the run as long as it was, each with its share of the chain."""
    chain = [row for row in rows if row["on_path"]]
    length = sum(row["elapsed_s"] for row in chain)
    if options.stable_repr or not length:
        return ""
    longest = sorted(chain, key=lambda row: -row["elapsed_s"])[:ROWS]
    shown = [row for row in chain if row in longest]
    cells = [
        (esc(shorten(row["task"], 60)), duration(row["elapsed_s"]), f"{row['elapsed_s'] / length:.0%}") for row in shown
    ]
    what = f"the chain of {counted(len(chain), 'task')} that takes longest, {duration(length)} in all"
    head = f'<div style="color:{GREY}">{esc(what)}</div>'
    return head + html_table(("task", "took", "share"), cells) + more(len(chain) - len(shown), "shorter ones")


def workers_html(rows: Sequence[Mapping[str, Any]]) -> str:
    """How busy each worker was, the busiest first."""
    if options.stable_repr or not rows:
        return ""
    cells = [
        (
            esc(shorten(_known(row["worker"]) or "not known", 40)),
            f"{row['attempts']:,}",
            duration(row["busy_s"]),
            f"{row['share']:.0%}" if _known(row["share"]) is not None else "",
        )
        for row in rows[:ROWS]
    ]
    return html_table(("worker", "attempts", "busy", "share of the run"), cells) + more(len(rows) - ROWS, "workers")


def _known(value: Any) -> Any:
    """The value, or None for what a frame has for "not known"."""
    return None if value is None or value != value else value


def environment_html(snapshot: Any) -> str:
    """What the log says of the run itself; of the inputs it has the names only."""
    info = snapshot.info if isinstance(snapshot.info, Mapping) else {}
    kept = _SAID[: _SAID.index(_THIS_TIME)] if options.stable_repr else _SAID
    rows = [
        (esc(what), esc(shorten(_listed(info[key]), 400))) for key, what in kept if info.get(key) not in (None, [], {})
    ]
    if not options.stable_repr:
        rows.append(("run", esc(snapshot.run_id)))
    return html_table(("", ""), rows) if rows else ""


_THIS_TIME = ("host", "computer")
_SAID: List[Tuple[str, str]] = [
    ("inputs", "inputs given (their values are not in the log)"),
    ("targets", "targets"),
    ("executor", "executor"),
    ("max_workers", "workers at most"),
    ("on_failure", "after a failure"),
    ("limits", "named limits"),
    ("python", "Python"),
    ("flowdsl", "flowdsl"),
    _THIS_TIME,
    ("pid", "process"),
    ("file", "file"),
]


def _listed(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(key)}: {clean(one)}" for key, one in list(value.items())[:50])
    if isinstance(value, (list, tuple)):
        return ", ".join(clean(one) for one in value[:50])
    return safe_str(value)
