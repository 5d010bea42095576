"""What happened since somebody last looked: attempts that failed between one snapshot and the next."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional, Set, Tuple

from flowdsl.engine import states as st
from flowdsl.views.users_line import users_line

__all__ = ["News", "Watch", "error_line", "running"]


class News(NamedTuple):
    """An attempt that did not succeed; `final` when no other will follow."""

    task: str
    attempt: int
    state: str
    final: bool
    error: str  # one line, cleaned by whoever shows it
    where: str = ""  # the line of the user's code


class Watch:
    """Follows the attempts of a run; each is told once. The work is that of what is new or still open."""

    def __init__(self) -> None:
        self._seen = 0
        self._last: Optional[Any] = None
        self._open: List[Any] = []
        self._told: Set[Tuple[str, int]] = set()

    def news(self, snapshot: Any) -> List[News]:
        """Attempts that ended without success since the last call, in the order in which they began."""
        attempts = snapshot.attempts
        if self._seen and (len(attempts) < self._seen or attempts[self._seen - 1] is not self._last):
            self._seen, self._open = 0, []  # an attempt was taken back: begin again, and tell nothing twice
        fresh = attempts[self._seen :]
        if fresh:
            self._seen += len(fresh)
            self._last = fresh[-1]
        followed, self._open = self._open + fresh, []
        return [found for found in (self._look(attempt, snapshot) for attempt in followed) if found]

    def _look(self, attempt: Any, snapshot: Any) -> Optional[News]:
        if attempt.state == st.RUNNING:
            self._open.append(attempt)
            return None
        key = attempt.task, attempt.attempt
        if attempt.state not in st.WENT_WRONG or key in self._told:
            return None
        self._told.add(key)
        row = snapshot.tasks.get(attempt.task)
        final = row is not None and row.state in st.TERMINAL and row.attempts == attempt.attempt
        return News(
            attempt.task, attempt.attempt, attempt.state, final, error_line(attempt), users_line(attempt.traceback)
        )


def running(snapshot: Any) -> List[Any]:
    """The rows of the tasks that run now, those that run longest first; a mapped task is one, not its items."""
    if not snapshot.counts.get(st.RUNNING):
        return []
    rows = [row for row in list(snapshot.tasks.values()) if row.state == st.RUNNING and row.map_index is None]
    return sorted(rows, key=lambda row: _since(row) or 0.0)


def _since(row: Any) -> Optional[float]:
    latest = row.latest
    began: Optional[float] = row.started_at if latest is None else latest.started_at
    return began


def error_line(attempt: Any) -> str:
    """`ValueError: no column 'x'`, or what else is known of why an attempt did not succeed."""
    kind, message = attempt.error_type or "", attempt.error or ""
    if kind and message and not message.startswith(kind):
        return f"{kind}: {message}"
    return message or kind or st.CAUSES.get(attempt.cause, attempt.cause)
