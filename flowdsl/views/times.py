"""Durations and times of day as people read them, and nothing where `options.stable_repr` leaves them out."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional

from flowdsl.settings import options

__all__ = ["clock_time", "date_time", "duration", "given_duration", "steady", "still_to_go", "took"]


def duration(seconds: Optional[float]) -> str:
    """A duration for people: "12 ms", "3.2 s", "2 min 05 s", "1 h 02 min"; "" for None.

    >>> duration(0.0123), duration(3.21), duration(125), duration(3725)
    ('12 ms', '3.2 s', '2 min 05 s', '1 h 02 min')
    """
    if options.stable_repr:
        return ""
    return given_duration(seconds)


def given_duration(seconds: Optional[float]) -> str:
    """A duration that somebody chose, such as a timeout: it is the same in each execution."""
    if seconds is None or seconds != seconds:
        return ""
    seconds = max(0.0, seconds)
    if seconds < 0.0005:
        return "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = int(seconds + 0.5)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def steady(seconds: Optional[float]) -> str:
    """How long something has been going, in steps that grow with it: what did not change is not painted again."""
    if seconds is None or options.stable_repr:
        return ""
    whole = int(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60 // 10 * 10:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def still_to_go(seconds: Optional[float]) -> str:
    """ "about 12 s left"; "" where nobody can tell."""
    left = steady(seconds)
    return f"about {left} left" if left else ""


def took(snapshot: Any) -> str:
    """ " in 3.2 s" for a run that has ended, else ""."""
    if snapshot.started_at is None or snapshot.ended_at is None or options.stable_repr:
        return ""
    return f" in {duration(snapshot.ended_at - snapshot.started_at)}"


def clock_time(epoch: Optional[float]) -> str:
    """The local time of day; "" for None."""
    return _local(epoch, "%H:%M:%S")


def date_time(epoch: Optional[float]) -> str:
    """The local date and time with its zone; "" for None."""
    return _local(epoch, "%Y-%m-%d %H:%M:%S %Z")


def _local(epoch: Optional[float], form: str) -> str:
    try:
        return "" if epoch is None or options.stable_repr else datetime.fromtimestamp(epoch).astimezone().strftime(form)
    except (OverflowError, OSError, ValueError):
        return ""
