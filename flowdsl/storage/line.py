"""One event as one line of the journal, both ways: the format, its version, its checksum, its limits."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as quoted
from sys import intern
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, NoReturn, Optional, Sequence, Tuple
from zlib import crc32

from flowdsl.engine.events import Event
from flowdsl.storage.times import parse_moment

VERSION = 1
MESSAGE_LIMIT = 4_096  # characters of a message, its truncation mark included
DETAIL_LIMIT = 1_000_000  # bytes of a detail in its line; a longer one goes into a file beside the journal
LINE_LIMIT = 4 * DETAIL_LIMIT  # nothing that we write is longer
MESSAGES = ("message", "error")

_HEAD = '{"v":%d,"seq":%%d,"at":"%%s","event":%s,"task":%%s,"attempt":%%d,"before":%s,"state":%s,"cause":%s'
_TAIL = b',"crc":"%08x"}'
_TAIL_LENGTH = 18
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

Spill = Callable[[int, bytes], Mapping[str, Any]]  # (seq, detail) -> where it was put


class Line(NamedTuple):
    """What one line says; `spilled` is where its detail is, if that was too long for the line."""

    seq: int
    at: float
    event: Event
    spilled: Optional[Mapping[str, Any]]


class BadLine(ValueError):
    """A line that is not what the journal wrote; the message is the reason."""


CUT_OFF = "the line is cut off: its writer died, or could not write, in the middle of it"


# ---- writing

_heads: Dict[Tuple[str, str, str, str], str] = {}


def _head(words: Tuple[str, str, str, str]) -> str:
    """The fixed part of a line with these four words, ready for `%`; the words are a closed set, so few are kept."""
    if len(_heads) > 1_000:
        _heads.clear()
    head = _heads[words] = _HEAD % ((VERSION,) + tuple(quoted(word).replace("%", "%%") for word in words))
    return head


def format_lines(events: Sequence[Event], seq: int, at: str, spill: Spill) -> bytes:
    """The lines of a batch; `seq` is that of the first. Long by intent: at 100,000 tasks this is the cost of a log."""
    lines: List[str] = []
    for event, task, attempt, before, state, cause, cause_task, attempt_cause, mechanism, detail in events:
        words = (event, before, state, cause)
        body = (_heads.get(words) or _head(words)) % (seq, at, quoted(task), attempt)
        if cause_task:
            body += ',"cause_task":' + quoted(cause_task)
        if attempt_cause:
            body += ',"attempt_cause":' + quoted(attempt_cause)
        if mechanism:
            body += ',"mechanism":' + quoted(mechanism)
        if detail:
            body += _detail_part(detail, seq, spill)
        lines.append('%s,"crc":"%08x"}\n' % (body, crc32(body.encode())))
        seq += 1
    return "".join(lines).encode()


def _detail_part(detail: Mapping[str, Any], seq: int, spill: Spill) -> str:
    text = detail_text(detail)
    if len(text) <= DETAIL_LIMIT:
        return ',"detail":' + text
    return ',"spilled":' + _encode(spill(seq, text.encode()))


def detail_text(detail: Mapping[str, Any]) -> str:
    """A detail as JSON, its messages within the limit; what JSON cannot hold is written as its repr."""
    for key in MESSAGES:
        message = detail.get(key)
        if type(message) is str and len(message) > MESSAGE_LIMIT:
            detail = {**detail, key: clip(message)}
    try:
        return _encode(detail)
    except (TypeError, ValueError, RecursionError):
        return _encode(_plain(detail))


def clip(message: str) -> str:
    """The message, cut to MESSAGE_LIMIT characters with a mark that says so."""
    if len(message) <= MESSAGE_LIMIT:
        return message
    mark = " ... [truncated, %d characters in all]" % len(message)
    return message[: MESSAGE_LIMIT - len(mark)] + mark


def _plain(value: Any, depth: int = 8) -> Any:
    """`value` with everything that JSON has no word for replaced by text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping) and depth:
        return {str(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, float) and value - value == 0:  # neither inf nor nan
        return value
    return clip(repr(value))


# ---- reading


def _refuse(constant: str) -> NoReturn:
    raise ValueError("%s is not JSON" % constant)


_decode = json.JSONDecoder(parse_constant=_refuse).raw_decode


def parse_line(line: bytes) -> Line:
    """What the line (without its newline) says; BadLine where that cannot be believed."""
    if line[-_TAIL_LENGTH:] != _TAIL % crc32(line[:-_TAIL_LENGTH]):
        raise BadLine(_why_bad(line))
    try:
        return _to_line(_fields(line))
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        raise BadLine("the line is not an event: %s" % (exc,)) from exc


def _fields(line: bytes) -> Dict[str, Any]:
    if len(line) > LINE_LIMIT:
        raise BadLine("the line is longer than %d bytes" % LINE_LIMIT)
    text = line.decode()
    fields, end = _decode(text)
    if end != len(text) or type(fields) is not dict:
        raise BadLine("the line is not one JSON object")
    if fields.get("v") != VERSION:
        raise BadLine(_other_version(fields.get("v")))
    return fields


def _to_line(fields: Dict[str, Any]) -> Line:
    """`intern` shares the few words and the names between events, and refuses what is not a str."""
    get = fields.get
    event = Event(
        intern(fields["event"]),
        intern(fields["task"]),
        fields["attempt"],
        intern(fields["before"]),
        intern(fields["state"]),
        intern(fields["cause"]),
        intern(get("cause_task", "")),
        intern(get("attempt_cause", "")),
        intern(get("mechanism", "")),
        get("detail"),
    )
    seq, spilled = fields["seq"], get("spilled")
    if type(seq) is not int or type(event.attempt) is not int:
        raise TypeError("`seq` and `attempt` are whole numbers")
    if not (_is_object(event.detail) and _is_object(spilled)):
        raise TypeError("`detail` and `spilled` are objects")
    return Line(seq, parse_moment(fields["at"]), event, spilled)


def _is_object(value: Any) -> bool:
    return value is None or type(value) is dict


def _why_bad(line: bytes) -> str:
    """Why the checksum is not there or does not fit; a later version may keep it elsewhere, so that is asked first."""
    try:
        fields = json.loads(line.decode()) if len(line) <= LINE_LIMIT else None
    except (ValueError, RecursionError):
        fields = None
    version = fields.get("v") if type(fields) is dict else None
    if type(version) is int and version > VERSION:
        return _other_version(version)
    if line[-_TAIL_LENGTH : -10] != b',"crc":"' or line[-2:] != b'"}':
        return CUT_OFF
    return "the checksum does not match: the line was changed after it was written"


def _other_version(version: object) -> str:
    if type(version) is int and version > VERSION:
        return "the line has format version %d, this flowdsl reads up to %d: update flowdsl" % (version, VERSION)
    return "the line has no format version that exists: %.40r" % (version,)
