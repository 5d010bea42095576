"""What tasks printed, as far as a cell shows it: the ends of their outputs, escaped, in a few kilobytes."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

from flowdsl.engine import states as st
from flowdsl.views.escape import clean, esc, shorten
from flowdsl.views.palette import GREY, INK, look
from flowdsl.views.rank import rows_in_order

__all__ = ["Tail", "failed_output", "may_have_printed", "output_html", "output_lines", "running_output_html"]

Tail = Callable[[str, int, int], str]  # (task, attempt, bytes) -> the end of that attempt's output; never raises

ROOM = 64 * 1024  # bytes of HTML that a cell gives to all outputs together
LEAST = 1024  # of them for one task
MOST = 20  # tasks that are shown
_RUNNING, _RUNNING_ROOM, _LINES = 3, 2048, 5  # tasks, bytes and lines of those that run
_TOLD, _TOLD_LINES = 5, 10  # failed tasks, and lines of each
_WIDTH = 400  # columns of a line
# A column that is filled from its end is scrolled to its end, where what counts stands.
_BOX = "display:flex;flex-direction:column-reverse;max-height:20em;overflow:auto;margin:2px 0 6px 0"
_PRE = "margin:0;white-space:pre-wrap;font-size:12px;line-height:1.35"


def output_html(snapshot: Any, tail: Optional[Tail], room: int = ROOM) -> str:
    """The ends of the outputs of the tasks that printed, those that failed first and unfolded; at most `room` bytes."""
    if tail is None:
        return ""
    shown = _with_output(snapshot)
    parts: List[str] = []
    for place, (row, attempt) in enumerate(shown[:MOST]):
        share = max(LEAST, room // (min(len(shown), MOST) - place))
        part = _block(row, attempt, tail, min(share, room))
        room -= len(part.encode())
        if room < 0:
            break
        parts.append(part)
    left = len(shown) - len(parts)
    more = f'<div style="color:{GREY}">and {left:,} more that printed: run.output(name)</div>' if left else ""
    return "".join(parts) + more


def running_output_html(rows: List[Any], tail: Optional[Tail]) -> str:
    """The last lines of what the tasks of these rows have printed so far."""
    found: List[str] = []
    for row in rows if tail is not None else ():
        lines = output_lines(row, tail, _LINES, _RUNNING_ROOM) if row.latest is not None else []
        if lines:
            text = _escaped(lines, _RUNNING_ROOM)
            found.append(f'<div style="color:{GREY}">{esc(shorten(row.name, 60))}</div>{_scrolled(text)}')
        if len(found) == _RUNNING:
            break
    return "".join(found)


def failed_output(snapshot: Any, tail: Optional[Tail]) -> List[str]:
    """For a terminal or a log: the last lines of the output of tasks that failed, few of each and of few."""
    lines: List[str] = []
    failed = [row for row in rows_in_order(snapshot) if row.state in st.WENT_WRONG]
    for row in failed[:_TOLD]:
        found = output_lines(row, tail, _TOLD_LINES)
        if found:
            lines += [f"output of {shorten(row.name, 60)}:", *("  | " + shorten(line, 160) for line in found)]
    return lines


def output_lines(row: Any, tail: Optional[Tail], most: int, room: int = 8192) -> List[str]:
    """The last lines of the output of a task's latest attempt, cleaned; none where it printed nothing."""
    if tail is None or row.latest is None:
        return []
    return _lines(tail(row.name, row.latest.attempt, room))[-most:]


def _with_output(snapshot: Any) -> List[Tuple[Any, Any]]:
    """The rows of tasks and their latest attempts that printed, the failed ones first."""
    rows = [row for row in rows_in_order(snapshot) if row.latest is not None and may_have_printed(row.latest)]
    rows.sort(key=lambda row: row.state not in st.WENT_WRONG)
    return [(row, row.latest) for row in rows]


def may_have_printed(attempt: Any) -> bool:
    """Whether there may be output of an attempt; of one that nobody saw end it is not known."""
    return bool(attempt.output_bytes) or attempt.state == st.INTERRUPTED


def _block(row: Any, attempt: Any, tail: Tail, room: int) -> str:
    lines = _lines(tail(row.name, attempt.attempt, room))
    if not lines:
        return ""
    which = f", attempt {attempt.attempt}" if attempt.attempt > 1 else ""
    badly = row.state in st.WENT_WRONG
    style = f"color:{INK};background-color:{look(row.state).fill}"
    mark = f'<span style="{style}">&#160;{esc(look(row.state).icon)}&#160;</span> ' if badly else ""
    head = f"{mark}output of {esc(shorten(row.name, 60))}{which}"
    start, end = f"<details{' open' if badly else ''}><summary>{head}</summary>", "</details>"
    return f"{start}{_scrolled(_escaped(lines, room - 800))}{end}"


def _scrolled(text: str) -> str:
    return f'<div style="{_BOX}"><pre style="{_PRE}">{text}</pre></div>'


def _lines(text: str) -> List[str]:
    """One clean line each; of one that was written over, as progress bars do, what stood there last."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    found = [_line(line) for line in lines]
    while found and not found[-1]:
        found.pop()
    return found


def _line(text: str) -> str:
    text = clean(text.expandtabs(4))
    return text if len(text) <= _WIDTH else shorten(text, _WIDTH)


def _escaped(lines: List[str], room: int) -> str:
    """As many of the last lines as there is room for."""
    kept: List[str] = []
    for line in reversed(lines):
        text = esc(line)
        room -= len(text.encode()) + 1
        if room < 0:
            kept.append("\u2026")
            break
        kept.append(text)
    return "\n".join(reversed(kept))
