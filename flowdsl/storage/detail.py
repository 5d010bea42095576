"""What an event's detail becomes on disk: JSON within limits, and a file of its own where it is too long for a line."""

from __future__ import annotations

import json
import os
import re
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Tuple

MESSAGE_LIMIT = 4_096  # characters of a message, its truncation mark included
DETAIL_LIMIT = 1_000_000  # bytes of a detail in its line; a longer one is spilled
MESSAGES = ("message", "error")
FOLDER = "details"

_NAME = re.compile(FOLDER + r"/[0-9]+-[0-9a-f]{16}\.json")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_DIGITS = 1_000  # of a whole number; Python itself refuses to read or write more than some thousands

Spill = Callable[[int, bytes], Mapping[str, Any]]  # (seq, detail) -> where it was put

encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def detail_text(detail: Mapping[str, Any]) -> str:
    """A detail as JSON, its messages cut to the limit; what JSON cannot hold is written as its repr.

    Most details are a few short scalars, which this writes twice as fast as the encoder, whose set-up costs
    more than the work; and most of those say how a task joins.
    """
    upstream, action = detail.get("upstream"), detail.get("action")
    if len(detail) == 2 and type(upstream) is tuple and type(action) is str and len(action) <= MESSAGE_LIMIT:
        with_names = _names_text(upstream)
        if with_names:
            return f'{{"action":{quoted(action)},"upstream":{with_names}}}'
    cpu_s = detail.get("cpu_s")
    if len(detail) == 1 and type(cpu_s) is float and cpu_s - cpu_s == 0.0:  # that of most attempts that succeed
        return f'{{"cpu_s":{cpu_s!r}}}'
    parts: List[str] = []
    for key, value in detail.items():
        kind = type(value)
        if kind is str and len(value) <= MESSAGE_LIMIT:
            text = quoted(value)
        elif (kind is int and -1e15 < value < 1e15) or (kind is float and value - value == 0.0):
            text = repr(value)
        elif kind is tuple:
            text = _names_text(value)
        else:
            text = ""
        if not text:
            return _any_text(detail)
        parts.append(f"{quoted(key)}:{text}" if type(key) is str else f'"{key}":{text}')
    return "{" + ",".join(parts) + "}"


def _names_text(names: Tuple[Any, ...]) -> str:
    """A tuple of strings as JSON; empty for any other tuple."""
    try:
        return "[%s]" % ",".join(map(quoted, names))
    except TypeError:
        return ""


def _any_text(detail: Mapping[str, Any]) -> str:
    for key in MESSAGES:
        message = detail.get(key)
        if isinstance(message, str) and len(message) > MESSAGE_LIMIT:
            detail = {**detail, key: clip(message)}
    try:
        return encode(detail)
    except (TypeError, ValueError, RecursionError):
        return encode(_plain(detail))


def clip(message: str) -> str:
    """The message, cut to MESSAGE_LIMIT characters with a mark that says so."""
    if len(message) <= MESSAGE_LIMIT:
        return message
    mark = f" ... [truncated, {len(message)} characters in all]"
    return message[: MESSAGE_LIMIT - len(mark)] + mark


def _plain(value: Any, depth: int = 8) -> Any:
    """`value` with everything that JSON has no word for replaced by text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int) and abs(value) < 10**_DIGITS:
        return int(value)
    if isinstance(value, float) and value - value == 0.0:  # neither inf nor nan
        return float(value)
    if isinstance(value, Mapping) and depth:
        return {str(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return [_plain(item, depth - 1) for item in value]
    return _described(value)


def _described(value: Any) -> str:
    try:
        return clip(repr(value))
    except Exception:  # a repr of the user's, or a number of too many digits
        return f"<{type(value).__name__}>"


# ---- a file of its own


def spill(run_dir: Path, seq: int, text: bytes, fsync: bool = False) -> Dict[str, Any]:
    """Where the detail was put: its file (relative to the run's directory), its digest, its length in bytes."""
    digest = sha256(text).hexdigest()
    path = run_dir / FOLDER / f"{seq}-{digest[:16]}.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(str(path), _FLAGS, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        if fsync:
            os.fsync(file.fileno())
    return {"file": f"{FOLDER}/{path.name}", "sha256": digest, "bytes": len(text)}


def unspill(run_dir: Path, where: Mapping[str, Any]) -> Dict[str, Any]:
    """The detail that `spill` put there; ValueError where the file is missing, changed or not one of ours."""
    name = where.get("file")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"the detail's file has a name that the journal does not give: {str(name)[:80]!r}")
    path = run_dir / name
    if not path.is_file() or path.stat().st_size != where.get("bytes"):
        raise ValueError(f"the detail's file {name} is missing or has another length")
    text = path.read_bytes()
    if sha256(text).hexdigest() != where.get("sha256"):
        raise ValueError(f"the detail's file {name} does not have the digest that the line gives")
    detail = json.loads(text.decode())
    if not isinstance(detail, dict):
        raise ValueError(f"the detail's file {name} holds no object")
    return detail
