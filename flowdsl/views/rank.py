"""The order of tasks and of the items of maps that is the same in each execution, where `stable_repr` asks for it.

A journal has items as their maps came to know them, and whom a task was blamed on first: both are chance where several
tasks run at once.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

from flowdsl.engine import states as st
from flowdsl.settings import options

__all__ = ["blamed", "ranks", "rows_in_order"]

_MAY_BLAME = st.WENT_WRONG | {st.UPSTREAM_FAILED, st.SKIPPED}


def ranks(snapshot: Any) -> Dict[str, Tuple[int, int]]:
    """The place of every task by name: as they were defined, the items of a map after it and in their order."""
    rows = list(snapshot.tasks.values())
    defined = {row.name: at for at, row in enumerate(rows)}
    return {
        row.name: (defined.get(row.map_of or row.name, 0), -1 if row.map_index is None else row.map_index)
        for row in rows
    }


def rows_in_order(snapshot: Any) -> List[Any]:
    """The rows of all tasks and items: in the order of their ranks with `stable_repr`, else as they came."""
    rows = list(snapshot.tasks.values())
    if not options.stable_repr:
        return rows
    places = ranks(snapshot)
    return sorted(rows, key=lambda row: places[row.name])


def blamed(row: Any, snapshot: Any) -> str:
    """The task because of which this one did not succeed, "" for none; with `stable_repr` not the first that happened
    to fail (or to be skipped) but the first in order."""
    if not options.stable_repr or not row.cause_task or row.state not in _MAY_BLAME:
        return str(row.cause_task)
    wanted = {st.SKIPPED} if row.state == st.SKIPPED else st.WENT_WRONG
    found = {one.name for one in _those_before(row, snapshot) if one.state in wanted}
    places = ranks(snapshot)
    return min(found, key=places.__getitem__) if found else str(row.cause_task)


def _those_before(row: Any, snapshot: Any) -> Iterator[Any]:
    """The items of a mapped task; else all that is upstream of a task, without items."""
    rows = snapshot.tasks
    if row.size is not None and row.state in st.WENT_WRONG:
        yield from (one for one in list(rows.values()) if one.map_of == row.name)
        return
    waiting, seen = list(row.upstream), set(row.upstream)
    while waiting:
        one = rows.get(waiting.pop())
        if one is not None:
            yield one
            new = set(one.upstream) - seen
            seen |= new
            waiting += new
