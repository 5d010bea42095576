"""The attempts of a run on a time axis, one lane a worker: who was busy, what waited, what was tried again."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from flowdsl.definition.counted import counted
from flowdsl.settings import options
from flowdsl.views.escape import columns, esc, shorten
from flowdsl.views.lanes import Lanes, Span, in_step, nice_ticks, packed, spans_of, worth_drawing
from flowdsl.views.palette import GREY, INK, OUTLINE, by_weight, look
from flowdsl.views.svg import root

__all__ = ["timeline_svg"]

MOST_BARS = 1000
MOST_LANES = 60
_WIDTH, _BAR, _LANE, _TOP, _RIGHT = 1000.0, 18.0, 28.0, 8.0, 24.0  # pixels
_CHAR = 6.6  # of text at 11 px
_NAMELESS = 14.0  # a bar that is narrower has no text; failures have their icon all the same


class _Plan(NamedTuple):
    """Where things are: `y` is the top of a span's bar by its identity."""

    left: float
    factor: float  # pixels a second
    bottom: float
    y: Dict[int, float]

    def x(self, seconds: float) -> float:
        return self.left + seconds * self.factor


def timeline_svg(rows: Any) -> str:
    """A picture of attempts as SVG.

    `rows` is the frame of `analysis.timeline`, or any iterable of mappings or objects with `task attempt state worker
    queued_s start_s end_s`; what has no start is left out. A bar is an attempt, the thin line before it its waiting, a
    dotted line leads to the retry. At most 1,000 bars are drawn, failures first, then the longest; the legend says how
    many are not.
    """
    spans = in_step(spans_of(rows)) if options.stable_repr else spans_of(rows)
    lanes, crowded = packed(spans, MOST_LANES)
    drawn, short = worth_drawing([span for rows_ in lanes.values() for row in rows_ for span in row], MOST_BARS)
    plan = _plan(lanes)
    axis = "" if options.stable_repr else _axis(max((span.end for span in spans), default=0.0), plan)
    body = [axis, _names(lanes, plan)]
    body += [_wait(span, plan) for span in drawn]
    body += [_bar(span, plan) for span in drawn]
    body += _retries(drawn, plan)
    legend, bottom = _legend(spans, crowded + short, plan.bottom + 40)
    return root(_WIDTH, bottom + 12, "".join([*body, legend]), f"timeline of {counted(len(spans), 'attempt')}")


def _plan(lanes: Lanes) -> _Plan:
    left = 20 + _CHAR * max((columns(shorten(worker, 18)) for worker in lanes), default=0)
    ends = [span.end for rows in lanes.values() for row in rows for span in row]
    y: Dict[int, float] = {}
    top = _TOP
    for rows in lanes.values():
        for row in rows:
            y.update((id(span), top) for span in row)
            top += _LANE
    return _Plan(left, (_WIDTH - left - _RIGHT) / (max(ends, default=0.0) or 1.0), top, y)


# ---- the marks


def _axis(end: float, plan: _Plan) -> str:
    ticks = nice_ticks(end)
    step = ticks[1] if len(ticks) > 1 else 1.0
    digits = max(0, -int(f"{step:e}".partition("e")[2]))
    marks = [
        f'<path d="M{plan.x(tick):.1f},{_TOP}V{plan.bottom + 4:.1f}" fill="none" stroke="{GREY}" stroke-width="0.5"'
        f' stroke-opacity="0.45"/>{_label(plan.x(tick), plan.bottom + 17, f"{tick:,.{digits}f} s", GREY, "middle")}'
        for tick in ticks
    ]
    line = f'<path d="M{plan.left:.1f},{plan.bottom:.1f}H{_WIDTH - _RIGHT / 2:.1f}" fill="none" stroke="{GREY}"/>'
    return "".join(marks) + line


def _names(lanes: Lanes, plan: _Plan) -> str:
    tops = {worker: plan.y[id(rows[0][0])] for worker, rows in lanes.items()}
    return "".join(
        _label(plan.left - 8, top + 13, esc(shorten(worker, 18)), GREY, "end") for worker, top in tops.items()
    )


