"""What an orchestrator left is taken up by the next one, also when it was killed in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import List

import pytest

from flowdsl import ConfigError, GraphError, LogLocked, TaskResultError
from flowdsl.orchestrator import TaskOrchestrator
from tests.orchestrator.making import make, status, statuses


def test_tasks_states_counters_and_results_survive(log_dir: Path) -> None:
    with make(log_dir) as first:
        one = first.add_task(action="one")
        gone = first.add_task(action="one")
        first.remove(gone)
        first.execute_task(one)
        before = first.get_task_status(one)
        first.pause()
    calls: List[int] = []
    with make(log_dir) as later:
        later.handler("one", lambda: calls.append(1))
        assert later.paused
        later.resume()
        assert later.get_task_status(one) == before
        assert later.execute_task(one) == 1
        assert later.add_task(action="one") == "task_003"
    assert calls == []


@pytest.fixture
def killed(log_dir: Path, tmp_path: Path) -> Path:
    """The log directory of an orchestrator that was killed while its second task ran."""
    seen = tmp_path / "seen"
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("child_killed.py")), str(log_dir), str(seen)]
    )
    try:
        for _ in range(600):
            if seen.exists() or child.poll() is not None:
                break
            time.sleep(0.05)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()
    return log_dir


@pytest.mark.slow
def test_after_a_kill_the_interrupted_is_marked_and_run_again_and_the_completed_is_not(killed: Path) -> None:
    calls: List[str] = []
    with TaskOrchestrator(task_log_dir=killed) as later:
        later.handler("make", lambda: calls.append("make"))
        later.handler("hang", lambda: calls.append("hang"))
        later.handler("use", lambda make: make)
        assert statuses(later) == {"task_001": "completed", "task_002": "interrupted", "task_003": "interrupted"}
        found = later.get_task_status("task_002")
        assert (found["progress"], found["message"], found["attempts"]) == (30.0, "in the middle", 1)
        assert later.logs(status="interrupted")["success"].tolist() == [False, False]
        assert later.execute_with_dependencies("task_003") == {"made": 1}
        assert calls == ["hang"]
        assert set(statuses(later).values()) == {"completed"}


@pytest.mark.slow
def test_interrupted_tasks_can_be_held_for_a_person_to_decide(killed: Path) -> None:
    with TaskOrchestrator(task_log_dir=killed, on_interrupted="hold") as later:
        for action in ("make", "hang", "use"):
            later.handler(action, lambda: action)  # noqa: B023 - only the last is called
        assert later.execute_all() == {}
        with pytest.raises(GraphError, match="'task_002', which was interrupted, and on_interrupted='hold'"):
            later.execute_with_dependencies("task_003")
        later.execute_task("task_002")
        assert status(later, "task_002") == "completed"


def test_a_second_orchestrator_in_one_directory_is_refused(log_dir: Path) -> None:
    with make(log_dir), pytest.raises(LogLocked, match=r"close\(\) that one first"):
        make(log_dir)


@pytest.mark.slow
def test_one_of_another_process_is_refused_with_its_pid(log_dir: Path) -> None:
    code = "import sys; from flowdsl.orchestrator import TaskOrchestrator as T\n"
    code += f"held = T(task_log_dir={str(log_dir)!r}).initialize(); print('open', flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.readline() == b"open\n"
        with pytest.raises(LogLocked, match="locked by pid %d" % child.pid):
            make(log_dir)
    finally:
        child.communicate()


def test_an_orchestrator_that_nobody_holds_gives_its_directory_free(log_dir: Path) -> None:
    found = make(log_dir)
    found.execute_task(found.add_task(action="one"))
    del found
    with make(log_dir) as later:
        assert statuses(later) == {"task_001": "completed"}


def test_a_result_that_is_no_json_is_kept_under_a_seal(log_dir: Path) -> None:
    with make(log_dir) as first:
        first.handler("tuple", lambda: (1, {2}))
        task = first.add_task(action="tuple")
        first.execute_task(task)
        assert first.logs()["output"].iloc[0]["type"] == "tuple"
    with make(log_dir) as later:
        assert later.execute_task(task) == (1, {2})


def test_a_result_that_cannot_be_kept_is_said_when_it_is_needed(log_dir: Path) -> None:
    with make(log_dir) as first:
        first.handler("lock", lambda: __import__("threading").Lock())
        task = first.add_task(action="lock")
        first.execute_task(task)
    with make(log_dir) as later:
        order_only = later.add_task(action="echo", target=1, dependencies=[task])
        assert later.execute_task(order_only) == 1
        with pytest.raises(TaskResultError, match=r"its result is lost: .*force=True\) makes it again"):
            later.execute_task(task)
        with pytest.raises(TaskResultError, match="its result is lost"):
            later.execute_task(later.add_task(action="add", dependencies=[task]))


def test_a_result_that_somebody_else_wrote_is_not_unpickled(log_dir: Path) -> None:
    with make(log_dir) as first:
        first.handler("tuple", lambda: (1,))
        task = first.add_task(action="tuple")
        first.execute_task(task)
    (file,) = (log_dir / "orchestrator" / "results").glob("*.pickle")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with make(log_dir) as later, pytest.raises(TaskResultError, match="was not written by you"):
        later.execute_task(task)


def test_a_parameter_that_is_no_json_belongs_to_the_process_that_gave_it(log_dir: Path) -> None:
    with make(log_dir) as first:
        task = first.add_task(action="echo", target={1, 2})
    with make(log_dir) as later:
        assert later.validate().of("not kept") == [task]
        with pytest.raises(ConfigError, match="its target is no JSON, and only the process that added it had it"):
            later.execute_task(task)


def test_without_its_handler_a_task_of_an_earlier_process_cannot_run(log_dir: Path) -> None:
    with make(log_dir) as first:
        first.handler("special", lambda: 1)
        task = first.add_task(action="special")
    with make(log_dir) as later:
        with pytest.raises(ConfigError, match="no handler for action 'special' of type 'task'; register it"):
            later.execute_task(task)
        later.handler("special", lambda: 2)
        assert later.execute_task(task) == 2


def test_a_record_that_was_removed_or_damaged_is_made_again(log_dir: Path) -> None:
    with make(log_dir) as first:
        ids = [first.add_task(action="one") for _ in range(3)]
        first.execute_all()
    whole = {path.name: path.read_bytes() for path in log_dir.glob("*.json")}
    (log_dir / "task_001.json").unlink()
    (log_dir / "task_002.json").write_text('{"taskId": "task_')
    make(log_dir).close()
    assert {path.name: path.read_bytes() for path in log_dir.glob("*.json")} == whole
    assert len(ids) == len(whole)


def test_a_damaged_line_of_the_queue_is_reported_and_the_others_hold(
    log_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with make(log_dir) as first:
        for number in range(3):
            first.add_task(action="echo", target=number)
    journal = log_dir / "orchestrator" / "events.jsonl"
    lines = journal.read_bytes().splitlines(True)
    lines[2] = lines[2].replace(b"task_002", b"task_00x")
    journal.write_bytes(b"".join(lines) + b'{"v":1,"se')
    with make(log_dir) as later:
        assert list(statuses(later)) == ["task_001", "task_003"]
        assert not later.validate().ok
        assert later.validate().of("damage") == [""]
        assert later.add_task(action="one") == "task_004"
    assert "passed over 1 damaged line in " in caplog.text
    with make(log_dir) as again:
        assert list(statuses(again)) == ["task_001", "task_003", "task_004"]


def test_an_id_is_not_given_again_though_its_line_is_damaged(log_dir: Path) -> None:
    make(log_dir).close()
    with make(log_dir) as first:
        first.add_task(action="one")
    journal = log_dir / "orchestrator" / "events.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"task":"task_001"', b'"task":"task_00x"'))
    with make(log_dir) as later:
        assert later.add_task(action="one") == "task_002"


def test_the_journal_of_the_queue_is_no_run(log_dir: Path) -> None:
    from flowdsl import load_runs

    with make(log_dir) as orchestrator:
        orchestrator.execute_task(orchestrator.add_task(action="one"))
    assert len(load_runs(log_dir)) == 1
    line = json.loads((log_dir / "orchestrator" / "events.jsonl").read_text().splitlines()[1])
    assert {"v", "seq", "at", "event", "task", "crc"} <= set(line)


def test_a_record_that_a_kill_left_of_a_removed_task_is_taken_away_and_other_files_stay(log_dir: Path) -> None:
    with make(log_dir) as first:
        task, stays = first.add_task(action="one"), first.add_task(action="one")
        record = (log_dir / f"{task}.json").read_bytes()
        first.remove(task)
    (log_dir / f"{task}.json").write_bytes(record)
    (log_dir / "other.json").write_bytes(record.replace(b"task_001", b"elsewhere"))
    (log_dir / "mine.json").write_text("[1]")
    with make(log_dir) as later:
        assert later.logs()["taskId"].tolist() == ["elsewhere", stays]
        assert sorted(path.name for path in log_dir.glob("*.json")) == ["mine.json", "other.json", "task_002.json"]
