"""What a task says of its progress: `flowdsl.progress` and `flowdsl.track`."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Optional, TypeVar

from flowdsl.executors.current import Current, here

T = TypeVar("T")
ALMOST = 1e-6  # by which a sum of floats may miss 0 or 1


def progress(fraction: float, message: str = "") -> None:
    """Say how far this task is: shown by the live view, kept in the log.

    Call it as often as you like: what is passed on is the latest, at most ten times a second, and after the first
    ten seconds less often, down to once a second; the last one always comes before the attempt's end. Outside of a
    running task it checks its arguments and does nothing.

    Args:
        fraction: from 0 (nothing is done) to 1 (all is).
        message: one line for the reader; cut at 4,096 characters.

    Raises:
        ValueError: the fraction is not from 0 to 1.
        TypeError: it is not a number.
    """
    if type(fraction) is not float or not 0.0 <= fraction <= 1.0:
        fraction = _fraction(fraction)
    current = here()
    if current is not None and current.scribe is not None:
        current.said = (fraction, message)
        current.scribe.noted(current)


def track(iterable: Iterable[T], message: str = "", *, total: Optional[int] = None) -> Iterator[T]:
    """The items of `iterable`; on the way this task's progress is how many of them are done.

    Args:
        iterable: anything that can be iterated; where it has no length, and no `total` is given, progress is not told.
        message: for the reader, as in `progress`.
        total: how many items there will be; more of them than that count as all.

    Raises:
        TypeError: it is not iterable.
        ValueError: `total` is below 0.

    >>> [2 * n for n in track([1, 2, 3])]
    [2, 4, 6]
    """
    if total is None:
        total = _length(iterable)
    elif total < 0:
        raise ValueError("track: total=%r is below 0" % (total,))
    return _tracked(iter(iterable), message, total)


def _tracked(items: Iterator[T], message: str, total: Optional[int]) -> Iterator[T]:
    current = here()
    if current is None or current.scribe is None or not total:
        yield from items
        return
    _say(current, 0.0, message)
    for done, item in enumerate(items, 1):
        yield item
        _say(current, min(done / total, 1.0), message)


def _say(current: Current, fraction: float, message: str) -> None:
    assert current.scribe is not None
    current.said = (fraction, message)
    current.scribe.noted(current)


def _length(iterable: Any) -> Optional[int]:
    try:
        return len(iterable)
    except Exception:  # a generator has none; whoever's `__len__` raises has none either
        return None


def _fraction(value: Any) -> float:
    """The value as a float from 0 to 1; a number of some other type, such as NumPy's, will do."""
    try:
        fraction = float(value) if not isinstance(value, (str, bytes)) else None
    except (TypeError, ValueError, OverflowError):
        fraction = None
    if fraction is None:
        raise TypeError("progress(%.80r): give a number from 0 to 1, such as done / total" % (value,))
    if not -ALMOST <= fraction <= 1.0 + ALMOST:
        raise ValueError("progress(%.80r): a fraction is from 0 to 1; give done / total" % (value,))
    return min(max(fraction, 0.0), 1.0)
