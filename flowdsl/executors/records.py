"""Log records between processes: a worker has the levels of who started it, whose handlers get its records."""

from __future__ import annotations

import json
import logging
from typing import Any, Dict, FrozenSet, Iterator, Mapping, NamedTuple, Set, Tuple

from flowdsl.executors import current

PLAIN = (str, int, float, bool, type(None))
SENT = (*PLAIN, dict)
OFF = ("args", "exc_info", "msg")  # of a record: they are sent as text

Fields = Mapping[str, Any]
_adopted: Set[str] = set()  # names of loggers whose levels are not their own
_heard: Set[str] = set()  # names of loggers that have handlers where we come from


class Levels(NamedTuple):
    """How logging is set up here: the level that is off everywhere, levels by name, and names that have handlers."""

    disabled: int
    levels: Dict[str, int]
    heard: FrozenSet[str]


def here() -> Levels:
    """As it is in this process now; the root has the name ""."""
    levels, heard = {}, set()
    for name, logger in _loggers():
        if logger.level or not name:
            levels[name] = logger.level
        if any(type(handler) is not logging.NullHandler for handler in logger.handlers):
            heard.add(name)
    return Levels(logging.root.manager.disable, levels, frozenset(heard))


def _loggers() -> Iterator[Tuple[str, logging.Logger]]:
    yield "", logging.root
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):
            yield name, logger


def adopt(wanted: Levels) -> None:
    """Let loggers here pass what they pass there."""
    logging.disable(wanted.disabled)
    for name in _adopted - set(wanted.levels):
        logging.getLogger(name).setLevel(logging.NOTSET)
    for name, level in wanted.levels.items():
        logging.getLogger(name or None).setLevel(level)
    for names, found in ((_adopted, wanted.levels), (_heard, wanted.heard)):
        names.clear()
        names.update(found)


def is_heard(name: str) -> bool:
    """Whether that logger, or one above it, has handlers where we come from."""
    if not _heard:
        return False
    while name not in _heard and name:
        name = name.rpartition(".")[0]
    return name in _heard


def fields_of(record: logging.LogRecord) -> Fields:
    """The record as plain values, with the attempt; of what `extra=` gave it, what is plain, and dicts as JSON."""
    fields = {key: _plain(value) for key, value in record.__dict__.items() if type(value) in SENT and key not in OFF}
    attempt = current.here()
    if attempt is not None:
        fields.update(flowdsl_task=attempt.task, flowdsl_attempt=attempt.attempt)
    try:
        text = record.getMessage()
    except Exception as exc:
        text = "%r (%s)" % (record.msg, type(exc).__name__)
    if record.exc_info and not record.exc_text:
        fields["exc_text"] = logging.Formatter().formatException(record.exc_info)
    return {**fields, "msg": text, "args": None, "exc_info": None}


def _plain(value: Any) -> Any:
    if type(value) is not dict:
        return value
    try:
        return json.loads(json.dumps(value, default=repr))
    except Exception as exc:  # keys that are no text, or a repr of the user's that raises
        return {"unknown": "%s: %s" % (type(exc).__name__, exc)}


def handle(fields: Fields) -> None:
    """Give a record that came from elsewhere to the handlers here, as if it had been logged here; without any: no."""
    logger = logging.getLogger(str(fields.get("name", "")))
    if logger.isEnabledFor(int(fields.get("levelno", 0))) and logger.hasHandlers():
        logger.handle(logging.makeLogRecord(dict(fields)))
