"""The files of the log: written by one handler that rotates them, and read back as entries, oldest first."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler
from pathlib import Path
from typing import Any, Iterator, List, Optional

from flowdsl.orchestrator.log_lines import Entry, parse_line
from flowdsl.storage.failure import write_error

__all__ = ["FILE", "ROTATIONS", "entries", "open_handler"]

FILE = "log.jsonl"
ROTATIONS = ("size", "hourly", "daily")


class _Private:
    """Opens the file for its owner alone; a handler's `_open` is the place that the standard library has for that."""

    baseFilename: str

    def _open(self) -> TextIOWrapper:
        fd = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(fd, "a", encoding="utf-8")


class _BySize(_Private, RotatingFileHandler):
    """Rotates when the file is full."""


class _ByTime(_Private, TimedRotatingFileHandler):
    """Rotates when the hour or the day is over."""


def open_handler(directory: Path, rotation: str, max_bytes: int, max_files: int) -> logging.Handler:
    """A handler that appends to the log in `directory`, which is made; LogWriteError where that cannot be."""
    path = directory / FILE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if rotation == "size":
            return _BySize(str(path), maxBytes=max_bytes, backupCount=max_files)
        when = {"hourly": "h", "daily": "midnight"}[rotation]
        return _ByTime(str(path), when=when, backupCount=max_files, utc=True)
    except OSError as exc:
        raise write_error(path, exc) from exc


def entries(directory: Path) -> Iterator[Optional[Entry]]:
    """What the files of the log say, oldest first; None for each line that cannot be read."""
    for path in _files(directory):
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                yield parse_line(line)


def _files(directory: Path) -> List[Path]:
    """`log.jsonl.3` is older than `log.jsonl.2`; by time, `log.jsonl.2026-11-22` is older than `log.jsonl`."""
    found = [path for path in directory.glob(FILE + "*") if path.is_file()]
    return sorted(found, key=_age)


def _age(path: Path) -> Any:
    ending = path.name[len(FILE) + 1 :]
    if not ending:
        return (2, 0, "")
    return (0, -int(ending), "") if ending.isdigit() and len(ending) < 9 else (1, 0, ending)
