"""The three frames of runs: one row a task, one row an attempt, one row an event; for one run or for many together."""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import pandas as pd

from flowdsl.analysis.schema import ATTEMPTS, EVENTS, TASKS, build_frame, map_indices
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.snapshot import Attempt, Snapshot, TaskRow

__all__ = ["attempts_frame", "events_frame", "tasks_frame"]

LogOfRun = Tuple[str, str, Sequence[Batch]]  # run_id, flow, batches

_TASK_FIELDS = (
    "name", "state", "cause", "cause_task", "attempts", "queued_at", "started_at", "ended_at", "worker", "error",
)  # fmt: skip
_ATTEMPT_FIELDS = (
    "task", "attempt", "state", "cause", "mechanism", "queued_at", "started_at", "ended_at", "cpu_s", "worker", "pid",
    "error_type", "error", "output_bytes",
)  # fmt: skip


def tasks_frame(snapshots: Iterable[Snapshot]) -> pd.DataFrame:
    """A DataFrame with one row a task, run after run, in the order in which the tasks joined their run.

    A mapped task is a row, and so is each of its instances. Times are UTC; the dtypes never depend on the data.

    ============  ===================  ====  ==================================================  ======================
    name          dtype                unit  meaning                                             when null
    ============  ===================  ====  ==================================================  ======================
    run_id        string                     the run                                             never
    flow          string                     the flow's name                                     its log line is damaged
    task          string                     the task's name; an instance is ``delays[3]``       never
    map_index     Int64                      the instance's place in its map, from 0             not an instance
    state         category                   its state                                           never
    cause         category                   why it is in that state                             never
    cause_task    string                     the task to blame, if it is another one             no other task is
    attempts      Int64                      how many were begun                                 never
    queued_at     datetime64[us, UTC]        when it first became ready                          never was ready
    started_at    datetime64[us, UTC]        when its first attempt began                        none began
    ended_at      datetime64[us, UTC]        when it reached its final state                     not there yet, or
                                                                                                 interrupted
    wait_s        float64              s     ``started_at`` minus ``queued_at``                  either is null
    duration_s    float64              s     length of its last attempt                          none ended
    worker        string                     where its last attempt ran                          none began
    error         string                     what its last attempt failed with                   it did not fail
    ============  ===================  ====  ==================================================  ======================

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """
    snapshots = list(snapshots)
    groups: List[List[TaskRow]] = [list(snapshot.tasks.values()) for snapshot in snapshots]
    rows = list(chain.from_iterable(groups))
    values = _fields(rows, _TASK_FIELDS)
    values["task"] = values.pop("name")
    values["cause_task"] = _null_if_empty(values["cause_task"])
    values["wait_s"] = _seconds(values["queued_at"], values["started_at"])
    values["duration_s"] = np.round(np.asarray([row.duration_s for row in rows], dtype="float64"), 6)
    return build_frame(TASKS, {**values, **_of_runs(snapshots, groups), "map_index": map_indices(values["task"])})


def attempts_frame(snapshots: Iterable[Snapshot]) -> pd.DataFrame:
    """A DataFrame with one row an attempt, run after run, in the order in which the attempts began.

    All times are the attempt's own. An attempt that its worker never began (it was requeued) has no row.

    ============  ===================  =====  =================================================  ======================
    name          dtype                unit   meaning                                            when null
    ============  ===================  =====  =================================================  ======================
    run_id        string                      the run                                            never
    flow          string                      the flow's name                                    its log line is damaged
    task          string                      the task's name; an instance is ``delays[3]``      never
    map_index     Int64                       the instance's place in its map, from 0            not an instance
    attempt       Int64                       1 for the first                                    never
    state         category                    running, or how it ended                           never
    cause         category                    why it is in that state                            never
    mechanism     category                    how it was ended from outside                      it ended by itself
    queued_at     datetime64[us, UTC]         when the task became ready for it                  its log line is damaged
    started_at    datetime64[us, UTC]         when it began                                      its log line is damaged
    ended_at      datetime64[us, UTC]         when it ended                                      running or interrupted
    wait_s        float64              s      ``started_at`` minus ``queued_at``                 either is null
    duration_s    float64              s      ``ended_at`` minus ``started_at``                  either is null
    cpu_s         float64              s      processor time that it used                        not measured
    worker        string                      the worker that ran it                             not known
    pid           Int64                       the process that ran it                            not known
    error_type    string                      the class of the exception                         no exception
    error         string                      the text of the exception                          no exception
    output_bytes  Int64                bytes  how much it printed and logged                     nothing, or no end
    ============  ===================  =====  =================================================  ======================

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """
    snapshots = list(snapshots)
    groups: List[List[Attempt]] = [list(snapshot.attempts) for snapshot in snapshots]
    values = _fields(list(chain.from_iterable(groups)), _ATTEMPT_FIELDS)
    values["wait_s"] = _seconds(values["queued_at"], values["started_at"])
    values["duration_s"] = _seconds(values["started_at"], values["ended_at"])
    return build_frame(ATTEMPTS, {**values, **_of_runs(snapshots, groups), "map_index": map_indices(values["task"])})


