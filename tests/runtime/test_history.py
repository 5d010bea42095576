"""What earlier runs of a flow mean for the next one: which task goes first, and what is not believed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

from flowdsl import Flow, Run
from flowdsl.runtime.history import Historian, expected
from flowdsl.runtime.run_id import new_run_id, newest_of
from flowdsl.storage import durations as stored
from flowdsl.storage.durations import FILE, Durations, read_durations, write_durations
from flowdsl.storage.lock import Lock
from tests.storage.test_durations import journal

HERE = "/u/ada/etl.ipynb"


@pytest.fixture(autouse=True)
def a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the test are those of one notebook."""
    monkeypatch.setenv("JPY_SESSION_NAME", HERE)


def flow_of(log_dir: Path, seconds: Dict[str, float], **options: Dict[str, Any]) -> Flow:
    """Independent tasks that sleep."""
    flow = Flow("etl", log_dir=log_dir)
    for name, pause in seconds.items():
        flow.task(name, **options.get(name, {}))(lambda pause=pause: time.sleep(pause))
    return flow


def order(run: Run) -> List[str]:
    return [str(name) for name in run.attempts["task"]]


def one_by_one(flow: Flow) -> Run:
    return flow.run(executor="inline", max_workers=1, display="none")


def past(log_dir: Path, run_id: str, seconds: Dict[str, float], place: str = HERE, flow: str = "etl") -> Path:
    """A directory with durations, as a run of the past left it."""
    run_dir = log_dir / run_id
    run_dir.mkdir(parents=True)
    write_durations(run_dir, Durations(flow, place, seconds))
    return run_dir


def known(flow: Flow, log_dir: Path) -> Dict[str, float]:
    return dict(expected(flow.graph(), Historian(log_dir, "etl", HERE).past()).seconds)


# ---- which task goes first


@pytest.mark.slow
def test_the_second_run_begins_with_the_task_that_took_longest_in_the_first(log_dir: Path) -> None:
    flow = flow_of(log_dir, {"brief": 0.0, "short": 0.1, "long": 0.3, "middle": 0.2})
    assert order(one_by_one(flow)) == ["brief", "short", "long", "middle"]
    assert order(one_by_one(flow)) == ["long", "middle", "short", "brief"]


@pytest.mark.slow
def test_what_hangs_on_a_task_counts_with_it(log_dir: Path) -> None:
    flow = flow_of(log_dir, {"alone": 0.15, "first": 0.05, "last": 0.2}, last={"depends_on": ["first"]})
    one_by_one(flow)
    assert order(one_by_one(flow)) == ["first", "last", "alone"]


@pytest.mark.slow
def test_priority_goes_before_what_history_says(log_dir: Path) -> None:
    flow = flow_of(log_dir, {"short": 0.005, "long": 0.04}, short={"priority": 1})
    one_by_one(flow)
    assert order(one_by_one(flow)) == ["short", "long"]


@pytest.mark.slow
def test_the_durations_of_a_failed_run_count_and_those_of_failed_tasks_do_not(log_dir: Path) -> None:
    flow = flow_of(log_dir, {"good": 0.02})

    @flow.task
    def bad() -> None:
        time.sleep(0.02)
        raise ValueError("no")

    run = flow.run(executor="inline", display="none", raise_on_failure=False)
    assert list(read_durations(run.dir).seconds) == ["good"]


# ---- whose history it is


def test_a_name_is_expected_to_take_the_median_of_the_last_ten_runs(log_dir: Path) -> None:
    for number in range(12):
        past(log_dir, f"2026010{number // 6}-00000{number % 6}-000-etl-{number:06x}", {"a": float(number)})
    assert known(flow_of(log_dir, {"a": 0.0}), log_dir) == {"a": 6.5}  # of 2 to 11


def test_the_runs_of_another_file_or_another_flow_do_not_count(log_dir: Path) -> None:
    past(log_dir, "20260101-000000-000-etl-000001", {"a": 1.0}, place="/u/ada/other.ipynb")
    past(log_dir, "20260101-000000-001-etl-000002", {"a": 2.0}, flow="etl!")  # the same slug
    past(log_dir, "20260101-000000-002-other-000003", {"a": 3.0})
    past(log_dir, "of-somebody-else", {"a": 4.0})
    assert known(flow_of(log_dir, {"a": 0.0}), log_dir) == {}
    past(log_dir, "20260101-000000-003-etl-000004", {"a": 5.0})
    assert known(flow_of(log_dir, {"a": 0.0}), log_dir) == {"a": 5.0}


def test_names_of_runs_tell_their_flow_and_sort_by_time() -> None:
    ids = [new_run_id("a/b c"), new_run_id("a/b c"), new_run_id("d")]
    later = "99991231-235959-999-a-b-c-ffffff"
    assert newest_of("a/b c", [ids[2], ids[0], later, "x"]) == [later, ids[0]]


def test_a_task_without_history_has_the_mean_of_the_tasks_of_its_function(log_dir: Path) -> None:
    flow = Flow("etl", log_dir=log_dir)
    for name in ("january", "february", "march"):
        flow.task(name)(lambda: None)

    @flow.task
    def other() -> None: ...

    past(log_dir, "20260101-000000-000-etl-000001", {"january": 2.0, "february": 4.0})
    assert known(flow, log_dir) == {"january": 2.0, "february": 4.0, "march": 3.0}


