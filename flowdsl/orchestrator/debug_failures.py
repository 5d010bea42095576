"""Failures of any number of runs, put together by what caused them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Set, Tuple

from flowdsl.analysis.schema import build_frame, columns
from flowdsl.engine import states as st
from flowdsl.orchestrator.capsule_making import failed_attempts, stacks_of
from flowdsl.views.users_line import users_line, users_line_of_stacks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["failures_frame"]

COLUMNS = columns(
    "flow:string cause error_type:string error:string where:string attempts:integer tasks:integer final:integer"
    " blocked:integer runs:integer task:string attempt:integer run_id:string first_at:time last_at:time"
)
# What differs between two messages of one cause: numbers, addresses, and what stands in quotes.
_VARIES = re.compile(r"0x[0-9a-fA-F]+|\d+|'[^']*'|\"[^\"]*\"")
Key = Tuple[str, ...]


class Group(NamedTuple):
    """Attempts that failed for one cause, in the order in which they began."""

    attempts: List[Tuple[Any, Any]]  # (run, attempt)

    @property
    def tasks(self) -> Set[Tuple[str, str]]:
        """(run id, task) of each task that it hit."""
        return {(run.id, attempt.task) for run, attempt in self.attempts}


def failures_frame(runs: Iterable[Any]) -> pd.DataFrame:
    """A DataFrame with one row a cause, the one that hit most tasks first.

    Attempts belong together when they are of one flow, and have the same cause, the same type of error, the same line
    of the user's code, and the same message but for numbers and quoted words.

    ==========  ===================  ====  ==========================================================  ===============
    name        dtype                unit  meaning                                                     when null
    ==========  ===================  ====  ==========================================================  ===============
    flow        string                     the flow's name                                             log line damaged
    cause       category                   why the attempts ended: raised, timeout, worker_died, ...   never
    error_type  string                     the class of the exception                                  there was none
    error       string                     the message of the first attempt                            there was none
    where       string                     the deepest line of the user's own code                     not known
    attempts    Int64                      how many attempts                                           never
    tasks       Int64                      how many tasks (of any run) they belong to                  never
    final       Int64                      how many of these tasks ended that way in the end           never
    blocked     Int64                      how many tasks did not run because of these                 never
    runs        Int64                      in how many runs                                            never
    task        string                     the task of the first attempt: for `inspect`                never
    attempt     Int64                      its number                                                  never
    run_id      string                     its run                                                     never
    first_at    datetime64[us, UTC]        when the first of them ended                                interrupted
    last_at     datetime64[us, UTC]        when the last of them ended                                 interrupted
    ==========  ===================  ====  ==========================================================  ===============

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """
    runs = list(runs)
    groups: Dict[Key, Group] = {}
    for run in runs:
        attempts = failed_attempts(run)
        where = _Places(stacks_of(run, attempts))
        for attempt in attempts:
            groups.setdefault(_key(run, attempt, where(attempt)), Group([])).attempts.append((run, attempt))
    waiting = _waiting(runs)
    rows = [_row(key, group, waiting) for key, group in groups.items()]
    rows.sort(key=lambda row: (-row["tasks"], -row["blocked"]))
    return build_frame(COLUMNS, {column.name: [row[column.name] for row in rows] for column in COLUMNS})


class _Places:
    """Where in the user's code an attempt failed, by its traceback, else by where its threads were."""

    def __init__(self, stacks: Mapping[Tuple[str, int], str]) -> None:
        self._stacks = stacks

    def __call__(self, attempt: Any) -> str:
        return users_line(attempt.traceback) or users_line_of_stacks(self._stacks.get((attempt.task, attempt.attempt)))


def _key(run: Any, attempt: Any, where: str) -> Key:
    message = _VARIES.sub("…", attempt.error or "")
    return where, run.flow, attempt.cause, attempt.error_type or "", message


def _waiting(runs: Sequence[Any]) -> Counter[Tuple[str, str]]:
    """How many tasks did not run because of each task, by run and name."""
    rows = ((run.id, row) for run in runs for row in run.snapshot().tasks.values())
    return Counter((run_id, row.cause_task) for run_id, row in rows if row.state == st.UPSTREAM_FAILED)


def _row(key: Key, group: Group, waiting: Mapping[Tuple[str, str], int]) -> Dict[str, Any]:
    run, first = group.attempts[0]
    ends = [attempt.ended_at for _, attempt in group.attempts if attempt.ended_at is not None]
    final = {(run.id, attempt.task) for run, attempt in group.attempts if _is_final(run, attempt)}
    return {
        "flow": run.flow or None,
        "cause": first.cause,
        "error_type": first.error_type or None,
        "error": first.error or None,
        "where": key[0] or None,
        "attempts": len(group.attempts),
        "tasks": len(group.tasks),
        "final": len(final),
        "blocked": sum(waiting.get(one, 0) for one in final),
        "runs": len({run.id for run, _ in group.attempts}),
        "task": first.task,
        "attempt": first.attempt,
        "run_id": run.id,
        "first_at": min(ends, default=None),
        "last_at": max(ends, default=None),
    }


def _is_final(run: Any, attempt: Any) -> bool:
    """Whether its task ended with this attempt."""
    row = run.snapshot().tasks.get(attempt.task)
    return row is not None and row.latest is attempt and row.state not in st.OPEN | st.DONE_WELL
