"""The performance of the queue: how much got done, how long it waited and ran, how often it was tried again."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pandas as pd

from flowdsl.analysis.schema import columns, frame_of_rows
from flowdsl.engine.rows import Attempt
from flowdsl.engine.snapshot import Snapshot
from flowdsl.orchestrator.parts import Parts
from flowdsl.settings import options
from flowdsl.views.performance import ActionTimes, Stretch, performance_svg

__all__ = ["Performance", "performance"]

ATTEMPTS = columns(
    "taskId:string action:string type:string attempt:integer state started:time wait_s:float duration_s:float"
    " runId:string worker:string"
)
BUCKETS = 40  # at most, along the time
STEPS = (10, 50, 100, 500, *(1000 * s for s in (1, 5, 15, 60, 300, 900, 3600, 21600, 86400, 604800)))  # ms
STEADY = ("attempts", "completed", "retry_rate", "timeout_rate")  # what the clock has no part in
PERCENTILES = (50, 90, 99)


class Performance:
    """What the runs of the queue's tasks tell, as DataFrames, and as one picture where it can be shown.

    `attempts` is a DataFrame with one row an attempt; runs that a clean-up removed are not in it.

    ==========  ===================  ====  ===========================================  ========================
    name        dtype                unit  meaning                                      when null
    ==========  ===================  ====  ===========================================  ========================
    taskId      string                     the task                                     never
    action      string                     what it did                                  never
    type        string                     the kind of work                             never
    attempt     Int64                      1 for the first                              never
    state       category                   running, or how it ended                     never
    started     datetime64[us, UTC]        when it began                                its log line is damaged
    wait_s      float64              s     how long it stood ready before it began      its log line is damaged
    duration_s  float64              s     how long it took                             it has not ended
    runId       string                     its run                                      never
    worker      string                     who ran it                                   not known
    ==========  ===================  ====  ===========================================  ========================

    On pandas 2.0 the times are ``datetime64[ns, UTC]``.
    """

    def __init__(self, attempts: pd.DataFrame, slots: int) -> None:
        self.attempts = attempts
        self._slots = slots

    @property
    def summary(self) -> pd.Series[Any]:
        """A Series of float64: what all attempts together come to.

        ============  ====  ======================================================================  ===================
        name          unit  meaning                                                                 when null
        ============  ====  ======================================================================  ===================
        attempts            how many there were                                                     never
        completed           how many of them succeeded                                              never
        per_hour      1/h   ``completed`` by the time from the first start to the last end          no time passed
        wait_s        s     the median of the time that they stood ready                            none has begun
        run_s         s     the median of their durations                                           none has ended
        retry_rate    1     share of the attempts that were not the first of their task             there were none
        timeout_rate  1     share of the attempts that timed out                                    there were none
        utilisation   1     share of the slots that was busy from the first start to the last end   no time passed
        ============  ====  ======================================================================  ===================
        """
        done = self.attempts[self.attempts["state"] == "succeeded"]
        span = self._span()
        return pd.Series(
            {
                "attempts": float(len(self.attempts)),
                "completed": float(len(done)),
                "per_hour": len(done) / span * 3600 if span else float("nan"),
                "wait_s": self.attempts["wait_s"].median(),
                "run_s": self.attempts["duration_s"].median(),
                "retry_rate": _rate(self.attempts["attempt"] > 1),
                "timeout_rate": _rate(self.attempts["state"] == "timed_out"),
                "utilisation": self.attempts["duration_s"].sum() / (span * self._slots) if span else float("nan"),
            },
            dtype="float64",
        )

    @property
    def by_action(self) -> pd.DataFrame:
        """A DataFrame with one row an action, which is the index (`action`); all columns are float64.

        =========================  ====  =========================================================  ===============
        name                       unit  meaning                                                    when null
        =========================  ====  =========================================================  ===============
        attempts                         how many there were                                        never
        completed                        how many of them succeeded                                 never
        wait_s                     s     the median of the time that they stood ready               none has begun
        run_p50, run_p90, run_p99  s     so many per cent of the attempts took no longer            none has ended
        retry_rate                 1     share of the attempts that were not the first              never
        timeout_rate               1     share of the attempts that timed out                       never
        failure_rate               1     share of the attempts that failed or timed out             never
        =========================  ====  =========================================================  ===============
        """
        rows = {action: _figures(group) for action, group in self.attempts.groupby("action", sort=True)}
        names = list(_figures(self.attempts.head(0)))
        found: pd.DataFrame = pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis("action")
        return found

    @property
    def over_time(self) -> pd.DataFrame:
        """A DataFrame with one row a stretch of time, at most about forty; the index is when it begins, in UTC.

        All columns are float64; an attempt belongs to the stretch in which it began.

        =========  ====  ===============================================  ================
        name       unit  meaning                                          when null
        =========  ====  ===============================================  ================
        completed        how many attempts succeeded                      never
        failed           how many failed or timed out                     never
        retried          how many were not the first of their task        never
        wait_s     s     the mean of the time that they stood ready       none began
        run_s      s     the mean of their durations                      none began
        busy             attempts that ran at a time, on average          never
        =========  ====  ===============================================  ================
        """
        known, step = self.attempts.dropna(subset=["started"]), self._step()
        state = known["state"]
        counted = pd.DataFrame(
            {
                "completed": (state == "succeeded").astype("float64"),
                "failed": state.isin(["failed", "timed_out"]).astype("float64"),
                "retried": (known["attempt"] > 1).astype("float64"),
            }
        )
        times = known[["wait_s", "duration_s"]].rename(columns={"duration_s": "run_s"})
        key = known["started"].dt.floor("%dms" % step)
        found = pd.concat([counted.groupby(key).sum(), times.groupby(key).mean()], axis=1)
        if len(found):
            whole = pd.date_range(found.index.min(), found.index.max(), freq="%dms" % step)
            found = found.reindex(whole).fillna(dict.fromkeys(counted.columns, 0.0))
        found["busy"] = _busy(known, found.index, step)
        chosen: pd.DataFrame = found[["completed", "failed", "retried", "wait_s", "run_s", "busy"]]
        return chosen

    @property
    def slowest(self) -> pd.DataFrame:
        """A DataFrame with the ten longest attempts, the longest first; its columns are some of `attempts`:

        taskId, action, attempt, state, duration_s, wait_s, runId.
        """
        kept = ["taskId", "action", "attempt", "state", "duration_s", "wait_s", "runId"]
        found: pd.DataFrame = self.attempts.nlargest(10, "duration_s")[kept].reset_index(drop=True)
        return found

    @property
    def workers(self) -> pd.DataFrame:
        """A DataFrame with one row a worker, which is the index (`worker`).

        ========  =======  ====  ==============================  =========
        name      dtype    unit  meaning                         when null
        ========  =======  ====  ==============================  =========
        attempts  int64          how many it ran                 never
        busy_s    float64  s     their durations together        never
        ========  =======  ====  ==============================  =========
        """
        groups = self.attempts.groupby("worker")["duration_s"]
        found: pd.DataFrame = pd.DataFrame({"attempts": groups.size(), "busy_s": groups.sum()})
        return found

    def _span(self) -> float:
        """Seconds from the first begin to the last end."""
        known = self.attempts.dropna(subset=["started", "duration_s"])
        if known.empty:
            return 0.0
        ends = known["started"] + pd.to_timedelta(known["duration_s"], unit="s")
        return float((ends.max() - known["started"].min()).total_seconds())

    def _step(self) -> int:
        return next((step for step in STEPS if self._span() * 1000 / step <= BUCKETS), STEPS[-1])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, Any]:
        drawn = {} if options.stable_repr else {"image/svg+xml": self.picture()}  # all of it is times
        return {**drawn, "text/plain": repr(self)}

    def picture(self) -> str:
        """One picture as SVG: what got done over time, and how long each action takes."""
        over_time, by_action = self.over_time, self.by_action
        moments = pd.DatetimeIndex(over_time.index).strftime("%Y-%m-%d %H:%M:%S")
        counts = zip(moments, over_time["completed"], over_time["failed"])
        stretches = [Stretch(*one) for one in counts]
        known = by_action.dropna(subset=["run_p50"])
        return performance_svg(
            stretches, [ActionTimes(str(name), row["run_p50"], row["run_p90"]) for name, row in known.iterrows()]
        )

    def __repr__(self) -> str:
        kept = list(STEADY) if options.stable_repr else list(self.summary.index)
        return self.summary[kept].round(3).to_string()


def _rate(hits: Any) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _figures(group: pd.DataFrame) -> Dict[str, float]:
    took = group["duration_s"]
    return {
        "attempts": float(len(group)),
        "completed": float((group["state"] == "succeeded").sum()),
        "wait_s": float(group["wait_s"].median()) if len(group) else float("nan"),
        **{"run_p%d" % share: float(took.quantile(share / 100)) for share in PERCENTILES},
        "retry_rate": _rate(group["attempt"] > 1),
        "timeout_rate": _rate(group["state"] == "timed_out"),
        "failure_rate": _rate(group["state"].isin(["failed", "timed_out"])),
    }


def _busy(attempts: pd.DataFrame, moments: Any, step: int) -> List[float]:
    """For each stretch that begins at one of `moments` and takes `step` ms: how many attempts ran in it, on average."""
    begins = attempts["started"]
    ends = begins + pd.to_timedelta(attempts["duration_s"].fillna(0.0), unit="s")
    length = pd.Timedelta(milliseconds=step)
    shares = [(ends.clip(upper=at + length) - begins.clip(lower=at)).dt.total_seconds() for at in moments]
    return [float(share.clip(lower=0.0).sum()) / (step / 1000) for share in shares]


# ---- from the runs


def performance(parts: Parts) -> Performance:
    """Read the runs of the queue's tasks that are there."""
    with parts.book.lock:
        snapshots = [parts.executions.snapshot(run_id) for run_id in parts.book.queue.runs]
        rows = [_row(one, snapshot) for snapshot in snapshots if snapshot is not None for one in snapshot.attempts]
    return Performance(frame_of_rows(ATTEMPTS, rows), parts.options.max_concurrent_tasks)


def _row(attempt: Attempt, snapshot: Snapshot) -> Tuple[Any, ...]:
    """What `attempts` says of one, in the order of its columns."""
    task = snapshot.tasks.get(attempt.task)
    action, kind = ("", "") if task is None else (task.action, task.type)
    began, ready = attempt.started_at, attempt.queued_at
    wait = None if began is None or ready is None else began - ready
    head = (attempt.task, action, kind, attempt.attempt, attempt.state)
    return (*head, began, wait, attempt.duration_s, snapshot.run_id, attempt.worker)
