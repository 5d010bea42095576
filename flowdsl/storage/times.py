"""Moments as text and back: ISO 8601, UTC, always with a Z; and seconds as text."""

from __future__ import annotations

from calendar import timegm
from datetime import datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1)
_TEXT_LENGTH = len("2026-11-22T16:10:29.123456Z")


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    """`2026-11-22T16:10:29`; a batch within the same second as the one before finds it here."""
    return (_EPOCH + timedelta(seconds=second)).isoformat()


def moment_text(at: float) -> str:
    """Seconds since the epoch as `2026-11-22T16:10:29.123456Z`, rounded to the microsecond."""
    second, microsecond = divmod(round(at * 1_000_000), 1_000_000)
    return f"{_second_text(second)}.{str(1_000_000 + microsecond)[1:]}Z"  # half of what a format of six digits costs


def millisecond_text(at: float) -> str:
    """Seconds since the epoch as `2026-11-22T16:10:29.123Z`, rounded to the millisecond."""
    second, millisecond = divmod(round(at * 1_000), 1_000)
    return f"{_second_text(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=1024)
def _second_of(text: str) -> int:
    return timegm(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").timetuple())


def parse_moment(text: str) -> float:
    """The seconds since the epoch that `moment_text` wrote, 1970 to 2261; ValueError for any other form or time."""
    microsecond = text[20:26]
    if len(text) != _TEXT_LENGTH or text[19] != "." or text[26] != "Z" or not microsecond.isdigit():
        raise ValueError(f"not a moment: {text[:40]!r}")
    if not text.isascii() or not "1970" <= text[:4] < "2262":  # 2262: where 64 bits of nanoseconds end
        raise ValueError(f"not a moment that can be: {text!r}")
    return (_second_of(text[:19]) * 1_000_000 + int(microsecond)) / 1_000_000


def seconds_text(seconds: float) -> str:
    """Seconds with the digits that count, and never with an exponent.

    >>> seconds_text(0.01234), seconds_text(1.5), seconds_text(12345.6), seconds_text(1e-6)
    ('0.0123', '1.5', '12,346', '0')
    """
    if abs(seconds) < 0.0001:
        return "0"
    return f"{seconds:.3g}" if abs(seconds) < 999.5 else f"{seconds:,.0f}"
