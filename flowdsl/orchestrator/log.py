"""A log with levels and fields, on the standard library's logging: every handler there is gets the same records."""

from __future__ import annotations

import logging
import sys
from typing import Any, Dict, FrozenSet, Mapping, Optional

from flowdsl.definition.checks import refuse
from flowdsl.executors.current import here

__all__ = ["LEVELS", "Log", "correlation"]

NAME = "flowdsl.log"
TASKS = "flowdsl.log.tasks"
LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}

# What a LogRecord has of its own; a field of such a name is found in `record.fields` only.
_OWN: FrozenSet[str] = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "fields"}


class Log:
    """Writes lines with fields; `child` binds fields to all lines of another one."""

    def __init__(self, name: str = NAME, fields: Optional[Mapping[str, Any]] = None) -> None:
        self.logger = logging.getLogger(name)
        self.fields: Mapping[str, Any] = dict(fields or {})

    @classmethod
    def of_task(cls, task_id: str, attempt: int) -> Log:
        """The log of an attempt."""
        return Log(TASKS, {"taskId": task_id, "attempt": attempt})

    def child(self, fields: Optional[Mapping[str, Any]] = None, **more_fields: Any) -> Log:
        """A log whose lines all have these fields too."""
        return Log(self.logger.name, {**self.fields, **_together(fields, more_fields)})

    def debug(self, message: str, fields: Optional[Mapping[str, Any]] = None, **more_fields: Any) -> None:
        """Write a line that helps to find a fault."""
        self._write(logging.DEBUG, message, fields, more_fields)

    def info(self, message: str, fields: Optional[Mapping[str, Any]] = None, **more_fields: Any) -> None:
        """Write a line about what goes as it should; `fields` is a dict, more may be given by name."""
        self._write(logging.INFO, message, fields, more_fields)

    def warn(self, message: str, fields: Optional[Mapping[str, Any]] = None, **more_fields: Any) -> None:
        """Write a line about what may be wrong."""
        self._write(logging.WARNING, message, fields, more_fields)

    def error(self, message: str, fields: Optional[Mapping[str, Any]] = None, **more_fields: Any) -> None:
        """Write a line about what is wrong; inside `except`, with the traceback."""
        self._write(logging.ERROR, message, fields, more_fields)

    def _write(self, level: int, message: str, fields: Optional[Mapping[str, Any]], more: Mapping[str, Any]) -> None:
        if not self.logger.isEnabledFor(level):
            return
        told = {**correlation(), **self.fields, **_together(fields, more)}
        extra: Dict[str, Any] = {name: value for name, value in told.items() if name not in _OWN}
        extra["fields"] = told
        failing = level >= logging.ERROR and _is_handling()
        self.logger.log(level, "%s", message, extra=extra, exc_info=failing, stacklevel=3)

    def __repr__(self) -> str:
        return "<log %r, bound to %r>" % (self.logger.name, dict(self.fields))


def correlation() -> Dict[str, Any]:
    """The attempt that this code runs in, as fields; empty outside one."""
    attempt = here()
    return {} if attempt is None else {"taskId": attempt.task, "attempt": attempt.attempt}


def _together(fields: Optional[Mapping[str, Any]], more: Mapping[str, Any]) -> Dict[str, Any]:
    if fields is not None and not isinstance(fields, Mapping):
        refuse("log", "fields", fields, 'is not a dict; write log.info("message", {"taskId": task_id})')
    return {str(name): value for name, value in {**(fields or {}), **more}.items()}


def _is_handling() -> bool:
    """Whether an exception is being handled."""
    return sys.exc_info()[0] is not None
