"""How long the tasks of a run took: a small file beside its journal, which holds nothing that the journal does not.

It is there so that the next run of the flow need not read journals before it begins. Where it is missing (the process
died) or cannot be believed, it is made again from the journal. What is read is checked and not trusted: it changes
the order of tasks that are ready, and nothing else.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections import Counter
from contextlib import suppress
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Mapping, NamedTuple, NoReturn, Optional, Tuple
from zlib import crc32

from flowdsl.engine import events as ev
from flowdsl.engine.events import Event
from flowdsl.storage.atomic import write_atomically
from flowdsl.storage.line import BadLine, parse_line
from flowdsl.storage.reading import FILE as JOURNAL

__all__ = ["BRIEF", "FILE", "Durations", "durations_of", "means", "read_durations", "rebuilt", "write_durations"]

FILE = "durations.json"
VERSION = 1
BRIEF = 0.001  # seconds; what took less is kept by name alone, and counts half of that
LARGEST = 16_000_000  # bytes of a file that is read: some 500,000 tasks
LARGEST_JOURNAL = 64_000_000  # bytes of a journal that is searched

_TAIL = b',"crc":"%08x"}\n'
_TAIL_LENGTH = len(_TAIL % 0)
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class Durations(NamedTuple):
    """What a run tells those that come after it; seconds of the attempt that succeeded."""

    flow: str
    place: str  # the notebook or script that made the run, else the folder
    seconds: Mapping[str, float]  # by task; of a mapped task the mean of its items
    functions: Mapping[str, float] = {}  # by function: the mean of its tasks, but for the brief ones
    sizes: Mapping[str, int] = {}  # by mapped task: how many of its items succeeded


def durations_of(
    flow: str, place: str, clock: Mapping[str, float], function_of: Optional[Callable[[str], str]] = None
) -> Durations:
    """Durations from seconds by attempt; negative ones did not succeed. `function_of` names the function of a task.

    A run in which everything was brief tells nothing: what is alike needs no order.
    """
    if max(clock.values(), default=0.0) < BRIEF:
        return Durations(flow, place, {})
    lasted = {name: seconds for name, seconds in clock.items() if seconds >= 0.0}
    items = [(name.partition("[")[0], lasted.pop(name)) for name in [name for name in lasted if name[-1:] == "]"]]
    lasted.update(means(items))
    sizes = Counter(name for name, _ in items)
    if function_of is None:
        return Durations(flow, place, lasted, {}, sizes)
    longer = ((function_of(name), seconds) for name, seconds in lasted.items() if seconds >= BRIEF)
    return Durations(flow, place, lasted, means(longer), sizes)


def means(pairs: Iterable[Tuple[str, float]]) -> Dict[str, float]:
    """The mean of the seconds that come with each name."""
    sums: Dict[str, float] = {}
    counts: Dict[str, int] = {}
    for name, seconds in pairs:
        sums[name] = sums.get(name, 0.0) + seconds
        counts[name] = counts.get(name, 0) + 1
    return {name: sums[name] / counts[name] for name in sums}


# ---- writing


def write_durations(run_dir: Path, durations: Durations) -> None:
    """Put the file there in one step. Where that cannot be done there is none: nothing is lost by it."""
    with suppress(OSError):
        write_atomically(run_dir / FILE, _text(durations))


def _text(durations: Durations) -> bytes:
    flow, place, seconds, functions, sizes = durations
    head = '{"v":%d,"flow":%s,"place":%s' % (VERSION, quoted(flow), quoted(place))
    brief = ",".join([quoted(name) for name, value in seconds.items() if value < BRIEF])
    counts = ",".join(["%s:%d" % (quoted(name), size) for name, size in sizes.items()])
    numbers = (_numbers(seconds), _numbers(functions), counts, brief)
    body = head + ',"seconds":%s,"functions":%s,"sizes":{%s},"brief":[%s]' % numbers
    data = body.encode()
    return data + _TAIL % crc32(data)


def _numbers(seconds: Mapping[str, float]) -> str:
    return "{%s}" % ",".join(["%s:%.6g" % (quoted(name), value) for name, value in seconds.items() if value >= BRIEF])


# ---- reading


def read_durations(run_dir: Path) -> Durations:
    """What the file says; ValueError where it cannot be believed, OSError where there is none."""
    data = _read(run_dir / FILE, LARGEST)
    if data[-_TAIL_LENGTH:] != _TAIL % crc32(data[:-_TAIL_LENGTH]):
        raise ValueError("the checksum does not match")
    try:
        fields = json.loads(data.decode(), parse_constant=_refuse)
    except RecursionError as exc:
        raise ValueError("too deep") from exc
    if type(fields) is not dict or fields.get("v") != VERSION:
        raise ValueError("another version")
    flow, place, brief = fields.get("flow"), fields.get("place"), fields.get("brief")
    if (
        type(flow) is not str
        or type(place) is not str
        or type(brief) is not list
        or not all(type(name) is str for name in brief)
    ):
        raise ValueError("another form")
    seconds = {**dict.fromkeys(brief, BRIEF / 2), **_numbered(fields.get("seconds"))}
    sizes = {name: int(size) for name, size in _numbered(fields.get("sizes")).items()}
    return Durations(flow, place, seconds, _numbered(fields.get("functions")), sizes)


def _read(path: Path, most: int) -> bytes:
    """The bytes of a regular file of at most so many; a pipe would block, a link may lead anywhere."""
    fd = os.open(str(path), _OPEN)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise ValueError("not a regular file, or too long")
        return file.read(most)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _numbered(value: Any) -> Dict[str, float]:
    if type(value) is not dict:
        raise ValueError("another form")
    for number in value.values():
        if type(number) not in (int, float) or not 0.0 <= number < math.inf:
            raise ValueError("not a number of anything")
    return value


# ---- making it again


class Rebuilt(NamedTuple):
    """Durations found in a journal, and what that cost: as much as to parse so many lines."""

    durations: Durations
    effort: int


def rebuilt(run_dir: Path, most: int) -> Rebuilt:
    """Durations from the journal, from at most so many of its lines about attempts; ValueError or OSError where none.

    Only lines about attempts are parsed, and one that is damaged is passed over.
    """
    data = _read(run_dir / JOURNAL, LARGEST_JOURNAL)
    lines = iter(data.split(b"\n"))
    flow, place = _header(next(lines, b""))
    clock: Dict[str, float] = {}
    parsed = 0
    for raw in lines:
        if b'"event":"attempt_s' not in raw:
            continue
        if parsed == most:
            break
        parsed += 1
        with suppress(BadLine):
            line = parse_line(raw)
            note(clock, line.event, line.at)
    return Rebuilt(durations_of(flow, place, clock), parsed + len(data) // 1_000)


def note(clock: Dict[str, float], event: Event, at: float) -> None:
    """Take an event into a clock: a task's entry is negative until it has succeeded, then it is the seconds."""
    if event.event == ev.ATTEMPT_STARTED:
        clock[event.task] = -at
    elif event.event == ev.ATTEMPT_SUCCEEDED and clock.get(event.task, 0.0) < 0.0:
        clock[event.task] += at


def _header(raw: bytes) -> Tuple[str, str]:
    detail: Mapping[str, Any] = parse_line(raw).event.detail or {}
    flow, place = detail.get("flow"), detail.get("file") or detail.get("folder")
    if type(flow) is not str or type(place) is not str:
        raise ValueError("the first line does not say whose run it is")
    return flow, place
