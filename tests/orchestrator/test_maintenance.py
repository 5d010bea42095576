"""Clean-ups by age, number and size, once and on a schedule; the performance as frames and as a picture."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import List
from xml.etree import ElementTree

import pytest

from flowdsl import ConfigError, RunFailed, load_runs
from flowdsl.orchestrator import TaskOrchestrator
from flowdsl.orchestrator.maintenance import Schedule
from tests.orchestrator.making import make, statuses


def test_old_tasks_go_with_their_records_results_and_runs(orchestrator: TaskOrchestrator, log_dir: Path) -> None:
    ids = [orchestrator.add_task(action="one") for _ in range(4)]
    for task in ids[:3]:
        orchestrator.execute_task(task)
    assert orchestrator.clean_up(older_than=timedelta(hours=1)) == ([], [], 0)
    planned = orchestrator.clean_up(keep=1, dry_run=True)
    assert (planned.tasks, len(planned.runs), len(load_runs(log_dir))) == (ids[:2], 2, 3)
    assert orchestrator.clean_up(keep=1) == planned
    assert planned.bytes > 0
    assert statuses(orchestrator) == {ids[2]: "completed", ids[3]: "pending"}
    assert sorted(path.stem for path in log_dir.glob("*.json")) == ids[2:]
    assert len(load_runs(log_dir)) == 1
    assert orchestrator.clean_up(older_than=0).tasks == [ids[2]]
    assert orchestrator.execute_task(ids[3]) == 1


def test_what_an_open_task_needs_stays(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    second = orchestrator.add_task(action="add", dependencies=[first])
    orchestrator.execute_task(first)
    assert orchestrator.clean_up(keep=0, max_bytes=0).tasks == []
    assert orchestrator.execute_task(second) == 1
    assert sorted(orchestrator.clean_up(keep=0).tasks) == [first, second]


def test_the_oldest_go_until_the_rest_is_small_enough(orchestrator: TaskOrchestrator, log_dir: Path) -> None:
    ids = [orchestrator.add_task(action="one") for _ in range(3)]
    for task in ids:
        orchestrator.execute_task(task)
    size = sum(file.stat().st_size for run in load_runs(log_dir) for file in run.dir.rglob("*") if file.is_file())
    found = orchestrator.clean_up(max_bytes=size - 1)
    assert found.tasks == ids[:1]


def test_a_run_that_a_later_one_replaced_goes(orchestrator: TaskOrchestrator, log_dir: Path) -> None:
    task = orchestrator.add_task(action="one")
    orchestrator.execute_task(task)
    orchestrator.execute_task(task, force=True)
    found = orchestrator.clean_up(keep=5)
    assert (found.tasks, len(found.runs)) == ([], 1)
    assert len(load_runs(log_dir)) == 1


def test_what_is_not_the_orchestrators_stays(orchestrator: TaskOrchestrator, log_dir: Path) -> None:
    from flowdsl import Flow

    flow = Flow("another", log_dir=log_dir)
    flow.task("a")(int)
    flow.run(display="none")
    (log_dir / "notes.txt").write_text("mine")
    orchestrator.execute_task(orchestrator.add_task(action="one"))
    orchestrator.clean_up(keep=0)
    assert [run.flow for run in load_runs(log_dir)] == ["another"]
    assert (log_dir / "notes.txt").exists()


def test_a_clean_up_says_what_is_to_go(orchestrator: TaskOrchestrator) -> None:
    with pytest.raises(ConfigError, match="say what is to go"):
        orchestrator.clean_up()
    with pytest.raises(ConfigError, match="keep=-1"):
        orchestrator.clean_up(keep=-1)
    with pytest.raises(ConfigError, match="did you mean 'older_than'"):
        orchestrator.schedule_clean_up(1, older_then=3)


def test_a_schedule_cleans_up_until_it_is_stopped_and_ends_with_the_orchestrator(log_dir: Path) -> None:
    with make(log_dir) as orchestrator:
        orchestrator.execute_task(orchestrator.add_task(action="one"))
        schedule = orchestrator.schedule_clean_up(0.01, keep=0)
        while len(orchestrator):
            time.sleep(0.005)
    assert "stopped" in repr(schedule)


def test_a_clean_up_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries: List[int] = []
    twice = threading.Event()

    def work() -> None:
        tries.append(1)
        if len(tries) > 1:
            twice.set()
        raise OSError("no disk")

    schedule = Schedule(0.005, work)
    assert twice.wait(20)
    schedule.stop()
    assert "the clean-up failed" in caplog.text


def test_the_performance_counts_what_was_done(log_dir: Path) -> None:
    with make(log_dir, retry_attempts=1, task_timeout=0.1) as orchestrator:
        orchestrator.handler("endless<b>", lambda context: context.sleep(1000), retries=0)
        for config in ({"action": "one"}, {"action": "one"}, {"action": "fail"}, {"action": "endless<b>"}):
            orchestrator.add_task(config)
        with pytest.raises(RunFailed):
            orchestrator.execute_all()
        found = orchestrator.performance()
        assert found.summary[["attempts", "completed"]].tolist() == [5, 2]
        assert found.summary["retry_rate"] == found.summary["timeout_rate"] == 0.2
        table = found.by_action
        assert table.index.tolist() == ["endless<b>", "fail", "one"]
        assert table.loc["fail", ["attempts", "completed", "retry_rate"]].tolist() == [2, 0, 0.5]
        assert table.loc["endless<b>", "run_p50"] >= 0.1
        assert found.slowest["action"].iloc[0] == "endless<b>"
        assert found.over_time[["completed", "failed", "retried"]].sum().tolist() == [2, 3, 1]
        assert found.workers["attempts"].sum() == 5
        picture = found.picture()
        ElementTree.fromstring(picture)
        assert "endless&lt;b&gt;" in picture


def test_the_performance_of_nothing_is_empty_and_can_be_shown(orchestrator: TaskOrchestrator) -> None:
    found = orchestrator.performance()
    assert found.summary["attempts"] == 0
    assert len(found.by_action) == len(found.over_time) == len(found.slowest) == 0
    ElementTree.fromstring(found._repr_mimebundle_()["image/svg+xml"])


def test_the_attempts_of_a_performance_have_the_same_dtypes_with_and_without_any(
    orchestrator: TaskOrchestrator,
) -> None:
    empty = orchestrator.performance().attempts.dtypes
    orchestrator.execute_task(orchestrator.add_task(action="one"))
    full = orchestrator.performance().attempts.dtypes
    assert full.tolist() == empty.tolist()
    assert list(full.index) == list(empty.index)
    assert full["state"] == "category" and str(full["started"]).endswith(", UTC]")


def test_what_a_failed_task_that_stays_needs_stays_for_it_may_run_again(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    failed = orchestrator.add_task(action="fail", target="x", dependencies=[first])
    last = orchestrator.add_task(action="one")
    with pytest.raises(RunFailed):
        orchestrator.execute_with_dependencies(failed)
    orchestrator.execute_task(last)
    assert orchestrator.clean_up(keep=2).tasks == []
    with pytest.raises(RunFailed):
        orchestrator.execute_all()
    orchestrator.execute_task(last, force=True)
    assert orchestrator.clean_up(keep=1).tasks == [first, failed]


def test_after_a_clean_up_the_rest_can_be_executed_and_is_sound(log_dir: Path) -> None:
    with make(log_dir) as orchestrator:
        first = orchestrator.add_task(action="one")
        second = orchestrator.add_task(action="add", dependencies=[first])
        orchestrator.execute_task(first)
        orchestrator.execute_task(second)
        assert orchestrator.clean_up(keep=1).tasks == [first]
        third = orchestrator.add_task(action="add", dependencies=[second])
        assert orchestrator.execute_all() == {third: 1}
    with make(log_dir) as orchestrator:
        assert repr(orchestrator.validate()) == "sound; 1 remark"
