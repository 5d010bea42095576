"""Pictures that last: what a cell, a saved notebook or a page shows of a graph or of a run when no kernel is there.

The picture stands in an `<img>` with its SVG in base64: of all ways, that is what JupyterLab shows in a notebook that
is not trusted, what GitHub, nbviewer and nbconvert show, and what keeps a picture's styles from the page around it.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Dict, Mapping, Optional, Tuple

from flowdsl.engine import states as st
from flowdsl.settings import options
from flowdsl.views.details import details_html
from flowdsl.views.dot import Picture, render_svg
from flowdsl.views.drawing import FEW_BOXES
from flowdsl.views.escape import clean, esc, shorten
from flowdsl.views.output import ROOM, Tail, output_html
from flowdsl.views.palette import GREY, counts_text, look
from flowdsl.views.summary import shown_failures
from flowdsl.views.svg import size
from flowdsl.views.table import counts_of, items_of, pill, states_of, table_html
from flowdsl.views.text import tree
from flowdsl.views.times import took

__all__ = [
    "BUDGET",
    "beside",
    "graph_bundle",
    "headline",
    "image",
    "least_width",
    "plan_bundle",
    "retry_line",
    "run_bundle",
    "run_html",
    "run_text",
]

BUDGET = 256 * 1024  # bytes that one output may have
_PICTURE = 170 * 1024  # of them for the picture, in base64
_PAGE = 1200  # pixels that a notebook has
_READABLE = 0.75  # how far a picture may shrink

Bundle = Dict[str, str]
States = Mapping[str, str]


def graph_bundle(graph: Any) -> Tuple[Bundle, Dict[str, Any]]:
    """The data and the metadata of a graph's repr: HTML, `image/svg+xml` and `text/plain`; never raises.

    The HTML is the picture with the table of tasks. A picture that is wider than a notebook is marked as unconfined:
    it scrolls, where it would be shrunk until nobody can read it.
    """
    bundle = {"text/plain": _safe_text(graph)}
    picture = render_svg(graph)
    bundle["image/svg+xml"] = picture
    html = _graph_html(graph, picture)
    if html:
        bundle["text/html"] = html
    return bundle, {"image/svg+xml": {"unconfined": True}} if least_width(picture) > _PAGE else {}


def beside(picture: str, table: str) -> str:
    """A picture with a table: beside it where there is room, else below."""
    return f'<div style="display:flex;flex-wrap:wrap;align-items:flex-start;gap:4px 24px">{picture}{table}</div>'


def _graph_html(graph: Any, picture: str) -> str:
    """ "" where it would be too much, or where something in the graph is not what it should be."""
    try:
        html = beside(image(picture), f"<div>{details_html(graph)}</div>")
    except Exception:
        return ""
    return html if len(html.encode("utf-8", "replace")) <= BUDGET else ""


def run_bundle(graph: Any, snapshot: Any, tail: Optional[Tail] = None, foot: str = "") -> Bundle:
    """The static picture of a run: `text/html` and `text/plain`; never raises.

    `tail` reads the ends of outputs, `foot` is HTML that stands below.
    """
    bundle = {"text/plain": _safe_run_text(graph, snapshot)}
    try:
        bundle["text/html"] = run_html(graph, snapshot, tail, foot)
    except Exception:
        bundle["text/html"] = f"<pre>{_escaped_lines(bundle['text/plain'])}</pre>"
    return bundle


def plan_bundle(graph: Any, states: Mapping[str, str], text: str) -> Bundle:
    """The picture of what will run, its states those with which it begins, and the text beside it; never raises."""
    bundle = {"text/plain": text}
    try:
        picture = _picture(graph, states, {}, None) or _picture(graph, states, {}, FEW_BOXES) or ""
        bundle["text/html"] = f"<div>{'<br>'.join(map(esc, text.splitlines()))}{picture}</div>"
    except Exception:
        bundle["text/html"] = f"<pre>{_escaped_lines(text)}</pre>"
    return bundle


def run_html(graph: Any, snapshot: Any, tail: Optional[Tail] = None, foot: str = "") -> str:
    """Headline, picture, table of tasks, the ends of their outputs and a foot in HTML, at most `BUDGET` bytes."""
    head = f'<div style="margin:2px 0">{headline(snapshot)}</div>'
    table = table_html(snapshot)
    table += output_html(snapshot, tail, max(0, min(ROOM, BUDGET - len((head + table + foot).encode())))) + foot
    for limit in (None, FEW_BOXES):
        picture = _picture(graph, states_of(snapshot), items_of(snapshot), limit)
        if picture is not None and len((head + picture + table).encode()) <= BUDGET:
            return f"<div>{head}{picture}{table}</div>"
    return f"<div>{head}{table}</div>"


def retry_line(run_id: str) -> str:
    """What to type to run again what failed, as HTML; the page may draw buttons over it, see `afterwards.py`."""
    line = "mend it, run its cell again, and then: run = flowdsl.last_run().rerun(failed=True)"
    return f'<div data-flowdsl-run="{esc(run_id)}" style="margin:4px 0"><span style="color:{GREY}">{line}</span></div>'


def headline(snapshot: Any) -> str:
    """One line of HTML: the flow, how the run ended, how long it took, how many tasks are in which state."""
    parts = [f"<b>{esc(shorten(snapshot.flow, 60))}</b>", pill(look(snapshot.state))]
    parts.append(took(snapshot).strip())
    parts.append(esc(counts_text(counts_of(snapshot))))
    if not options.stable_repr:
        parts.append(f'<span style="color:{GREY}">run {esc(shorten(snapshot.run_id, 60))}</span>')
    parts = list(filter(None, parts))
    return " &#160; ".join(parts)


def image(svg: str) -> str:
    """`svg` as an `<img>` that shrinks with the page as far as it can be read, and scrolls beyond that."""
    width, height = size(svg)
    data = b64encode(svg.encode("utf-8", "replace")).decode("ascii")
    style = f"width:{width}px;max-width:100%;min-width:{least_width(svg)}px;height:auto"
    shape = f'width="{width}" height="{height}" style="{style}"'
    picture = f'<img alt="graph" {shape} src="data:image/svg+xml;base64,{data}">'
    return f'<div style="overflow-x:auto;margin:4px 0">{picture}</div>'


def least_width(svg: str) -> int:
    """The pixels below which the text of a picture becomes too small: it is 13 px high in full size."""
    return int(size(svg)[0] * _READABLE)


def run_text(graph: Any, snapshot: Any) -> str:
    """The run as text: headline, tree, and what failed."""
    which = "run" if options.stable_repr else f"run {clean(snapshot.run_id)}"
    lines = [f"{which}: {look(snapshot.state).text}{took(snapshot)}", tree(graph, states_of(snapshot))]
    failed = shown_failures(snapshot)
    for one in failed[:10]:
        text = ": ".join(part for part in (one.error_type, one.error) if part) or st.CAUSES.get(one.cause, one.cause)
        lines.append(f"{look(one.state).icon} {shorten(one.task, 40)}: {shorten(text, 160)}")
    if len(failed) > 10:
        lines.append(f"\u2026 and {len(failed) - 10:,} more failures")
    return "\n".join(lines)


def _picture(graph: Any, states: States, items: States, limit: Optional[int]) -> Optional[str]:
    svg = render_svg(graph, states, items) if limit is None else Picture(graph, limit).svg(states, items)
    return image(svg) if len(svg) * 4 // 3 <= _PICTURE else None


def _safe_text(graph: Any) -> str:
    try:
        return tree(graph)
    except Exception as exc:
        return f"a graph that could not be written out ({type(exc).__name__})"


def _safe_run_text(graph: Any, snapshot: Any) -> str:
    try:
        return run_text(graph, snapshot)
    except Exception as exc:
        return f"a run that could not be written out ({type(exc).__name__})"


def _escaped_lines(text: str) -> str:
    return "\n".join(esc(line) for line in text.splitlines())
