"""How a capsule looks: as text, and as HTML in which every string is escaped."""

from __future__ import annotations

import re
from typing import Any, List, Tuple

from flowdsl.orchestrator.capsule import Capsule
from flowdsl.settings import options
from flowdsl.views.escape import clean, esc
from flowdsl.views.palette import GREY, look
from flowdsl.views.table import pill
from flowdsl.views.times import duration
from flowdsl.views.users_line import users_line, users_line_of_stacks

__all__ = ["capsule_html", "capsule_text"]

_LINE = re.compile(r'File "([^"\n]+)", line (\d+)')
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")  # of a thread, or an object
_MOST_LINES = 60  # of the source, the output, the stacks


def capsule_text(capsule: Capsule) -> str:
    """The capsule as text: what failed, why, with what, where."""
    lines = [_headline(capsule)]
    for title, body in _sections(capsule):
        lines += ["", title, *("  " + line for line in body)]
    return "\n".join(lines)


def capsule_html(capsule: Capsule) -> str:
    """The capsule as HTML with inline styles."""
    head = "<b>%s</b> attempt %d &#160; %s" % (esc(capsule.task), capsule.attempt, pill(look(capsule.state)))
    parts = ["<div>%s &#160; %s</div>" % (head, esc(_error(capsule)))]
    for title, body in _sections(capsule):
        text = "\n".join(map(esc, body))
        summary = '<summary style="cursor:pointer;color:%s">%s</summary>' % (GREY, esc(title))
        style = "margin:2px 0 6px;white-space:pre-wrap;background:none"
        shown = " open" if title in ("where", "inputs", "traceback") else ""
        parts.append('<details%s>%s<pre style="%s">%s</pre></details>' % (shown, summary, style, text))
    return '<div style="overflow-wrap:anywhere">%s</div>' % "".join(parts)


def _headline(capsule: Capsule) -> str:
    took = "" if capsule.duration_s is None or options.stable_repr else ", after %s" % duration(capsule.duration_s)
    what = "task %r, attempt %d: %s (%s)%s" % (
        clean(capsule.task), capsule.attempt, clean(capsule.state), clean(capsule.cause), took
    )  # fmt: skip
    return "%s\n%s" % (what, _error(capsule))


def _error(capsule: Capsule) -> str:
    return clean("%s: %s" % (capsule.error_type, capsule.error) if capsule.error_type else capsule.error)


def _sections(capsule: Capsule) -> List[Tuple[str, List[str]]]:
    """What there is to show, each with its title."""
    found: List[Tuple[str, List[str]]] = []

    def add(title: str, lines: Any) -> None:
        lines = [_kept(line) for line in lines]
        if lines:
            cut = ["… %d more lines" % (len(lines) - _MOST_LINES)] if len(lines) > _MOST_LINES else []
            found.append((title, lines[:_MOST_LINES] + cut))

    where = users_line(capsule.traceback) or users_line_of_stacks(capsule.stacks)
    add("where", [where] if where else [])
    add("inputs", capsule.arguments or ())
    add("traceback", capsule.traceback.splitlines())
    add("source", _numbered(capsule))
    add("output", capsule.output.splitlines())
    add("stacks", capsule.stacks.splitlines())
    add("environment", ["%s %s" % pair for pair in capsule.environment.items()])
    return found


def _kept(line: Any) -> str:
    """A line without control characters; its indentation stays."""
    text = str(line).expandtabs(4)
    text = _ADDRESS.sub("0x…", text) if options.stable_repr else text
    return text[: len(text) - len(text.lstrip(" "))] + clean(text.lstrip(" "))


def _numbered(capsule: Capsule) -> List[str]:
    code = capsule.code
    if code is None or not code.source:
        return []
    hit = {int(found[2]) for found in _LINE.finditer(capsule.traceback + capsule.stacks) if found[1] == code.file}
    lines = enumerate(code.source.rstrip().splitlines(), code.line)
    return ["%s%4d  %s" % (">" if at in hit else " ", at, line) for at, line in lines]