def _wait(span: Span, plan: _Plan) -> str:
    """Below the bars of the lane, for the worker was busy with something else meanwhile."""
    if (span.start - span.queued) * plan.factor < 1:
        return ""
    y = plan.y[id(span)] + _BAR + 3.5
    x = plan.x(span.queued)
    return f'<path d="M{x:.1f},{y - 2.5:.1f}V{y:.1f}H{plan.x(span.start):.1f}" fill="none" stroke="{GREY}"/>'


def _bar(span: Span, plan: _Plan) -> str:
    how = look(span.state)
    x, y = plan.x(span.start), plan.y[id(span)]
    width = max(1.5, (span.end - span.start) * plan.factor)
    shape = f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BAR:.0f}" rx="2"'
    return f'{shape} fill="{how.fill}" stroke="{OUTLINE}" stroke-width="0.6"/>{_text_of(span, x, y + 13, width)}'


def _text_of(span: Span, x: float, y: float, width: float) -> str:
    """The task on its bar, after the icon and the word of a state that is not success, as far as there is room."""
    how = look(span.state)
    well = span.state == "succeeded"
    room = int((width - 6) / _CHAR)
    if width < _NAMELESS:
        return "" if well else _label(x + width / 2, y, how.icon, INK, "middle")
    name = span.task if span.attempt == 1 else f"{span.task} #{span.attempt}"
    if well:
        text = shorten(name, room) if room >= min(8, columns(name)) else ""
    elif columns(how.text) + columns(name) + 2 <= room:
        text = f"{how.text}: {name}"
    else:
        text = f"{how.icon} {shorten(name, room - 2)}" if room >= min(8, columns(name) + 2) else how.icon
    return _label(x + 4, y, esc(text), INK, "start") if text else ""


def _retries(drawn: Sequence[Span], plan: _Plan) -> List[str]:
    """A dotted line from the end of each attempt to the start of the next of the same task."""
    by_task: Dict[str, List[Span]] = {}
    for span in drawn:
        by_task.setdefault(span.task, []).append(span)
    lines = []
    for spans in by_task.values():
        spans.sort(key=lambda span: span.attempt)
        lines += [_retry(former, later, plan) for former, later in zip(spans, spans[1:])]
    return lines


def _retry(former: Span, later: Span, plan: _Plan) -> str:
    x1, y1 = plan.x(former.end), plan.y[id(former)] + _BAR / 2
    x2, y2 = plan.x(later.start), plan.y[id(later)] + _BAR / 2
    return (
        f'<path d="M{x1:.1f},{y1:.1f}L{x2:.1f},{y2:.1f}" fill="none" stroke="{GREY}" stroke-width="1.6"'
        ' stroke-dasharray="2,3"/>'
    )


def _legend(spans: Sequence[Span], hidden: int, y: float) -> Tuple[str, float]:
    """The states and what the lines mean, in as many rows as that takes; and where the last one stands."""
    x = 12.0
    parts: List[str] = []
    for state, n in by_weight(Counter(span.state for span in spans)):
        how = look(state)
        text = f"{how.text} ({n:,})"
        x, y = _next(x, y, 34 + _CHAR * columns(text))
        parts.append(
            f'<rect x="{x:.1f}" y="{y - 10:.1f}" width="12" height="12" rx="2" fill="{how.fill}" stroke="{OUTLINE}"'
            f' stroke-width="0.6"/>{_label(x + 17, y, esc(text), GREY, "start")}'
        )
        x += 34 + _CHAR * columns(text)
    text = "thin line: waiting \u00b7 dotted: retry" if spans else "no attempts"
    if options.stable_repr and spans:
        text = "one after the other, without their times"
    if hidden:
        text += f" \u00b7 {hidden:,} attempts are not drawn"
    x, y = _next(x, y, _CHAR * columns(text))
    parts.append(_label(x + 4, y, text, GREY, "start"))
    return "".join(parts), y


def _next(x: float, y: float, width: float) -> Tuple[float, float]:
    """Where something so wide goes in the legend: here, or where the next row begins."""
    return (x, y) if x + width <= _WIDTH else (12.0, y + 20)


def _label(x: float, y: float, text: str, ink: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="{ink}">{text}</text>'
