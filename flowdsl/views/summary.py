"""What a terminal says of a run that is over: how it ended, what failed and where, what was slow, where its log is."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from flowdsl.definition.counted import counted
from flowdsl.engine import states as st
from flowdsl.engine.failures import Failure, failures
from flowdsl.settings import options
from flowdsl.views.escape import columns, shorten
from flowdsl.views.palette import counts_text, look
from flowdsl.views.rank import ranks, rows_in_order
from flowdsl.views.times import duration, took
from flowdsl.views.users_line import users_line

__all__ = ["failure_lines", "result_text", "shown_failures", "summary"]

_WIDTH = 100  # columns of a result or a line of code
_ERROR = 300  # and of an error
_WORTH = 0.01  # seconds from which on a task may be called slow
_FAILED, _SLOW, _NAMED = 10, 3, 8  # how many of each are spelt out

Entry = Tuple[str, Sequence[str]]  # a heading, and the lines beside it


def summary(snapshot: Any, log_dir: str, results: Optional[Mapping[str, Any]] = None, *, headline: bool = True) -> str:
    """Lines of text on a finished run; `results` of tasks, by name, are shown too, long ones by their type.

    Without `headline` it goes on where a view has just said how the run ended.
    """
    entries: List[Entry] = [
        ("failed", _failed(snapshot)),
        *_without_result(snapshot),
        ("retried", _retried(snapshot)),
        ("slowest", _slowest(snapshot)),
        *((name, [result_text(value)]) for name, value in (results or {}).items()),
        ("log", [] if options.stable_repr else [log_dir]),
    ]
    shown = [(shorten(heading, 24), lines) for heading, lines in entries if lines]
    width = max((columns(heading) for heading, _ in shown), default=0)
    below = [line for entry in shown for line in _beside(*entry, width)]
    return "\n".join([_headline(snapshot), *below] if headline else below)


def _beside(heading: str, lines: Sequence[str], width: int) -> List[str]:
    pad = " " * (width - columns(heading))
    return ["  %s%s  %s" % (heading, pad, lines[0]), *("  %s  %s" % (" " * width, line) for line in lines[1:])]


def _headline(snapshot: Any) -> str:
    how = look(snapshot.state)
    how_long = took(snapshot)
    if snapshot.state == st.CANCELLED:
        how_long += " (%s)" % st.CAUSES.get(snapshot.cause, snapshot.cause)
    tasks, attempts = len(snapshot.tasks), len(snapshot.attempts)
    counts = counts_text(snapshot.counts) or "nothing"
    return "%s%s: %s of %s; %s" % (how.text, how_long, counts, counted(tasks, "task"), counted(attempts, "attempt"))


def _failed(snapshot: Any) -> List[str]:
    found = shown_failures(snapshot)
    lines = [line for one in found[:_FAILED] for line in failure_lines(one)]
    return lines + (["and %s more" % format(len(found) - _FAILED, ",")] if len(found) > _FAILED else [])


def shown_failures(snapshot: Any) -> Sequence[Failure]:
    """The failures in the order of their ends, or of the tasks where the order must be the same each time."""
    found = failures(snapshot)
    if not options.stable_repr:
        return found
    order = ranks(snapshot)
    return sorted(found, key=lambda one: order[one.task])


def failure_lines(one: Failure) -> List[str]:
    """What failed and why; then the line of the user's code, where it is known."""
    error = ": ".join(text for text in (one.error_type, one.error) if text)
    tries = ", %d attempts" % one.attempts if one.attempts > 1 else ""
    state = look(one.state).word if one.state != st.FAILED else ""
    what = ", ".join(part for part in (state, tries.strip(", ")) if part)
    lines = [shorten("%s%s: %s" % (one.task, " (%s)" % what if what else "", error or one.cause), _ERROR)]
    place = users_line(one.traceback)
    return [*lines, "  " + shorten(place, _WIDTH)] if place else lines


def _without_result(snapshot: Any) -> List[Entry]:
    """The tasks that have no result though they did not fail; what has begun is told from what has not."""
    found: Dict[str, List[str]] = {}
    for row in rows_in_order(snapshot):
        if row.state in (st.UPSTREAM_FAILED, st.CANCELLED, st.SKIPPED, st.INTERRUPTED):
            found.setdefault(look(row.state).word if row.attempts else "not run", []).append(row.name)
    return [(heading, [_names(found[heading])]) for heading in sorted(found, key="not run".__eq__)]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(shorten(name, 30) for name in names[:_NAMED])
    return shown + (" and %s more" % format(len(names) - _NAMED, ",") if len(names) > _NAMED else "")


def _retried(snapshot: Any) -> List[str]:
    again = [row for row in rows_in_order(snapshot) if row.attempts > 1]
    return [_names(["%s (%d attempts)" % (row.name, row.attempts) for row in again])] if again else []


def _slowest(snapshot: Any) -> List[str]:
    longest: Dict[str, float] = {}  # the longest attempt of each task
    for attempt in snapshot.attempts:
        if attempt.started_at is not None and attempt.ended_at is not None:
            took = attempt.ended_at - attempt.started_at
            longest[attempt.task] = max(took, longest.get(attempt.task, 0.0))
    if options.stable_repr:
        return []
    slow = sorted((name for name in longest if longest[name] >= _WORTH), key=lambda name: -longest[name])[:_SLOW]
    return [", ".join("%s %s" % (shorten(name, 30), duration(longest[name])) for name in slow)] if slow else []


def result_text(value: Any) -> str:
    """A result in one line: short ones in full, a table by its shape, others by their type."""
    kind, shape = type(value).__name__, getattr(value, "shape", None)
    if hasattr(value, "__fspath__"):
        return shorten(value.__fspath__(), _WIDTH)
    if isinstance(shape, tuple) and shape:
        return "%s %s" % (kind, " \u00d7 ".join(str(n) for n in shape))
    text = value if isinstance(value, str) else _repr(value)
    return shorten(text, _WIDTH) if text and columns(text) <= 2 * _WIDTH else kind


def _repr(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        return ""
    return text
