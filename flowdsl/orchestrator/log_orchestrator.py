"""LogOrchestrator: what the system has to say, as lines of JSON that rotate, on a console, and as a DataFrame."""

from __future__ import annotations

import logging
import sys
import warnings
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Union

from flowdsl.definition.checks import check_choice, check_count, check_flag, refuse, refuse_unknown
from flowdsl.definition.counted import counted
from flowdsl.definition.options import FLOW_CHECKS
from flowdsl.errors import ConfigError
from flowdsl.orchestrator.log import LEVELS, NAME, Log
from flowdsl.orchestrator.log_files import FILE, ROTATIONS, entries, open_handler
from flowdsl.orchestrator.log_frame import When, frame, wanted
from flowdsl.orchestrator.log_lines import Console, Correlate, JsonLines
from flowdsl.settings import options

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LogOrchestrator"]

OPTIONS: Mapping[str, str] = {  # in the document's words
    "logDir": "log_dir",
    "level": "level",
    "console": "console",
    "rotation": "rotation",
    "maxFileSize": "max_bytes",
    "maxFiles": "max_files",
    "name": "name",
}


class LogOrchestrator(Log):
    """A log on the standard library's logging, with a file of JSON lines and, if asked, a console.

    Args:
        log_dir: the directory of ``log.jsonl``; it is made.
        level: "debug", "info", "warn" or "error": lines below it are not written.
        console: write to the standard error too.
        rotation: begin a new file when the old one has `max_bytes` ("size"), each hour ("hourly") or day ("daily").
        max_bytes: bytes of a file, for rotation by size.
        max_files: how many older files are kept.
        name: the name of the logger; "" is the root, which hears of all that any library logs.

    Every handler of that logger and of those above it gets the same records, with the fields in ``record.fields``
    and as attributes. Another LogOrchestrator of the same name and directory takes this one's place.

    Raises ConfigError for an option that makes no sense, LogWriteError where the directory cannot be written.
    """

    def __init__(
        self,
        log_dir: Union[str, PathLike[str]] = "./logs",
        *,
        level: str = "info",
        console: bool = False,
        rotation: str = "size",
        max_bytes: int = 10_000_000,
        max_files: int = 5,
        name: str = NAME,
        **unknown: Any,
    ) -> None:
        where = "LogOrchestrator"
        known = tuple(OPTIONS.values())
        refuse_unknown(unknown, known, where)
        if not isinstance(name, str):
            refuse(where, "name", name, "is not a str")
        check_choice(level, "level", where, tuple(LEVELS))
        check_choice(rotation, "rotation", where, ROTATIONS)
        size = check_count(max_bytes, "max_bytes", where, least=1, hint="it is the size of a file in bytes")
        files = check_count(max_files, "max_files", where, least=0, hint="it is the number of older files to keep")
        super().__init__(name)
        self.dir = Path(FLOW_CHECKS["log_dir"](log_dir, "log_dir", where)).absolute()
        self._handlers: List[logging.Handler] = []
        self._take_place()
        self._attach(open_handler(self.dir, rotation, size, files), JsonLines())
        if check_flag(console, "console", where):
            self._attach(logging.StreamHandler(sys.stderr), Console())
        self.set_level(level)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> LogOrchestrator:
        """The log that a dict in the document's words describes; ConfigError for a key that is none of them."""
        if not isinstance(options, Mapping):
            raise ConfigError("LogOrchestrator.from_options: give a dict, such as {'logDir': './logs'}")
        refuse_unknown(
            [name for name in options if name not in OPTIONS], tuple(OPTIONS), "LogOrchestrator.from_options"
        )
        said: Dict[str, Any] = {OPTIONS[name]: value for name, value in options.items()}
        return cls(**said)

    # ---- how it writes

    def set_level(self, level: str) -> None:
        """Write lines of this level and graver ones."""
        number = LEVELS[check_choice(level, "level", "LogOrchestrator", tuple(LEVELS))]
        for handler in self._handlers:  # which hears of loggers below, too, that may have levels of their own
            handler.setLevel(number)
        self._settle_level()

    def add_filter(self, keep: Callable[[logging.LogRecord], bool]) -> Callable[[logging.LogRecord], bool]:
        """Write only records for which `keep(record)` is true; their fields are in ``record.fields``. Returns it."""
        for handler in self._handlers:
            handler.addFilter(keep)
        return keep

    def remove_filter(self, keep: Callable[[logging.LogRecord], bool]) -> None:
        """Take a filter away again."""
        for handler in self._handlers:
            handler.removeFilter(keep)

    def close(self) -> None:
        """Write no more. Twice does no harm."""
        handlers, self._handlers = self._handlers, []
        for handler in handlers:
            self.logger.removeHandler(handler)
            handler.close()
        self._settle_level()

    def __enter__(self) -> LogOrchestrator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- what it wrote

    def logs(
        self,
        *,
        level: Optional[str] = None,
        task: Optional[str] = None,
        since: When = None,
        until: When = None,
        text: Optional[str] = None,
        logger: Optional[str] = None,
    ) -> pd.DataFrame:
        """A DataFrame with one row a line, oldest first, from all files that there are.

        Args:
            level: lines of this level and graver ones.
            task: lines of this task.
            since, until: from this moment on, and before that one: datetimes, ISO 8601 text or seconds since the epoch.
            text: lines with this text in the message, the fields or the traceback; case does not count.
            logger: lines of this logger and those below it.

        =========  ===================  ===========================================  ============================
        name       dtype                meaning                                      when null
        =========  ===================  ===========================================  ============================
        time       datetime64[us, UTC]  when the line was written                    never
        level      string               debug, info, warn or error                   never
        logger     string               the name of the logger                       never
        message    string               the message                                  never
        taskId     string               the task that it is about                    it is about none
        attempt    Int64                the attempt, from 1, that it was written in  outside an attempt
        fields     object (dict)        the other fields                             never; it may be empty
        error      string               the traceback                                no exception was being handled
        =========  ===================  ===========================================  ============================

        Lines that cannot be read are passed over, with one warning that counts them.
        """
        conditions = wanted(level, task, since, until, text, logger)
        found = list(entries(self.dir))
        good = [entry for entry in found if entry is not None]
        if len(good) < len(found):
            lost = counted(len(found) - len(good), "line")
            warnings.warn(f"{lost} in {self.dir / FILE} cannot be read", stacklevel=2)
        return frame(good, conditions)

    def search(self, text: str = "", *, task: Optional[str] = None, **conditions: Any) -> pd.DataFrame:
        """The lines with this text, or of this task; a DataFrame as from `logs`."""
        return self.logs(text=text or None, task=task, **conditions)

    # ---- handlers

    def _take_place(self) -> None:
        """A notebook cell that is run again makes the log again: no line is to be written twice."""
        for handler in list(self.logger.handlers):
            if getattr(handler, "flowdsl_log", None) == str(self.dir):
                self.logger.removeHandler(handler)
                handler.close()

    def _settle_level(self) -> None:
        """The logger lets through what any log on it wants; without one it has the level that it had before."""
        logger: Any = self.logger
        wanted = [handler.level for handler in logger.handlers if hasattr(handler, "flowdsl_log")]
        if wanted:
            logger.flowdsl_before = getattr(logger, "flowdsl_before", logger.level)
            logger.setLevel(min(wanted))
        elif hasattr(logger, "flowdsl_before"):
            logger.setLevel(logger.flowdsl_before)
            del logger.flowdsl_before

    def _attach(self, handler: logging.Handler, formatter: logging.Formatter) -> None:
        handler.flowdsl_log = str(self.dir)  # type: ignore[attr-defined]
        handler.setFormatter(formatter)
        handler.addFilter(Correlate())
        self.logger.addHandler(handler)
        self._handlers.append(handler)

    def __repr__(self) -> str:
        return "<LogOrchestrator %r%s>" % (self.logger.name, "" if options.stable_repr else " in %s" % self.dir)
