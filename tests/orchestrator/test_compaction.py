"""The journal of the queue does not grow for ever: it is written anew, and says the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from flowdsl import ConfigError
from flowdsl.engine.events import Event
from flowdsl.orchestrator import TaskOrchestrator, compaction
from flowdsl.orchestrator.entry import KNOWN
from flowdsl.orchestrator.fold import Queue
from flowdsl.orchestrator.task_records import read_records
from flowdsl.storage.detail import DETAIL_LIMIT
from flowdsl.storage.reading import read_journal
from flowdsl.storage.rewriting import DRAFT
from tests.orchestrator.child_compacting import POINTS
from tests.orchestrator.making import make, statuses


def lines(log_dir: Path) -> List[bytes]:
    return (log_dir / "orchestrator" / "events.jsonl").read_bytes().splitlines()


def stands(orchestrator: TaskOrchestrator) -> Dict[str, Any]:
    return {task: orchestrator.get_task_status(task) for task in orchestrator.queue()["taskId"]}


def compact(orchestrator: TaskOrchestrator) -> None:
    orchestrator._parts.book.compact()


def known(queue: Queue) -> Dict[str, Any]:
    return {
        **{name: [entry.file, *(getattr(entry, key) for key in KNOWN)] for name, entry in queue.entries.items()},
        "": [queue.ever, list(queue.runs), queue.paused, queue.ids.last],
    }


def fill(orchestrator: TaskOrchestrator) -> None:
    """Tasks of all kinds."""
    a = orchestrator.add_task(action="one", priority=2)
    b = orchestrator.add_task(action="add", dependencies=[a], timeout=3, retries=2, parameters={})
    fails = orchestrator.add_task(action="fail", target="luck", task_id="fails")
    orchestrator.add_task(action="add", dependencies=[fails])
    orchestrator.add_task(action="echo", target=[1], task_id="by hand")
    orchestrator.add_task(action="echo", task_id="By Hand")
    orchestrator.execute_with_dependencies(b)
    orchestrator.execute_all(start=True).wait()
    gone = [orchestrator.add_task(action="one") for _ in range(3)] + [orchestrator.add_task(action="one", task_id="x")]
    for task in gone:
        orchestrator.remove(task)
    orchestrator.update_task_state(
        orchestrator.add_task(action="one"), {"status": "in-progress", "progress": 30, "message": "by hand"}
    )
    ended = orchestrator.add_task(action="one")
    orchestrator.update_task_state(ended, {"status": "completed", "result": {"made": "by hand"}})
    orchestrator.set_priority(a, -1.5)
    orchestrator.add_task(action="echo", target={1, 2})
    orchestrator.pause()


def test_a_compacted_journal_says_the_same_in_fewer_lines(log_dir: Path) -> None:
    with make(log_dir) as first:
        fill(first)
        assert first.wait(20)
        before, long, queue = stands(first), len(lines(log_dir)), known(first._parts.book.queue)
        compact(first)
        assert stands(first) == before
        assert len(lines(log_dir)) < long
        assert known(first._parts.book.queue) == queue
        first.set_priority("fails", 3)
        records = read_records(log_dir)
    with make(log_dir) as later:
        assert later.paused
        later.resume()
        assert {**before, "fails": {**before["fails"], "priority": 3}} == {
            **stands(later),
            "task_009": before["task_009"],  # its target is no JSON, and belonged to the process before
        }
        assert read_records(log_dir) == records
        assert later.validate().of("not kept") == ["task_009"]
        for task in ("task_004", "x"):
            with pytest.raises(ConfigError, match="is taken"):
                later.add_task(action="one", task_id=task)
        assert later.add_task(action="one") == "task_010"
        assert not later.validate().of("damage")


def test_the_journal_of_a_queue_that_is_worked_through_for_ever_stays_short(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "LEAST", 50)
    lengths = []
    with make(log_dir) as orchestrator:
        stays = orchestrator.add_task(action="one", task_id="stays")
        for _ in range(200):
            orchestrator.remove(orchestrator.add_task(action="one"))
            orchestrator.set_priority(stays, 1)
            lengths.append(len(lines(log_dir)))
        assert orchestrator.add_task(action="one") == "task_201"
    assert max(lengths) <= 60
    with make(log_dir) as later:
        assert statuses(later) == {"stays": "pending", "task_201": "pending"}


def test_a_clean_up_shortens_the_journal_too(log_dir: Path) -> None:
    with make(log_dir) as orchestrator:
        for _ in range(5):
            orchestrator.execute_task(orchestrator.add_task(action="one"))
        orchestrator.clean_up(keep=1)
        assert [json.loads(line)["event"] for line in lines(log_dir)] == [
            "queue_compacted",
            "ids_retired",
            "runs_kept",
            "task_kept",
        ]
        assert len(orchestrator.performance().attempts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_is_killed_while_it_compacts_loses_nothing(log_dir: Path, point: str) -> None:
    child = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("child_compacting.py")), str(log_dir), point],
        capture_output=True,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    ids = child.stdout.split()
    assert len(ids) == 20
    assert (len(lines(log_dir)) > 40) == (point != POINTS[2])
    with make(log_dir) as later:
        later.handler("one", lambda: 1)
        found = stands(later)
        assert list(found) == ids
        assert (found["task_001"]["status"], found["task_001"]["progress"]) == ("in-progress", 19.0)
        assert later.validate().ok
        assert later.add_task(action="one") == "task_021"
        compact(later)
        assert not (log_dir / "orchestrator" / DRAFT).exists()
        assert len(stands(later)) == 21


def test_a_journal_that_cannot_be_written_anew_goes_on_as_it_is(
    log_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with make(log_dir) as orchestrator:
        orchestrator.add_task(action="one")
        (log_dir / "orchestrator" / DRAFT).mkdir()  # so that no file can be made there
        compact(orchestrator)
        assert "stays as long as it is" in caplog.text
        orchestrator.add_task(action="one")
    with make(log_dir) as later:
        assert len(later) == 2


def test_a_damaged_journal_is_kept_as_it_is_found(log_dir: Path) -> None:
    with make(log_dir) as first:
        for _ in range(3):
            first.add_task(action="one")
    journal = log_dir / "orchestrator" / "events.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"task_002"', b'"task_00x"'))
    with make(log_dir) as later:
        compact(later)
        assert b"task_00x" in journal.read_bytes()


def test_what_a_newer_flowdsl_wrote_is_not_thrown_away(log_dir: Path) -> None:
    with make(log_dir) as first:
        first._parts.book.append([Event("task_dreamt", "", 0, "", "running", "added")])
        compact(first)
    assert any(b"task_dreamt" in line for line in lines(log_dir))


def test_a_detail_that_is_too_long_for_a_line_is_kept_and_older_ones_go(log_dir: Path) -> None:
    large = "x" * (DETAIL_LIMIT + 1)
    details = log_dir / "orchestrator" / "details"
    with make(log_dir) as first:
        gone, stays = first.add_task(action="echo", target=large), first.add_task(action="echo", target="y" + large)
        first.remove(gone)
        assert len(list(details.iterdir())) == 2
        compact(first)
        assert len(list(details.iterdir())) == 1
    with make(log_dir) as later:
        assert later.execute_task(stays) == "y" + large


def test_the_fold_of_what_is_on_disk_is_the_queue_in_memory(log_dir: Path) -> None:
    with make(log_dir) as orchestrator:
        fill(orchestrator)
        for _ in range(2):
            queue = Queue()
            for batch in read_journal(log_dir / "orchestrator").batches:
                for event in batch.events:
                    queue.apply(event, batch.at)
            assert known(queue) == known(orchestrator._parts.book.queue)
            compact(orchestrator)
