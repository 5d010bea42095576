"""The lines of the log as a DataFrame, with filters."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NamedTuple, Optional, Union

from flowdsl.definition.checks import check_choice, refuse
from flowdsl.orchestrator.log import LEVELS
from flowdsl.orchestrator.log_lines import Entry

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Wanted", "frame", "moment"]

When = Union[str, float, datetime, None]


class Wanted(NamedTuple):
    """Which lines are wanted; None is no condition."""

    level: Optional[str] = None  # this or a graver one
    task: Optional[str] = None
    since: Optional[float] = None
    until: Optional[float] = None
    text: Optional[str] = None
    logger: Optional[str] = None

    def takes(self, entry: Entry, at: float) -> bool:
        """Whether a line of that moment, in seconds since the epoch, fulfils every condition."""
        return (
            (self.level is None or LEVELS.get(entry.level, 0) >= LEVELS[self.level])
            and (self.task is None or entry.task_id == self.task)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and (self.logger is None or (entry.logger + ".").startswith(self.logger + "."))
            and (self.text is None or self._is_in(entry, self.text.casefold()))
        )

    @staticmethod
    def _is_in(entry: Entry, text: str) -> bool:
        told = [entry.message, entry.error or "", *map(str, entry.fields), *map(str, entry.fields.values())]
        return any(text in one.casefold() for one in told)


def wanted(
    level: Optional[str], task: Optional[str], since: When, until: When, text: Optional[str], logger: Optional[str]
) -> Wanted:
    """The conditions, checked."""
    where = "logs"
    if level is not None:
        check_choice(level, "level", where, tuple(LEVELS))
    return Wanted(level, task, moment(since, "since", where), moment(until, "until", where), text, logger)


def moment(value: When, option: str, where: str) -> Optional[float]:
    """Seconds since the epoch of a datetime (UTC where it has no zone), of ISO 8601 text, or of a number of them."""
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            refuse(where, option, value, "is not a time; write 2026-11-22T16:10:29Z")
    if not isinstance(value, datetime):
        refuse(where, option, value, "is not a time; give a datetime, ISO 8601 text or seconds since the epoch")
    return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()


def frame(entries: Iterable[Entry], conditions: Wanted) -> pd.DataFrame:
    """A DataFrame with one row a line; see `LogOrchestrator.logs`."""
    from flowdsl.analysis.schema import build_frame, columns

    rows: List[Dict[str, Any]] = []
    for entry in entries:
        at = moment(entry.time, "time", "log") or 0.0
        if conditions.takes(entry, at):
            rows.append({**entry._asdict(), "time": at})
    names = {"time": "time", "level": "string", "logger": "string", "message": "string", "taskId": "string",
             "attempt": "integer", "error": "string"}  # fmt: skip
    schema = columns(" ".join("%s:%s" % pair for pair in names.items()))
    keys = {"taskId": "task_id"}
    found = build_frame(schema, {name: [row[keys.get(name, name)] for row in rows] for name in names})
    import pandas as pd

    found.insert(6, "fields", pd.Series([row["fields"] for row in rows], dtype=object, index=found.index))
    return found
