"""How an error of a run looks under a notebook's cell: the user's own lines, task and attempt, and what to try.

IPython asks an exception for `_render_traceback_`; everywhere else the error is an ordinary one. Long things fold: the
rest of them is always in `run.failures`.
"""

from __future__ import annotations

import linecache
import re
import sys
import traceback
from typing import Any, Iterable, List, NamedTuple, Optional, Sequence

from flowdsl.engine import states as st
from flowdsl.engine.failures import Failure
from flowdsl.views.escape import clean, clean_lines, shorten
from flowdsl.views.palette import look
from flowdsl.views.users_line import is_foreign

__all__ = ["rendered"]

_FAILURES = 3  # that are shown with their lines
_FRAMES = 5
_CONTEXT = 2  # lines before the one at which it happened
_ERROR_LINES = 10
_WIDTH = 200  # columns
_FRAME = re.compile(r'^ +File "([^"\n]+)", line (\d+), in (.+)$')
_RED, _PLAIN = "\x1b[31m", "\x1b[0m"  # no grey: in JupyterLab's dark theme it is nearly black


class Frame(NamedTuple):
    """A line of code that was being executed."""

    file: str
    line: int
    where: str


def rendered(error: BaseException, found: Sequence[Failure], snapshot: Any, advice: Sequence[str]) -> List[str]:
    """The lines that IPython shows for `error`, which the failures `found` led to; never raises."""
    try:
        head = clean_lines(error).splitlines()
        lines = [f"{_RED}{type(error).__name__}{_PLAIN}: {head[0] if head else ''}", *_called(error)]
        for one in found[:_FAILURES]:
            lines += ["", *_failure(one, snapshot)]
        if len(found) > _FAILURES:
            lines += ["", *(f"  {shorten(one, _WIDTH)}" for one in found[_FAILURES : 3 * _FAILURES + 1])]
            left = len(found) - 3 * _FAILURES - 1
            lines += [f"  and {left:,} more"] if left > 0 else []
        return [*lines, "", *advice]
    except Exception as exc:  # no fault of ours may hide the user's
        return [f"{type(error).__name__}: {error}", f"(its lines could not be shown: {type(exc).__name__})"]


def _called(error: BaseException) -> List[str]:
    """Where the user called us: one line a frame."""
    frames = [Frame(f.filename, f.lineno or 0, f.name) for f in traceback.extract_tb(error.__traceback__)]
    own = [frame for frame in frames if not is_foreign(frame.file)][-_FRAMES:]
    return [f"  {_place(frame)}: {_code(frame)}" for frame in own]


def _failure(one: Failure, snapshot: Any) -> List[str]:
    row = snapshot.tasks.get(one.task)
    most = 0 if row is None else row.retries + 1
    attempt = f", attempt {one.attempts} of {most}" if most > 1 else ""
    why = "" if one.cause == "raised" else f" ({st.CAUSES.get(one.cause, one.cause)})"
    how = look(one.state)
    lines = [f"{how.icon} task {_RED}{clean(one.task)}{_PLAIN} {how.word}{attempt}{why}"]
    return [*lines, *_frames(one.traceback or ""), *_error(one)]


def _error(one: Failure) -> List[str]:
    text = clean_lines(one.error or "").splitlines()
    kind = f"{one.error_type}: " if one.error_type else ""
    shown = [f"  {_RED}{kind}{_PLAIN}{shorten(text[0], _WIDTH) if text else ''}"] if kind or text else []
    shown += [f"    {shorten(line, _WIDTH)}" for line in text[1:_ERROR_LINES]]
    left = len(text) - _ERROR_LINES
    return shown + ([f"    \u2026 and {left:,} more lines, in run.failures"] if left > 0 else [])


def _frames(text: str) -> List[str]:
    """The user's frames of a traceback with the lines round them; those of libraries are only counted."""
    own: List[str] = []
    foreign, many = 0, 0
    for frame in _last_traceback(text):
        if is_foreign(frame.file):
            foreign += 1
        elif many < _FRAMES:
            many += 1
            own += _with_context(frame)
        else:
            foreign += 1
    return own + ([f"  \u2026 and {foreign} more frames, most of them in libraries"] if foreign else [])


def _last_traceback(text: str) -> Iterable[Frame]:
    """The frames of the last of several tracebacks that are chained."""
    last = text[text.rfind("Traceback (most recent call last)") :] if "Traceback (most" in text else text
    for line in last.splitlines():
        found = _FRAME.match(line)
        if found:
            yield Frame(found.group(1), int(found.group(2)), found.group(3))


def _with_context(frame: Frame) -> List[str]:
    lines = [f"  {_place(frame)}, in {clean(frame.where)}"]
    width = len(str(frame.line))
    for number in range(max(1, frame.line - _CONTEXT), frame.line + 1):
        code = linecache.getline(frame.file, number).rstrip()
        mark = f"{_RED}----> " if number == frame.line else "      "
        if code.strip():
            lines.append(f"  {mark}{number:{width}d}{_PLAIN} {shorten(code, _WIDTH)}")
    return lines


def _code(frame: Frame) -> str:
    return shorten(linecache.getline(frame.file, frame.line).strip(), _WIDTH)


def _place(frame: Frame) -> str:
    return f"{_cell(frame.file) or clean(frame.file)}, line {frame.line}"


def _cell(file: str) -> Optional[str]:
    """What a notebook shows beside the cell that this file name was made up for."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    known = getattr(getattr(shell, "compile", None), "format_code_name", lambda file: None)(file)
    return f"Cell {known[1]}" if known else None
