"""A flow over time: its runs, and how long each of its tasks took in each of them."""

from __future__ import annotations

from statistics import median
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import pandas as pd

from flowdsl.analysis.schema import OF_A_RUN, columns, frame_of_rows
from flowdsl.analysis.summary import summary_frame, summary_html
from flowdsl.definition.counted import counted
from flowdsl.engine.snapshot import Snapshot, TaskRow

__all__ = ["History", "durations_frame"]

COLUMNS = OF_A_RUN + columns("started_at:time task:string state items:integer attempts:integer duration_s:float")
Plot = Callable[[pd.DataFrame, pd.DataFrame], Any]


def durations_frame(snapshots: Iterable[Snapshot]) -> pd.DataFrame:
    """A DataFrame with one row a task of each run, run after run; the items of a mapped task are in its one row.

    ==========  ===================  ====  ==============================================  ======================
    name        dtype                unit  meaning                                         when null
    ==========  ===================  ====  ==============================================  ======================
    run_id      string                     the run                                         never
    flow        string                     the flow's name                                 log line damaged
    started_at  datetime64[us, UTC]        when the run began                              log line damaged
    task        string                     the task's name                                 never
    state       category                   its state                                       never
    items       Int64                      how many items it had                           it is not mapped
    attempts    Int64                      how many were begun, those of its items too     never
    duration_s  float64              s     length of its last attempt; of a mapped task    none ended
                                           the median over its items
    ==========  ===================  ====  ==============================================  ======================

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """
    rows = [row for snapshot in snapshots for row in _rows(snapshot)]
    return frame_of_rows(COLUMNS, rows)


def _rows(snapshot: Snapshot) -> List[Tuple[Any, ...]]:
    tasks = list(snapshot.tasks.values())
    items: Dict[str, List[TaskRow]] = {}
    for row in tasks:
        if row.map_of:
            items.setdefault(row.map_of, []).append(row)
    head = (snapshot.run_id, snapshot.flow or None, snapshot.started_at)
    return [(*head, *_of_a_task(row, items.get(row.name, []))) for row in tasks if not row.map_of]


def _of_a_task(row: TaskRow, items: Sequence[TaskRow]) -> Tuple[Any, ...]:
    lasted = [item.duration_s for item in items or (row,) if item.duration_s is not None]
    duration: Optional[float] = round(median(lasted), 6) if lasted else None
    return row.name, row.state, row.size, row.attempts + sum(item.attempts for item in items), duration


class History:
    """The runs of a flow from one file, oldest first.

    `.runs` has one row a run (`flowdsl.analysis.summary.summary_frame`), `.tasks` one row a task of each run
    (`flowdsl.analysis.history.durations_frame`), `.plot()` draws both over time.
    """

    def __init__(self, flow: str, snapshots: Sequence[Snapshot], plot: Plot) -> None:
        self.flow = flow
        self.runs = summary_frame(snapshots)
        self.tasks = durations_frame(snapshots)
        self._plot = plot

    def plot(self, *tasks: str) -> Any:
        """A matplotlib Figure: the length of each run by its state, and the durations of these tasks.

        Without names, those of the five tasks that took most time. Raises RendererMissing where there is no matplotlib,
        KeyError for a task that no run had.
        """
        for name in tasks:
            if name not in set(self.tasks["task"]):
                raise KeyError(f"no run of flow {self.flow!r} in this history had a task {name!r}")
        shown = list(tasks) or self._longest(5)
        return self._plot(self.runs, self.tasks[self.tasks["task"].isin(shown)])

    def _longest(self, most: int) -> List[str]:
        whole = self.tasks["duration_s"] * self.tasks["items"].fillna(1).astype("float64")
        return [str(name) for name in whole.groupby(self.tasks["task"]).sum().nlargest(most).index]

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        runs, tasks = len(self.runs), self.tasks["task"].nunique()
        return f"<History of flow {self.flow!r}: {counted(runs, 'run')}, {counted(tasks, 'task')}>"

    def _repr_html_(self) -> Any:
        return summary_html(self.runs)
