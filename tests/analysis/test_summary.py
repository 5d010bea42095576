"""One row a run: what counts as a task that failed."""

from __future__ import annotations

from flowdsl.analysis.summary import summary_frame
from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import fold
from tests.analysis.journals import added, batches, failed, ready, run_ended, run_started, started, succeeded


def test_of_a_mapped_task_that_failed_its_items_are_counted_and_not_itself() -> None:
    expanded = Event("task_expanded", "part", 0, "ready", "running", "expanded", detail={"size": 2})
    items_failed = Event("task_failed", "part", 0, "running", "failed", "items_failed", "part[1]")
    run = fold(
        batches(
            (0, run_started(), added("part"), ready("part"), expanded, added("part[0]"), added("part[1]")),
            (0, ready("part[0]"), ready("part[1]"), started("part[0]"), started("part[1]")),
            (1, succeeded("part[0]")),
            (2, failed("part[1]"), items_failed, run_ended("failed", "tasks_failed", "part[1]")),
        )
    )
    frame = summary_frame([run])
    assert (frame["tasks"][0], frame["failed"][0]) == (3, 1)