def events_frame(logs: Iterable[LogOfRun]) -> pd.DataFrame:
    """A DataFrame with one row an event, run after run, in the order of ``seq``; each log is (run_id, flow, batches).

    ============  ===================  ====  ==================================================  ======================
    name          dtype                unit  meaning                                             when null
    ============  ===================  ====  ==================================================  ======================
    run_id        string                     the run                                             never
    flow          string                     the flow's name                                     its log line is damaged
    task          string                     the task's name; an instance is ``delays[3]``       about the run itself
    map_index     Int64                      the instance's place in its map, from 0             not an instance
    seq           Int64                      the number of the event in its run, from 0          never
    at            datetime64[us, UTC]        when it became durable                              never
    attempt       Int64                      the attempt concerned, from 1                       no attempt is concerned
    event         string                     what happened, in the past tense                    never
    state         category                   the state of the task (or run) after it             never
    cause         category                   why that changed                                    nothing changed
    cause_task    string                     the task to blame, if it is another one             no other task is
    ============  ===================  ====  ==================================================  ======================

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """
    logs = [(run_id, flow, list(batches)) for run_id, flow, batches in logs]
    batches = [batch for _, _, batches_of_run in logs for batch in batches_of_run]
    counts = [sum(len(batch.events) for batch in batches_of_run) for _, _, batches_of_run in logs]
    values = {**_events(batches), **_moments(batches)}
    values["run_id"] = _repeat([run_id for run_id, _, _ in logs], counts)
    values["flow"] = _repeat([flow or None for _, flow, _ in logs], counts)
    return build_frame(EVENTS, values)


def _events(batches: Sequence[Batch]) -> Dict[str, Any]:
    """The fields of all events, as a sequence for each."""
    events = list(chain.from_iterable(batch.events for batch in batches))
    values: Dict[str, Any] = dict(zip(Event._fields, zip(*events))) if events else dict.fromkeys(Event._fields, ())
    values["map_index"] = map_indices(values["task"])
    values["attempt"] = [attempt or None for attempt in values["attempt"]]
    values["task"] = _null_if_empty(values["task"])
    values["cause_task"] = _null_if_empty(values["cause_task"])
    return values


def _moments(batches: Sequence[Batch]) -> Dict[str, Any]:
    """The `seq` and `at` of all events; those of a batch count on from its `seq` and share its `at`."""
    count = np.asarray([len(batch.events) for batch in batches], dtype="int64")
    skipped = np.cumsum(count) - count
    first = np.asarray([batch.seq for batch in batches], dtype="int64") - skipped
    at = np.asarray([batch.at for batch in batches], dtype="float64")
    return {"seq": np.repeat(first, count) + np.arange(int(count.sum())), "at": np.repeat(at, count)}


def _fields(rows: Sequence[Any], names: Tuple[str, ...]) -> Dict[str, Any]:
    """The named attributes of all rows, as a sequence for each name; a row is read in one step."""
    return dict(zip(names, zip(*map(attrgetter(*names), rows)))) if rows else dict.fromkeys(names, ())


def _of_runs(snapshots: Sequence[Snapshot], groups: Sequence[Sequence[Any]]) -> Mapping[str, Any]:
    counts = [len(group) for group in groups]
    run_ids = _repeat([snapshot.run_id for snapshot in snapshots], counts)
    return {"run_id": run_ids, "flow": _repeat([snapshot.flow or None for snapshot in snapshots], counts)}


def _repeat(texts: Sequence[Optional[str]], counts: Sequence[int]) -> Any:
    return np.repeat(np.asarray(texts, dtype=object), np.asarray(counts, dtype="int64"))


def _seconds(begin: Sequence[Optional[float]], end: Sequence[Optional[float]]) -> Any:
    """`end - begin` to the microsecond, which is as far as both are known."""
    return np.round(np.asarray(end, dtype="float64") - np.asarray(begin, dtype="float64"), 6)


def _null_if_empty(texts: Iterable[str]) -> List[Optional[str]]:
    return [text or None for text in texts]
