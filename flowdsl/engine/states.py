"""The states of a task and of a run, the causes of every change, and the one table of transitions."""

from __future__ import annotations

from typing import Dict, FrozenSet, Mapping, Tuple

# States of a task.
PENDING = "pending"
READY = "ready"
RUNNING = "running"
RETRY_WAIT = "retry_wait"
SUCCEEDED = "succeeded"
REUSED = "reused"
FAILED = "failed"
TIMED_OUT = "timed_out"
SKIPPED = "skipped"
UPSTREAM_FAILED = "upstream_failed"
CANCELLED = "cancelled"
INTERRUPTED = "interrupted"

TASK_STATES: Tuple[str, ...] = (
    PENDING,
    READY,
    RUNNING,
    RETRY_WAIT,
    SUCCEEDED,
    REUSED,
    FAILED,
    TIMED_OUT,
    SKIPPED,
    UPSTREAM_FAILED,
    CANCELLED,
    INTERRUPTED,
)
OPEN: FrozenSet[str] = frozenset((PENDING, READY, RUNNING, RETRY_WAIT))
TERMINAL: FrozenSet[str] = frozenset(TASK_STATES) - OPEN
DONE_WELL: FrozenSet[str] = frozenset((SUCCEEDED, REUSED))
DONE_BADLY: FrozenSet[str] = frozenset((FAILED, TIMED_OUT, UPSTREAM_FAILED))
FAILED_ITSELF: FrozenSet[str] = frozenset((FAILED, TIMED_OUT))  # and not for the sake of another one
WENT_WRONG: FrozenSet[str] = FAILED_ITSELF | {INTERRUPTED}  # of a task, an item or an attempt: no success, by itself

# States of a run, and of an attempt (an attempt that is going on is `running`).
RUN_STATES: Tuple[str, ...] = (RUNNING, SUCCEEDED, FAILED, CANCELLED, INTERRUPTED)
ATTEMPT_STATES: Tuple[str, ...] = (RUNNING, SUCCEEDED, FAILED, TIMED_OUT, SKIPPED, CANCELLED, INTERRUPTED)

CAUSES: Mapping[str, str] = {
    "added": "the task joined the run",
    "dependencies_met": "every dependency is as `run_when` wants it",
    "started": "a worker began the attempt",
    "returned": "the function returned",
    "given": "the caller gave the result as an input",
    "cache_hit": "a stored result stood in",
    "earlier_run": "the run that this one runs again had the result",
    "raised": "the function raised",
    "verify_failed": "`verify` refused the result",
    "unpicklable": "the call or its result could not be moved between processes",
    "worker_died": "the worker under the attempt went away",
    "worker_unavailable": "workers died five times in a row before the attempt began",
    "timeout": "the attempt outlived its `timeout`",
    "retry": "the attempt did not succeed, and another one will follow",
    "delay_over": "the wait before a retry is over",
    "requeued": "the worker died before the attempt began; it costs no attempt",
    "skip_raised": "the function raised Skip",
    "upstream_skipped": "a dependency was skipped; `cause_task` is the one that began it",
    "upstream_failed": "a dependency failed; `cause_task` is the one that began it",
    "upstream_cancelled": "a dependency was cancelled; `cause_task` is the one that began it",
    "no_failure": '`run_when="any_failed"`, and no dependency failed',
    "cancel_requested": "run.cancel() or a Cancel button",
    "task_cancelled": "run.cancel(task)",
    "keyboard_interrupt": "the stop button or Ctrl-C",
    "stopped": '`on_failure="stop"`, and another task failed; `cause_task` is that one',
    "too_many_abandoned": "timed-out attempts that are still going hold more workers, slots or limits than the run has",
    "log_write_failed": "the journal could not be written",
    "internal_error": "flowdsl itself is at fault",
    "expanded": "the sizes of what it maps over are known, and its items have joined the run",
    "map_failed": "what it maps over is no sized iterable, or the sizes differ",
    "items_done": "every item has ended and none failed",
    "items_failed": "an item failed; `cause_task` is the first",
    "process_died": "the process that drove the run is gone (seen on reading)",
    "all_done": "every task of the run has ended and none failed",
    "tasks_failed": "every task of the run has ended and some failed; `cause_task` is the first",
}

# What ends everything that is open; the same causes in every open state.
CANCEL_CAUSES: Tuple[str, ...] = (
    "cancel_requested",
    "keyboard_interrupt",
    "stopped",
    "too_many_abandoned",
    "log_write_failed",
    "internal_error",
)

# {(state before, cause): state after}: the only place that says what may follow what.
TRANSITIONS: Dict[Tuple[str, str], str] = {
    ("", "added"): PENDING,
    (PENDING, "dependencies_met"): READY,
    (PENDING, "given"): SUCCEEDED,
    (PENDING, "cache_hit"): REUSED,
    (PENDING, "earlier_run"): REUSED,
    (READY, "cache_hit"): REUSED,
    (PENDING, "upstream_failed"): UPSTREAM_FAILED,
    (PENDING, "upstream_skipped"): SKIPPED,
    (PENDING, "upstream_cancelled"): CANCELLED,
    (PENDING, "no_failure"): SKIPPED,
    (READY, "started"): RUNNING,
    (READY, "worker_unavailable"): FAILED,
    (READY, "unpicklable"): FAILED,
    (RUNNING, "requeued"): READY,
    (RUNNING, "returned"): SUCCEEDED,
    (RUNNING, "raised"): FAILED,
    (RUNNING, "verify_failed"): FAILED,
    (RUNNING, "unpicklable"): FAILED,
    (RUNNING, "worker_died"): FAILED,
    (RUNNING, "timeout"): TIMED_OUT,
    (RUNNING, "skip_raised"): SKIPPED,
    (RUNNING, "retry"): RETRY_WAIT,
    (RETRY_WAIT, "delay_over"): READY,
    # A mapped task, which has no attempts itself.
    (READY, "expanded"): RUNNING,
    (READY, "map_failed"): FAILED,
    (RUNNING, "items_done"): SUCCEEDED,
    (RUNNING, "items_failed"): FAILED,
    (RUNNING, "upstream_failed"): UPSTREAM_FAILED,
    (RUNNING, "upstream_cancelled"): CANCELLED,
}
TRANSITIONS.update({(state, cause): CANCELLED for state in sorted(OPEN) for cause in CANCEL_CAUSES})
TRANSITIONS.update({(state, "task_cancelled"): CANCELLED for state in sorted(OPEN)})
TRANSITIONS.update({(state, "process_died"): INTERRUPTED for state in sorted(OPEN)})

RUN_TRANSITIONS: Dict[Tuple[str, str], str] = {
    ("", "started"): RUNNING,
    (RUNNING, "all_done"): SUCCEEDED,
    (RUNNING, "tasks_failed"): FAILED,
    (RUNNING, "too_many_abandoned"): FAILED,
    (RUNNING, "internal_error"): FAILED,
    (RUNNING, "cancel_requested"): CANCELLED,
    (RUNNING, "keyboard_interrupt"): CANCELLED,
    (RUNNING, "log_write_failed"): CANCELLED,
    (RUNNING, "process_died"): INTERRUPTED,
}

# How an attempt was ended from outside; an attempt that ended by itself has none.
MECHANISMS: Mapping[str, str] = {
    "abandoned": "its thread could not be killed and was left behind, its result to be dropped",
    "cooperative": "it noticed the request and stopped",
    "overran": "it did not notice the request and came to its own end, too late",
    "cancelled": "its coroutine was cancelled",
    "killed": "its process, process group and descendants were killed",
    "withdrawn": "it was still waiting in its executor and never began",
}
