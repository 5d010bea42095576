"""The facts of the queue: the names of its events."""

from __future__ import annotations

QUEUE_OPENED = "queue_opened"  # by an orchestrator; detail: its pid
QUEUE_PAUSED = "queue_paused"
QUEUE_RESUMED = "queue_resumed"
TASK_ADDED = "task_added"  # detail: its definition
TASK_BOUND = "task_bound"  # to a run, that is about to begin; detail: the run's id
TASK_CHANGED = "task_changed"  # by hand, or for another task's sake
TASK_NOTED = "task_noted"  # a progress or a message from outside, while an attempt runs
TASK_PRIORITISED = "task_prioritised"
TASK_REMOVED = "task_removed"

# With these begins a journal that was compacted: they say what earlier events came to.
QUEUE_COMPACTED = "queue_compacted"  # detail: the highest number of an id, whether the queue is paused
IDS_RETIRED = "ids_retired"  # detail: ids of tasks that were removed, as ranges of numbers and as names
RUNS_KEPT = "runs_kept"  # detail: ids of runs that tasks were bound to, oldest first
TASK_KEPT = "task_kept"  # detail: all that is known of a task
