"""One event as one line of the journal, both ways: its fields, its version, its checksum."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as quoted
from sys import intern
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, NoReturn, Optional, Sequence, Tuple
from zlib import crc32

from flowdsl.engine.events import Event
from flowdsl.storage.detail import DETAIL_LIMIT, Spill, detail_text, encode
from flowdsl.storage.times import moment_text, parse_moment

VERSION = 1
LONGEST = 4 * DETAIL_LIMIT  # bytes; nothing that we write comes near

_TAIL = b',"crc":"%08x"}'
_TAIL_LENGTH = len(_TAIL % 0)

# The reasons that the reader tells apart.
CUT_OFF = "the line is cut off: its writer died, or could not write, in the middle of it"
NEWER = "the line was written by a newer flowdsl"


class Line(NamedTuple):
    """What one line says; `spilled` is where its detail is, if that was too long for the line."""

    seq: int
    at: float
    event: Event
    spilled: Optional[Mapping[str, Any]]


class BadLine(ValueError):
    """A line that is not what the journal wrote; the message is the reason."""


# ---- writing

NOTHING_FIXED: Mapping[int, str] = {}
Batches = Iterable[Tuple[float, Sequence[Event]]]
Words = Tuple[str, str, str, str, int]  # event, before, state, cause, attempt
_START = '{"v":%d,"seq":' % VERSION
_heads: Dict[Words, Tuple[str, str]] = {}


def _head(words: Words) -> Tuple[str, str]:
    """What is fixed in a line with these words, before and behind its task; they are a small set, so few are kept."""
    if len(_heads) > 1_000:
        _heads.clear()
    head = _heads[words] = (
        '"event":%s,"task":' % quoted(words[0]),
        f',"attempt":{words[4]},"before":{quoted(words[1])},"state":{quoted(words[2])},"cause":{quoted(words[3])}',
    )
    return head


def format_lines(batches: Batches, seq: int, spill: Spill, fixed: Mapping[int, str] = NOTHING_FIXED) -> bytes:
    """The lines of batches of events, each with its moment in seconds since the epoch; `seq` is that of the first line.

    `fixed` has, by `id`, what some details are as text. The hot path of every run: 0.8 us a line, of which the checksum
    is 0.1. A name is quoted each time: 0.05 us, where a cache would save half and hold on to every name. Only text goes
    into the f-string: numbers make it grow in steps.
    """
    lines: List[bytes] = []
    for at, events in batches:
        moment = f',"at":"{moment_text(at)}",'
        for event, task, attempt, before, state, cause, cause_task, attempt_cause, mechanism, detail in events:
            words = (event, before, state, cause, attempt)
            head, tail = _heads.get(words) or _head(words)
            more = ""
            if cause_task or attempt_cause or mechanism:
                more = _whys(cause_task, attempt_cause, mechanism)
            if detail:
                more += fixed.get(id(detail)) or detail_part(detail, seq, spill)
            body = f"{_START}{seq!r}{moment}{head}{quoted(task)}{tail}{more}".encode()
            lines.append(b'%b,"crc":"%08x"}\n' % (body, crc32(body)))
            seq += 1
    return b"".join(lines)


def _whys(cause_task: str, attempt_cause: str, mechanism: str) -> str:
    more = ',"cause_task":' + quoted(cause_task) if cause_task else ""
    if attempt_cause:
        more += ',"attempt_cause":' + quoted(attempt_cause)
    if mechanism:
        more += ',"mechanism":' + quoted(mechanism)
    return more


def detail_part(detail: Mapping[str, Any], seq: int, spill: Spill) -> str:
    """The part of a line that holds the detail, or says where it was spilled to because it is too long."""
    text = detail_text(detail)
    if len(text) <= DETAIL_LIMIT:
        return ',"detail":' + text
    return ',"spilled":' + encode(spill(seq, text.encode()))


# ---- reading


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse).raw_decode


def parse_line(line: bytes) -> Line:
    """What the line (without its newline) says; BadLine where that cannot be believed."""
    if line[-_TAIL_LENGTH:] != _TAIL % crc32(line[:-_TAIL_LENGTH]):
        raise BadLine(_why_bad(line))
    try:
        return _to_line(_fields(line))
    except BadLine:
        raise
    except (LookupError, TypeError, ValueError, RecursionError) as exc:
        raise BadLine(f"the line is not an event ({type(exc).__name__}: {exc})") from exc


def _fields(line: bytes) -> Dict[str, Any]:
    if len(line) > LONGEST:
        raise BadLine(f"the line is longer than {LONGEST} bytes")
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
    if not (_is_count(seq) and _is_count(event.attempt)):
        raise TypeError("`seq` and `attempt` are whole numbers")
    if not (_is_object(event.detail) and _is_object(spilled)):
        raise TypeError("`detail` and `spilled` are objects")
    return Line(seq, parse_moment(fields["at"]), event, spilled)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 53  # what every reader of JSON can hold


def _is_object(value: Any) -> bool:
    return value is None or type(value) is dict


def _why_bad(line: bytes) -> str:
    """Why the checksum is missing or does not fit; a later version may keep it elsewhere, so that is asked first."""
    try:
        fields = json.loads(line.decode()) if len(line) <= LONGEST else None
    except (ValueError, RecursionError):
        fields = None
    version = fields.get("v") if type(fields) is dict else None
    if type(version) is int and version > VERSION:
        return _other_version(version)
    if line[-_TAIL_LENGTH:-10] != b',"crc":"' or line[-2:] != b'"}':
        return CUT_OFF
    return "the checksum does not match: the line was changed after it was written"


def _other_version(version: object) -> str:
    if type(version) is int and version > VERSION:
        return f"{NEWER}: its format is version {version}, known here is {VERSION}; update flowdsl to read it"
    return f"the line has a format version that never was: {str(version)[:40]!r}"
