"""The table of tasks beside their picture: signature, dependencies, options, the first line of the docstring."""

from __future__ import annotations

import itertools
from pathlib import PurePath
from typing import Any, Mapping, Sequence, Tuple

from flowdsl.definition.counted import counted
from flowdsl.definition.parameters import as_written
from flowdsl.views.escape import clean, esc, safe_repr, shorten
from flowdsl.views.palette import GREY, INK, STALE
from flowdsl.views.table import html_table

__all__ = ["details_html", "options_text", "signature"]

MOST_ROWS = 30
_OPEN_ROWS = 12  # more than that are folded away below the picture
_NAME, _SIGNATURE, _NEEDS, _DOC, _DEFAULT = 60, 80, 80, 120, 24  # columns


def details_html(graph: Any, limit: int = MOST_ROWS) -> str:
    """The tasks of `graph`, one a row, the first `limit` in their order; a column that says nothing is left out."""
    names = list(itertools.islice(graph.tasks, limit))
    if not names:
        return ""
    heads = ("task", "needs", "options", "what it does")
    rows = [_cells(name, graph) for name in names]
    kept = [at for at in range(len(heads)) if at == 0 or any(row[at] for row in rows)]
    table = html_table([heads[at] for at in kept], [[row[at] for at in kept] for row in rows], len(kept) - 1)
    left = len(graph.tasks) - len(names)
    more = '<div style="color:%s">and %s</div>' % (GREY, counted(left, "more task")) if left else ""
    if len(names) <= _OPEN_ROWS:
        return table + more
    summary = '<summary style="color:%s">%s in a table</summary>' % (GREY, counted(len(graph.tasks), "task"))
    return f"<details>{summary}{table}{more}</details>"


def _cells(name: str, graph: Any) -> Tuple[str, ...]:
    spec = graph.tasks[name]
    title = f'<b>{esc(shorten(name, _NAME))}</b><span style="color:{GREY}">{esc(signature(spec))}</span>'
    if name in getattr(graph, "stale", ()):
        style = f"background-color:{STALE.fill};color:{INK};padding:1px 8px;border-radius:8px;white-space:nowrap"
        title += f' <span style="{style}">{esc(STALE.text)}</span>'
    needs = ", ".join(dict.fromkeys(map(_need, graph.edges[name])))
    return title, esc(shorten(needs, _NEEDS)), esc(shorten(options_text(spec), 160)), esc(shorten(spec.doc, _DOC))


def _need(edge: Any) -> str:
    """The name of what is needed: with the parameter that takes it where that has another, marked if none does."""
    if edge.parameter is None:
        return f"{shorten(edge.source, 30)} (done)"
    taken = edge.parameter.lstrip("*")
    item = "".join(f"[{safe_repr(key)}]" for key in edge.path)
    source = shorten(edge.source, 30) + shorten(item, 20)
    return source if (taken == edge.source and not item) or edge.parameter.startswith("*") else f"{taken} = {source}"


def signature(spec: Any) -> str:
    """`(flights, days=7)` in one line, whatever the defaults' own reprs do."""
    parts = as_written(spec.parameters, lambda default: shorten(_default(default), _DEFAULT), clean)
    return shorten(f"({', '.join(parts)})", _SIGNATURE)


def _default(value: Any) -> str:
    """The value as it would be written; of the path of a file its end, which is the same on another machine."""
    if not isinstance(value, PurePath):
        return safe_repr(value)
    return repr(f"\u2026/{value.name}" if value.is_absolute() and value.name else str(value))


def options_text(spec: Any) -> str:
    """What was said about a task, other than the defaults: "map over airports, 3 retries, timeout 60 s"."""
    return ", ".join(text for text in _options(spec) if text)


def _options(spec: Any) -> Sequence[str]:
    retries = getattr(spec.retries, "retries", 0)
    timed = isinstance(spec.timeout, (int, float))
    said: Mapping[str, Any] = {
        "each of %s": ", ".join(spec.map),
        "%s": f"{retries} retr{'y' if retries == 1 else 'ies'}" if retries else "",
        "timeout %s": f"{spec.timeout:g} s" if timed else "",
        "in a %s": spec.isolation if isinstance(spec.isolation, str) else "",
        "when %s": spec.run_when.replace("_", " ") if spec.run_when != "all_succeeded" else "",
        "uses %s": ", ".join(spec.uses),
        "priority %s": "" if spec.priority is None else f"{spec.priority:g}",
        "verified%s": " " if spec.verify is not None else "",
        "cached%s": " " if spec.cache else "",
        "type %s": spec.type if spec.type != "task" else "",
        "tags %s": ", ".join(spec.tags),
    }
    return [(text % value).strip() for text, value in said.items() if value]
