"""Reading a journal back, as far as it is whole: what is damaged is reported and passed over, nothing is unpickled."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, List, Mapping, NamedTuple, Optional, Tuple, Union

from flowdsl.engine.events import Batch, Event
from flowdsl.storage.detail import unspill
from flowdsl.storage.failure import refusal
from flowdsl.storage.line import CUT_OFF, LONGEST, NEWER, BadLine, Line, parse_line
from flowdsl.storage.lock import locked_by
from flowdsl.storage.times import parse_moment

FILE = "events.jsonl"
QUEUE_DIR = "orchestrator"  # where an orchestrator keeps the journal of its queue, which is no run
NO_RUN = -1.0  # in the place of a moment
_FIRST_AT = re.compile(rb'"at":"([^"]{27})"')


class Damage(NamedTuple):
    """Something in the file that cannot be believed."""

    offset: int  # bytes from the start of the file
    line: int  # counted from 1
    reason: str


class Log(NamedTuple):
    """What a journal says."""

    batches: List[Batch]  # consecutive events of one moment; `seq` runs on inside a batch
    damage: List[Damage]
    locked_by: Optional[int]  # the pid of the living process that writes it; -1 where its pid is unknown
    path: Path  # the run's directory
    torn: bool  # the file ends in the middle of a line: a writer died there, or is at it just now

    @property
    def torn_lines(self) -> int:
        """How many lines were cut off, sealed ones and the last one together."""
        return self.torn + sum(damage.reason == CUT_OFF for damage in self.damage)


def read_journal(run_dir: Union[str, os.PathLike[str]]) -> Log:
    """The log of the run in `run_dir`, finished, going on or crashed; FileNotFoundError where there is no journal."""
    path = Path(run_dir)
    pid = locked_by(path)  # asked before reading: a writer that ends in between has then written all that is read
    reader = _read(path)
    return Log(reader.batches, reader.damage, pid, path, reader.torn)


def next_seq(run_dir: Path) -> int:
    """The number that the next event there may have; damaged lines keep theirs. OSError where none can be told."""
    reader = _read(run_dir)
    newer = [damage for damage in reader.damage if damage.reason.startswith(NEWER)]
    if newer:
        raise refusal(errno.EPERM, f"line {newer[0].line}: {newer[0].reason}")
    return reader.expected + reader.passed_over + reader.torn


def _read(run_dir: Path) -> _Reader:
    path = run_dir / FILE
    if path.exists() and not path.is_file():  # opening a pipe would block for ever
        raise FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
    reader = _Reader(run_dir)
    with path.open("rb") as file:
        reader.read(file)
    return reader


class _Reader:
    """Where a reading is: the open batch, the number that the next line should have, what was passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.batches: List[Batch] = []
        self.damage: List[Damage] = []
        self.torn = False
        self.expected = 0
        self.passed_over = 0  # damaged lines since the last good one
        self._events: List[Event] = []
        self._first: Tuple[int, float] = (0, 0.0)

    def read(self, file: BinaryIO) -> None:
        offset = 0
        for number, raw in enumerate(file, 1):
            whole = raw[-1:] == b"\n"
            try:
                line = parse_line(raw[:-1] if whole else raw)
            except BadLine as exc:
                self._bad(Damage(offset, number, str(exc)), whole)
            else:
                self._good(line, offset, number)
            offset += len(raw)
        self._close_batch()

    def _bad(self, damage: Damage, whole: bool) -> None:
        if not whole and damage.reason == CUT_OFF:
            self.torn = True
            return
        self.passed_over += 1
        self.damage.append(damage)

    def _good(self, line: Line, offset: int, number: int) -> None:
        seq, at, event, spilled = line
        if seq != self.expected and not self._jump(Damage(offset, number, ""), seq):
            return
        if spilled is not None:
            event = self._unspilled(event, line, offset, number)
        if seq != self.expected or at != self._first[1] or not self._events:
            self._close_batch()
            self._first = (seq, at)
        self._events.append(event)
        self.expected = seq + 1
        self.passed_over = 0

    def _jump(self, damage: Damage, seq: int) -> bool:
        """Report a number that does not follow; whether the line is to be believed all the same."""
        missing = seq - self.expected
        if missing < 0:
            self.damage.append(damage._replace(reason=f"seq {seq} comes again: the line is a copy, or out of place"))
            return False
        if missing > self.passed_over:
            text = f"seq {seq} comes where {self.expected} should: lines are missing before this one"
            self.damage.append(damage._replace(reason=text))
        return True

    def _unspilled(self, event: Event, line: Line, offset: int, number: int) -> Event:
        try:
            return event._replace(detail=unspill(self.path, line.spilled or {}))
        except (OSError, ValueError, RecursionError) as exc:
            self.damage.append(Damage(offset, number, str(exc)))
            return event

    def _close_batch(self) -> None:
        if self._events:
            self.batches.append(Batch(self._first[0], self._first[1], tuple(self._events)))
            self._events = []


def run_dirs(log_dir: Union[str, os.PathLike[str]]) -> List[Path]:
    """The directories of the runs in `log_dir`, newest last; empty where there are none.

    Those that this user may not look into are among them. OSError where `log_dir` itself may not be read.
    """
    root = Path(log_dir)
    if not root.is_dir():
        return []
    found = [(_started_at(path), path) for path in root.iterdir() if path.name != QUEUE_DIR]
    return [path for at, path in sorted(found) if at >= 0.0]


def read_header(run_dir: Path) -> Mapping[str, Any]:
    """What the first line of the journal says of the run; empty where there is none that can be believed."""
    try:
        with (run_dir / FILE).open("rb") as file:
            line = file.readline(LONGEST)
        return parse_line(line.rstrip(b"\n")).event.detail or {}
    except (OSError, BadLine):
        return {}


def _started_at(run_dir: Path) -> float:
    """When the run began: the moment of its first line, else that of its last change; negative where there is none."""
    path = run_dir / FILE
    try:
        if not path.is_file():
            return NO_RUN
        with path.open("rb") as file:
            found = _FIRST_AT.search(file.read(256))
        return parse_moment(found.group(1).decode()) if found else path.stat().st_mtime
    except ValueError:
        return _changed_at(path)
    except PermissionError:
        return _changed_at(run_dir)
    except OSError:  # removed just now
        return NO_RUN


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return NO_RUN
