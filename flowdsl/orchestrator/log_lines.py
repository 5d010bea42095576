"""One line of the log, both ways: a LogRecord as a line of JSON or of a console, and a line of JSON as what it says."""

from __future__ import annotations

import json
import logging
from typing import Any, Dict, Mapping, NamedTuple, Optional

from flowdsl.orchestrator.log import LEVELS, correlation
from flowdsl.storage.detail import clip, detail_text
from flowdsl.storage.times import millisecond_text, parse_moment

__all__ = ["Console", "Correlate", "Entry", "JsonLines", "parse_line"]

WORD_OF: Mapping[int, str] = {number: word for word, number in LEVELS.items()}
LONGEST = 8_000_000  # characters; nothing that we write comes near


class Entry(NamedTuple):
    """What one line says."""

    time: str  # ISO 8601, UTC, milliseconds
    level: str
    logger: str
    message: str
    task_id: Optional[str]
    attempt: Optional[int]
    fields: Dict[str, Any]
    error: Optional[str]  # a traceback


class Correlate(logging.Filter):
    """Gives the records of other libraries the attempt in which they were made, wherever that ran; ours have it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not isinstance(getattr(record, "fields", None), dict):
            task, attempt = getattr(record, "flowdsl_task", None), getattr(record, "flowdsl_attempt", None)
            record.fields = correlation() if task is None else {"taskId": task, "attempt": attempt}
        return True


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Dict[str, Any] = dict(getattr(record, "fields", {}))
        line: Dict[str, Any] = {
            "time": millisecond_text(record.created),
            "level": level_word(record.levelno),
            "logger": record.name,
            "message": clip(record.getMessage()),
        }
        for key in ("taskId", "attempt"):
            if fields.get(key) is not None:
                line[key] = fields.pop(key)
        if fields:
            line["fields"] = fields
        if record.exc_info or record.exc_text:  # of a record of another process there is the text alone
            line["traceback"] = _traceback(self, record)
        return detail_text(line)


class Console(logging.Formatter):
    """A record as one line for people: time, level, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        told = " ".join("%s=%s" % (name, _short(value)) for name, value in fields.items())
        when = millisecond_text(record.created)[11:23]
        text = "%s %-5s %s" % (when, level_word(record.levelno), _one_line(record.getMessage()))
        text = "%s  [%s]" % (text, told) if told else text
        return text + "\n" + _traceback(self, record) if record.exc_info or record.exc_text else text


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return formatter.formatException(record.exc_info) if record.exc_info else str(record.exc_text)


def level_word(number: int) -> str:
    """The nearest of our words that is not higher."""
    return next((word for at, word in sorted(WORD_OF.items(), reverse=True) if number >= at), "debug")


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _short(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:
        text = "<%s>" % type(value).__name__
    return _one_line(text if len(text) <= 80 else text[:77] + "...")


def _is_time(text: str) -> bool:
    try:
        parse_moment(text[:-1] + "000Z")
    except ValueError:
        return False
    return True


def parse_line(line: str) -> Optional[Entry]:
    """What a line says; None for one that is not ours, or was cut off."""
    try:
        found = json.loads(line) if len(line) <= LONGEST else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(found.get(key), str) for key in ("time", "level", "message")):
        return None
    if not _is_time(found["time"]):
        return None
    task, attempt, fields = found.get("taskId"), found.get("attempt"), found.get("fields")
    return Entry(
        found["time"],
        found["level"],
        str(found.get("logger", "")),
        found["message"],
        task if isinstance(task, str) else None,
        attempt if type(attempt) is int else None,
        fields if isinstance(fields, dict) else {},
        found.get("traceback") if isinstance(found.get("traceback"), str) else None,
    )
