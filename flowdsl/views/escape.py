"""What makes a user's string fit to be shown: control characters out, HTML escaped, width measured, length cut."""

from __future__ import annotations

import html
import re
import unicodedata
from reprlib import Repr
from typing import Any

__all__ = ["clean", "clean_lines", "columns", "esc", "esc_lines", "safe_repr", "safe_str", "shorten"]

# A terminal's escape sequences go as a whole, so that "\x1b[31mred" becomes "red" and not "[31mred".
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_REPR = Repr()  # looks at a few items only, however many a value has
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 200
_BREAKS = re.compile(r"\r\n|[\n\v\f\r\x85\u2028\u2029]")
_BLANKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
# C0 and C1 controls, surrogates (UTF-8 cannot write them), characters that no XML document may hold, those that
# turn the direction of the text after them, invisible ones, and the private use area (`svg.py` keeps its places there).
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ue000-\uf8ff]"
)


def safe_str(value: Any) -> str:
    """`str(value)`, or the name of its type where that raises."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def safe_repr(value: Any) -> str:
    """`repr(value)`, cut to some length, without addresses; the name of its type where that raises."""
    try:
        return _ADDRESS.sub("", _REPR.repr(value))
    except Exception:
        return f"<{type(value).__name__}>"


def clean(value: Any) -> str:
    """One line of text without control characters; line breaks and tabs become a blank."""
    text = value if isinstance(value, str) else safe_str(value)
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("", _BLANKS.sub(" ", _SEQUENCES.sub("", text)))


def clean_lines(text: Any) -> str:
    """Text without control characters that keeps its line breaks; a tab is four blanks."""
    return "\n".join(map(clean, _BREAKS.split(safe_str(text).expandtabs(4))))


def esc_lines(text: Any) -> str:
    """Text of several lines for HTML, for inside a `<pre>`."""
    return html.escape(clean_lines(text), quote=True)


def esc(value: Any) -> str:
    """Text for HTML and SVG, between tags or inside quotes; the one way in which a user's string gets there."""
    return html.escape(clean(value), quote=True)


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes: two for wide East Asian characters, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_width(char) for char in text)


def shorten(value: Any, limit: int) -> str:
    """`value` as one clean line of at most `limit` columns, its middle replaced by an ellipsis where it is longer."""
    text = clean(value)
    if columns(text) <= limit:
        return text
    tail = limit // 3
    return _head(text, limit - 1 - tail) + "\u2026" + _head(text[::-1], tail)[::-1]


def _head(text: str, limit: int) -> str:
    used = 0
    for at, char in enumerate(text):
        used += _width(char)
        if used > limit:
            return text[:at]
    return text


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
