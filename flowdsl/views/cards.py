"""Cards: a task, and a flow that cannot run, in a cell's output."""

from __future__ import annotations

from itertools import islice
from typing import Any, Iterable

from flowdsl.definition.counted import counted
from flowdsl.settings import options
from flowdsl.views.details import options_text, signature
from flowdsl.views.escape import esc, esc_lines, shorten
from flowdsl.views.palette import GREY, look
from flowdsl.views.table import pill

__all__ = ["broken_flow_card", "task_card"]

_NAMES = 30


def task_card(spec: Any, flow: str, needs: Iterable[str]) -> str:
    """A task: name and signature, docstring, options, what it needs, where it was defined."""
    place = "" if options.stable_repr else f", {spec.place}"
    said = {
        "needs": ", ".join(shorten(name, 40) for name in islice(needs, _NAMES)),
        "options": options_text(spec),
        "task of": f"flow {flow}{place}",
    }
    lines = [f'<b>{esc(shorten(spec.name, 60))}</b><span style="color:{GREY}">{esc(signature(spec))}</span>']
    lines += [esc(shorten(spec.doc, 160))] if spec.doc else []
    lines += [_line(what, text) for what, text in said.items() if text]
    return "<div>" + "".join(f"<div>{line}</div>" for line in lines) + "</div>"


def _line(what: str, text: str) -> str:
    return f'<span style="color:{GREY}">{what}</span> {esc(shorten(text, 160))}'


def broken_flow_card(flow: str, names: Iterable[str], count: int, fault: str) -> str:
    """A flow that cannot run: why, and which tasks it has."""
    shown = ", ".join(esc(shorten(name, 40)) for name in islice(names, _NAMES))
    more = f" and {count - _NAMES:,} more" if count > _NAMES else ""
    head = f"<b>{esc(shorten(flow, 60))}</b> {pill(look('failed')._replace(word='cannot run'))}"
    many = counted(count, "task")
    tasks = f'<div><span style="color:{GREY}">{many}</span> {shown}{more}</div>'
    why = f'<div style="white-space:pre-wrap;overflow-wrap:anywhere">{esc_lines(fault[:2000])}</div>'
    return f"<div><div>{head}</div>{why}{tasks}</div>"
