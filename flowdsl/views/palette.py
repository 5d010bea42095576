"""How each state looks: an icon, a word and a fill, the same in every view.

Colour is never alone: wherever a fill is shown, the icon stands beside it, and the word where there is room. The fills
are light relatives of the Okabe-Ito set, moved apart until any two of them are 11 or more from each other in CIELAB
(failed and succeeded 29), for eyes that see all colours, no green (deuteranopia) and no red (protanopia). Dark text on
each of them has a contrast of at least 7:1. What is drawn without a fill is a mid grey that a white and a black page
both bear.
"""

from __future__ import annotations

from typing import Dict, Mapping, NamedTuple, Tuple

from flowdsl.views.escape import shorten

__all__ = ["EACH_ITEM", "GREY", "INK", "OUTLINE", "PLAIN", "STALE", "Look", "by_weight", "counts_text", "look", "worst"]

INK = "#111827"  # text on a fill
GREY = "#808590"  # text and lines on the page itself
OUTLINE = "#6b7280"  # round a fill
PLAIN = "#dfe6ee"  # a task of which no state is known


class Look(NamedTuple):
    """`icon` is one character of the old symbol blocks: none that a system would show as a coloured emoji."""

    icon: str
    word: str
    fill: str

    @property
    def text(self) -> str:
        """The icon and the word."""
        return f"{self.icon} {self.word}"


# In the order of weight: the first that is met among several tasks gives their stack its fill.
_LOOKS: Dict[str, Look] = {
    "failed": Look("\u2717", "failed", "#e88f5c"),
    "timed_out": Look("\u25f7", "timed out", "#ca99c6"),
    "interrupted": Look("\u21af", "interrupted", "#dfc281"),
    "running": Look("\u25ba", "running", "#6cb2fa"),
    "retry_wait": Look("\u21bb", "waits to retry", "#e7dc65"),
    "upstream_failed": Look("\u2298", "upstream failed", "#f2d7ae"),
    "cancelled": Look("\u25a0", "cancelled", "#beb4ed"),
    "ready": Look("\u25ce", "ready", "#c0d3ed"),
    "pending": Look("\u25cb", "pending", "#f3f7fa"),
    "succeeded": Look("\u2713", "succeeded", "#84ccaf"),
    "reused": Look("\u2248", "reused", "#d0edd1"),
    "skipped": Look("\u00bb", "skipped", "#d3d4d6"),
}
EACH_ITEM = "each item"  # what a mapped task shows before it is known how many there are
STALE = Look("\u25b3", "stale", "#f6e9b2")  # a flag of a task, not a state
_GIVEN = Look("\u25c6", "given", "#d0edd1")


def look(state: str, cause: str = "") -> Look:
    """How `state` looks; a state that only a newer flowdsl knows is shown by its own name."""
    if cause == "given":
        return _GIVEN
    return _LOOKS.get(state) or Look("?", shorten(state, 30).replace("_", " "), PLAIN)


def by_weight(counts: Mapping[str, int]) -> Tuple[Tuple[str, int], ...]:
    """The states that occur and how often, what needs a look first."""
    known = [(state, counts[state]) for state in _LOOKS if counts.get(state)]
    return (*known, *((state, n) for state, n in counts.items() if n and state not in _LOOKS))


def worst(counts: Mapping[str, int]) -> str:
    """The state that several tasks show together: the first by weight of those that occur; "pending" for none."""
    weighed = by_weight(counts)
    return weighed[0][0] if weighed else "pending"


def counts_text(counts: Mapping[str, int], *, words: bool = True, most: int = 12) -> str:
    """Counts by state in one line: "\u2717 1 failed, \u2713 3 succeeded".

    Where room is short: no words, and only what weighs most and the `most` - 1 largest of the rest.
    """
    weighed = by_weight(counts)
    large = sorted(weighed[1:], key=lambda pair: -pair[1])[: most - 1]
    shown = [pair for pair in weighed if pair == weighed[0] or pair in large]
    parts = [f"{look(state).icon} {n:,}" + (f" {look(state).word}" if words else "") for state, n in shown]
    left = sum(n for _, n in weighed) - sum(n for _, n in shown)
    if left:
        parts.append(f"+ {left:,}")
    return (", " if words else "  ").join(parts)
