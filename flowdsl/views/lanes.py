"""The attempts of a timeline as spans in lanes: read from a frame or from rows, packed a lane or more a worker."""

from __future__ import annotations

import math
import re
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from flowdsl.engine.states import WENT_WRONG

__all__ = ["Lanes", "Span", "in_step", "nice_ticks", "packed", "spans_of", "worth_drawing"]


class Span(NamedTuple):
    """One attempt; times in seconds from the run's start."""

    task: str
    attempt: int
    state: str
    worker: str
    queued: float
    start: float
    end: float


Lanes = Dict[str, List[List[Span]]]  # by worker: rows of spans that do not overlap


def spans_of(rows: Any) -> List[Span]:
    """The attempts in a frame, or in an iterable of mappings or of objects with the frame's columns as attributes."""
    to_dict = getattr(rows, "to_dict", None)
    found = (_span(row) for row in (to_dict("records") if to_dict is not None else rows))
    return [span for span in found if span is not None]


def in_step(spans: Sequence[Span]) -> List[Span]:
    """The attempts by task and number, a lane a task, each as long as any other: the same in each execution."""
    ordered = sorted(spans, key=lambda span: (_natural(span.task), span.attempt))
    return [
        span._replace(worker=span.task, queued=at, start=at, end=at + 1.0)
        for span in ordered
        for at in [float(span.attempt - 1)]
    ]


def packed(spans: Sequence[Span], most: int) -> Tuple[Lanes, int]:
    """At most `most` lanes, by worker in natural order, and how many spans found no place in them.

    A worker has more than one lane where its attempts overlap: an event loop runs many at once.
    """
    lanes: Lanes = {}
    used = hidden = 0
    for span in sorted(spans, key=lambda span: span.start):
        rows = lanes.get(span.worker, [])
        free = next((row for row in rows if row[-1].end <= span.start + 1e-9), None)
        if free is not None:
            free.append(span)
        elif used < most:
            lanes.setdefault(span.worker, []).append([span])
            used += 1
        else:
            hidden += 1
    return {worker: lanes[worker] for worker in sorted(lanes, key=_natural)}, hidden


def worth_drawing(spans: Sequence[Span], most: int) -> Tuple[List[Span], int]:
    """At most `most` spans in their order, failures before successes and long before short; how many were left out."""
    if len(spans) <= most:
        return list(spans), 0
    ranked = sorted(spans, key=lambda span: (span.state not in WENT_WRONG, span.start - span.end))
    kept = set(map(id, ranked[:most]))
    return [span for span in spans if id(span) in kept], len(spans) - most


def nice_ticks(end: float, most: int = 10) -> List[float]:
    """Round numbers from 0 to at most `end`, in no more than `most` steps of 1, 2 or 5 times a power of ten.

    >>> nice_ticks(3.7, 5)
    [0.0, 1.0, 2.0, 3.0]
    """
    if not 0 < end < float("inf"):
        return [0.0]
    power = 10.0 ** math.floor(math.log10(end / most))
    step = next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power * most >= end * (1 - 1e-9))
    return [n * step for n in range(int(end / step * (1 + 1e-9)) + 1)]


def _span(row: Any) -> Optional[Span]:
    get: Callable[[str], Any] = row.get if isinstance(row, Mapping) else lambda name: getattr(row, name, None)
    start, end, queued = _number(get("start_s")), _number(get("end_s")), _number(get("queued_s"))
    if start is None:
        return None
    return Span(
        _word(get("task")),
        int(_number(get("attempt")) or 1),
        _word(get("state")),
        _word(get("worker")) or "-",
        start if queued is None else min(start, queued),
        start,
        start if end is None else max(start, end),
    )


def _number(value: Any) -> Optional[float]:
    """A finite number, else None: frames hold NaN, and pandas' NA refuses `float`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _natural(name: str) -> Tuple[Tuple[int, str], ...]:
    """So that "thread-10" comes after "thread-2"."""
    return tuple((int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d{1,9})", name))
