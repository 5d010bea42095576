"""Durations and times of day as people read them."""

from __future__ import annotations

from datetime import datetime
from typing import Optional

__all__ = ["clock_time", "duration", "steady"]


def duration(seconds: Optional[float]) -> str:
    """A duration for people: "12 ms", "3.2 s", "2 min 05 s", "1 h 02 min"; "" for None.

    >>> duration(0.0123), duration(3.21), duration(125), duration(3725)
    ('12 ms', '3.2 s', '2 min 05 s', '1 h 02 min')
    """
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
    if seconds is None:
        return ""
    whole = int(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60 // 10 * 10:02d} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60:02d} min"


def clock_time(epoch: Optional[float]) -> str:
    """The local time of day; "" for None."""
    try:
        return "" if epoch is None else datetime.fromtimestamp(epoch).strftime("%H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return ""