def test_where_all_tasks_of_a_function_are_new_its_earlier_tasks_tell(log_dir: Path) -> None:
    flow = Flow("etl", log_dir=log_dir)

    @flow.task("april")
    def month() -> None: ...

    run_dir = past(log_dir, "20260101-000000-000-etl-000001", {})
    write_durations(run_dir, Durations("etl", HERE, {"march": 3.0}, {"month": 3.0}))
    assert known(flow, log_dir) == {"april": 3.0}


def test_of_large_runs_fewer_are_read(log_dir: Path) -> None:
    for number in range(5):
        past(log_dir, f"20260101-000000-00{number}-etl-00000{number}", {f"t{task}": 1.0 for task in range(100)})
    assert len(Historian(log_dir, "etl", HERE).past(150)) == 2
    assert len(Historian(log_dir, "etl", HERE).past()) == 5


# ---- what lies there


def test_without_a_directory_nothing_is_known(log_dir: Path) -> None:
    assert Historian(log_dir, "etl", HERE).past() == []
    log_dir.parent.mkdir(parents=True)
    log_dir.write_text("a file")
    assert Historian(log_dir, "etl", HERE).past() == []


def test_damaged_foreign_and_empty_directories_are_passed_over(log_dir: Path) -> None:
    for number, content in enumerate((b"", b"{}", b"\x00\xff" * 500, b"[" * 100_000)):
        run_dir = past(log_dir, f"20260101-000001-00{number}-etl-00000{number}", {})
        (run_dir / FILE).write_bytes(content)
    (log_dir / "20260101-000002-000-etl-00000a").mkdir()
    (log_dir / "20260101-000002-000-etl-00000b").write_text("a file")
    past(log_dir, "20260101-000000-000-etl-000001", {"a": 1.0})
    assert known(flow_of(log_dir, {"a": 0.0}), log_dir) == {"a": 1.0}


@pytest.mark.slow
def test_a_run_succeeds_whatever_lies_in_its_log_directory(log_dir: Path) -> None:
    run_dir = past(log_dir, "20260101-000000-000-etl-000001", {"a": 1.0})
    if hasattr(os, "mkfifo"):
        for name in (FILE, "events.jsonl"):
            other = log_dir / f"20260101-000001-000-etl-00000{len(name) % 10}"
            other.mkdir()
            os.mkfifo(str(other / name))
    (run_dir / FILE).write_bytes((run_dir / FILE).read_bytes()[:-9])
    assert one_by_one(flow_of(log_dir, {"a": 0.0})).state == "succeeded"


def test_what_a_dead_process_left_is_made_again_from_its_journal_and_kept(tmp_path: Path, log_dir: Path) -> None:
    name = "20260101-000000-000-etl-000001"
    journal(tmp_path / "one", 3, {"file": HERE}).rename(_made(log_dir) / name)
    flow = flow_of(log_dir, {"t1": 0.0, "t3": 0.0})
    assert known(flow, log_dir) == {"t1": 1.0, "t3": 3.0}
    assert read_durations(log_dir / name).seconds == {"t1": 1.0, "t2": 2.0, "t3": 3.0}


def test_a_run_that_goes_on_is_passed_over(tmp_path: Path, log_dir: Path) -> None:
    name = "20260101-000000-000-etl-000001"
    journal(tmp_path / "one", 3, {"file": HERE}).rename(_made(log_dir) / name)
    lock = Lock(log_dir / name)
    assert known(flow_of(log_dir, {"t1": 0.0}), log_dir) == {}
    assert not (log_dir / name / FILE).exists()
    lock.release()


def test_a_start_parses_only_so_many_lines_however_many_journals_there_are(
    tmp_path: Path, log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = journal(tmp_path / "one", 300, {"file": HERE})
    for number in range(10):
        shutil.copytree(str(one), str(_made(log_dir) / f"20260101-000000-00{number}-etl-00000{number}"))
    parsed: List[bytes] = []
    parse = stored.parse_line
    monkeypatch.setattr(stored, "parse_line", lambda raw: (parsed.append(raw), parse(raw))[1])
    monkeypatch.setattr("flowdsl.runtime.history.LINES", 1_000)
    historian = Historian(log_dir, "etl", HERE)
    historian.past()
    assert 0 < len(parsed) <= 1_000 + 10
    for _ in range(10):  # each start goes on where the one before left off
        historian.past()
    assert len(historian.past()) == 10
    before = len(parsed)
    historian.past()
    assert len(parsed) == before


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def test_a_fault_of_ours_in_it_is_logged_and_the_run_ends(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("flowdsl.runtime.history.durations_of", lambda *_: 1 / 0)
    with caplog.at_level("ERROR", "flowdsl"):
        assert one_by_one(flow_of(log_dir, {"a": 0.0})).state == "succeeded"
    assert "was not kept" in caplog.text


KILLED = """
import os, signal, sys, time
from flowdsl import Flow
flow = Flow("etl", log_dir=sys.argv[1])
@flow.task
def first():
    time.sleep(0.02)
@flow.task
def second(first):
    os.kill(os.getpid(), signal.SIGKILL)
flow.run(display="none")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL here")
def test_what_a_killed_kernel_had_finished_counts_for_the_next_run(log_dir: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED, str(log_dir)], check=False)
    assert died.returncode == -signal.SIGKILL
    flow = flow_of(log_dir, {"first": 0.0, "second": 0.0})
    assert known(flow, log_dir)["first"] >= 0.02
    (run_dir,) = log_dir.iterdir()
    assert list(read_durations(run_dir).seconds) == ["first"]
