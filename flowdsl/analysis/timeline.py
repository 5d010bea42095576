"""The attempts of a run on one time axis: as rows, as a frame, and as a picture that somebody else draws."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional

import pandas as pd

from flowdsl.analysis.schema import OF_A_TASK, build_frame, columns, map_indices
from flowdsl.definition.counted import counted
from flowdsl.engine.snapshot import Attempt, Snapshot
from flowdsl.settings import options
from flowdsl.storage.times import seconds_text

__all__ = ["Bar", "Timeline", "timeline_bars", "timeline_frame"]

COLUMNS = OF_A_TASK + columns("attempt:integer state worker:string queued_s:float start_s:float end_s:float")
_TEXT_ROWS, _TEXT_WIDTH, _NAME_WIDTH = 40, 40, 24


class Bar(NamedTuple):
    """One attempt on the time axis; times are seconds since the run's start."""

    task: str
    attempt: int
    state: str
    worker: Optional[str]
    queued_s: Optional[float]  # None where it is not known
    start_s: float
    end_s: float


def timeline_bars(snapshot: Snapshot, now: Optional[float] = None) -> List[Bar]:
    """One bar an attempt, in the order in which they began; what has no end yet ends at `now`.

    `now` is in seconds since the epoch; without it, it is the time of the last event. An attempt whose start is
    not known (its log line is damaged) has no bar.
    """
    end = max(_or_zero(now), _or_zero(snapshot.at))
    zero = snapshot.started_at
    if zero is None:
        zero = min((attempt.started_at for attempt in snapshot.attempts if attempt.started_at), default=end)
    return [_bar(attempt, zero, end) for attempt in list(snapshot.attempts) if attempt.started_at is not None]


def _bar(attempt: Attempt, zero: float, now: float) -> Bar:
    start = _or_zero(attempt.started_at)
    end = now if attempt.ended_at is None else attempt.ended_at
    queued = None if attempt.queued_at is None else round(attempt.queued_at - zero, 6)
    span = (round(start - zero, 6), round(end - zero, 6))
    return Bar(attempt.task, attempt.attempt, attempt.state, attempt.worker, queued, *span)


def _or_zero(time: Optional[float]) -> float:
    return 0.0 if time is None else time


def timeline_frame(snapshot: Snapshot, now: Optional[float] = None) -> pd.DataFrame:
    """A DataFrame with one row an attempt: what the picture of the timeline shows.

    =========  ========  ====  ==================================================  =======================
    name       dtype     unit  meaning                                             when null
    =========  ========  ====  ==================================================  =======================
    run_id     string          the run                                             never
    flow       string          the flow's name                                     its log line is damaged
    task       string          the task's name                                     never
    map_index  Int64           the instance's place in its map                     not an instance
    attempt    Int64           1 for the first                                     never
    state      category        running, or how it ended                            never
    worker     string          the worker that ran it                              not known
    queued_s   float64   s     when the task became ready, from the run's start    its log line is damaged
    start_s    float64   s     when the attempt began, from the run's start        never
    end_s      float64   s     when it ended, from the run's start; `now`, or the  never
                               last event, where it has not
    =========  ========  ====  ==================================================  =======================
    """
    bars = timeline_bars(snapshot, now)
    values: Dict[str, Any] = dict(zip(Bar._fields, zip(*bars))) if bars else dict.fromkeys(Bar._fields, ())
    values["run_id"] = [snapshot.run_id] * len(bars)
    values["flow"] = [snapshot.flow or None] * len(bars)
    values["map_index"] = map_indices(values["task"])
    return build_frame(COLUMNS, values)


class Timeline:
    """A timeline that draws itself in a notebook and prints itself elsewhere; `.frame` has what it shows.

    `draw` makes an SVG from bars, and `embed` HTML from that, for what shows no SVG of a stranger.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        draw: Optional[Callable[[List[Bar]], str]] = None,
        *,
        embed: Optional[Callable[[str], str]] = None,
        now: Optional[float] = None,
    ) -> None:
        self._bars = timeline_bars(snapshot, now)
        which = "run" if options.stable_repr else f"run {snapshot.run_id}"
        self._title = f"{which}: {snapshot.state}, {counted(len(self._bars), 'attempt')}"
        self._draw, self._embed = draw, embed
        self.frame = timeline_frame(snapshot, now)

    def svg(self) -> str:
        """The picture, as the text of an SVG document; empty where there is nothing that draws."""
        return "" if self._draw is None else self._draw(self._bars)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, str]:
        bundle = {"text/plain": repr(self)}
        try:
            picture = self.svg()
            page = self._embed(picture) if picture and self._embed is not None else ""
        except Exception as exc:  # a picture that cannot be drawn must not be a traceback in the user's cell
            bundle["text/plain"] += f"\n(no picture: {type(exc).__name__}: {exc})"
        else:
            if picture:
                bundle["image/svg+xml"] = picture
            if page:
                bundle["text/html"] = page
        return bundle

    def __repr__(self) -> str:
        bars = _in_step(self._bars) if options.stable_repr else self._bars
        shown = bars[:_TEXT_ROWS]
        length = max((bar.end_s for bar in bars), default=0.0)
        lines = [self._title, *(_line(bar, length) for bar in shown)]
        hidden = len(self._bars) - len(shown)
        return "\n".join([*lines, f"... and {hidden} more"] if hidden else lines)


def _line(bar: Bar, length: float) -> str:
    """`clean #2        |      ######      | failed 1.20 s`"""
    scale = _TEXT_WIDTH / length if length > 0 else 0.0
    left = min(int(bar.start_s * scale), _TEXT_WIDTH - 1)
    width = max(1, min(round((bar.end_s - bar.start_s) * scale), _TEXT_WIDTH - left))
    name = "".join(char if char.isprintable() else "?" for char in bar.task)
    name = name if bar.attempt == 1 else f"{name} #{bar.attempt}"
    if len(name) > _NAME_WIDTH:
        name = name[: _NAME_WIDTH - 3] + "..."
    drawn = (" " * left + "#" * width).ljust(_TEXT_WIDTH)
    took = "" if options.stable_repr else f" {seconds_text(bar.end_s - bar.start_s)} s"
    return f"{name:<{_NAME_WIDTH}} |{drawn}| {bar.state}{took}"


def _in_step(bars: List[Bar]) -> List[Bar]:
    """The attempts by task and number, each as long as any other: what is the same in each execution."""
    ordered = sorted(bars, key=lambda bar: (bar.task, bar.attempt))
    return [bar._replace(start_s=float(bar.attempt - 1), end_s=float(bar.attempt)) for bar in ordered]
