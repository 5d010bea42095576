"""The record of a task: the form of the seed, valid by its own schema, made from the snapshot alone."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any, Dict

import jsonschema
import pytest

from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import Snapshot, TaskRow, fold
from flowdsl.errors import LogWriteError
from flowdsl.storage.journal import Journal, read_journal
from flowdsl.storage.records import OUTPUT_LIMIT, SCHEMA, STATUS, task_record, write_records

BEGIN = 1_710_417_600.0  # 2024-03-14T12:00:00Z


def check(record: Dict[str, Any]) -> Dict[str, Any]:
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(record)
    assert json.loads(json.dumps(record)) == record
    return record


def row(state: str = st.SUCCEEDED, name: str = "task_001") -> TaskRow:
    made = TaskRow(name)
    made.state, made.type, made.action, made.upstream = state, "documentation", "generate", ("task_000",)
    made.started_at = None if state in (st.PENDING, st.READY) else BEGIN
    made.ended_at = BEGIN + 60 if state in st.TERMINAL else None
    return made


def test_a_record_is_the_object_that_the_design_shows() -> None:
    assert check(task_record(row(), "path/to/generated/docs")) == {
        "taskId": "task_001",
        "type": "documentation",
        "action": "generate",
        "status": "completed",
        "startTime": "2024-03-14T12:00:00.000Z",
        "endTime": "2024-03-14T12:01:00.000Z",
        "dependencies": ["task_000"],
        "result": {"success": True, "output": "path/to/generated/docs"},
    }


def test_every_state_has_its_word_and_the_schema_knows_no_other() -> None:
    assert set(STATUS) == set(st.TASK_STATES)
    assert sorted(set(STATUS.values())) == sorted(json.loads(SCHEMA.read_text())["properties"]["status"]["enum"])


@pytest.mark.parametrize("state", st.TASK_STATES)
def test_the_record_of_every_state_is_valid(state: str) -> None:
    record = check(task_record(row(state)))
    assert (record["result"] is None) == (state in st.OPEN)
    assert (record["endTime"] is None) == (state in st.OPEN)
    if record["result"]:
        assert record["result"]["success"] == (state in st.DONE_WELL)


def test_a_record_with_a_foreign_key_or_a_wrong_word_is_not_valid() -> None:
    for change in ({"extra": 1}, {"status": "done"}, {"startTime": "2024-03-14"}, {"result": None}):
        with pytest.raises(jsonschema.ValidationError):
            check({**task_record(row()), **change})


def test_a_failed_task_says_why() -> None:
    failed = row(st.FAILED)
    failed.error = "division by zero\n" * 1_000
    result = check(task_record(failed, "ignored"))["result"]
    assert result["output"] is None
    assert result["error"].startswith("division by zero\ndivision")
    assert len(result["error"]) == 4_096


def test_a_task_that_never_ran_says_why() -> None:
    skipped = row(st.SKIPPED)
    skipped.message = "nothing new"
    assert check(task_record(skipped))["result"]["error"] == "nothing new"
    blocked = row(st.UPSTREAM_FAILED)
    blocked.cause = "upstream_failed"
    assert check(task_record(blocked))["result"]["error"] == "upstream_failed"


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1.5, "text", "\ud800\n", [1, [2, {"a": None}]], {"a": [1, 2]}, "x" * (OUTPUT_LIMIT - 2)],
    ids=lambda value: repr(value)[:20],
)
def test_a_small_json_value_is_in_the_record(value: Any) -> None:
    assert check(task_record(row(), value))["result"]["output"] == value


class Refuses:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("leave me alone")


class Numbers(list):  # type: ignore[type-arg]
    """A list that says how much of it was looked at."""

    def __init__(self, items: Any) -> None:
        super().__init__(items)
        self.seen = 0

    def __iter__(self) -> Any:
        for item in super().__iter__():
            self.seen += 1
            yield item


endless: Any = []
endless.append(endless)
deep: Any = []
for _ in range(100_000):
    deep = [deep]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x" * (OUTPUT_LIMIT - 1), "str"),
        (list(range(2_000)), "list"),
        (float("nan"), "float"),
        ({(1, 2): 3}, "dict"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (Path("a"), f"pathlib.{type(Path()).__name__}" if sys.version_info < (3, 13) else None),
        (Refuses(), f"{__name__}.Refuses"),
        (endless, "list"),
        (deep, "list"),
    ],
    ids=lambda value: repr(type(value).__name__),
)
def test_anything_else_is_a_type_and_a_reference(value: Any, kind: Any) -> None:
    output = check(task_record(row(), value, run_id="run-7"))["result"]["output"]
    assert output["reference"] == "run-7/task_001"
    assert kind is None or output["type"] == kind


def test_a_large_result_is_not_gone_through_to_see_that_it_is_large() -> None:
    numbers = Numbers(range(1_000_000))
    assert task_record(row(), numbers)["result"]["output"]["reference"] == "task_001"
    assert 0 < numbers.seen < OUTPUT_LIMIT


def snapshot_of(*names: str) -> Snapshot:
    snapshot = Snapshot("run-7", "etl")
    for name in names:
        snapshot.tasks[name] = row(name=name)
    return snapshot


def test_each_task_has_a_file_named_after_it(tmp_path: Path) -> None:
    written = write_records(snapshot_of("flights", "clean"), tmp_path / "records", {"flights": 3})
    assert [path.name for path in written] == ["flights.json", "clean.json"]
    assert [json.loads(path.read_text())["taskId"] for path in written] == ["flights", "clean"]
    assert [check(json.loads(path.read_text()))["result"]["output"] for path in written] == [3, None]


def test_no_name_leads_out_of_the_directory_or_onto_another_file(tmp_path: Path) -> None:
    names = ["../../etc/passwd", "/etc/passwd", "a", "A", "delays[0]", "delays[1]", "con", "..", "a\\b", "\ud800"]
    written = write_records(snapshot_of(*names), tmp_path / "deep" / "records", {})
    assert {path.parent for path in written} == {tmp_path / "deep" / "records"}
    assert len({path.name.lower() for path in written}) == len(names)
    assert [json.loads(path.read_text())["taskId"] for path in written] == names
    assert sorted(os.listdir(tmp_path / "deep" / "records")) == sorted(path.name for path in written)


def test_records_written_again_replace_the_old_ones_and_leave_nothing_else(tmp_path: Path) -> None:
    snapshot = snapshot_of("clean")
    (first,) = write_records(snapshot, tmp_path, {"clean": 1})
    (second,) = write_records(snapshot, tmp_path, {"clean": 2})
    assert first == second
    assert json.loads(second.read_text())["result"]["output"] == 2
    assert os.listdir(tmp_path) == ["clean.json"]


def test_a_reader_sees_the_old_record_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write_records(snapshot_of("clean"), tmp_path, {"clean": 1})

    def fail(self: Path, target: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(LogWriteError, match=r"clean\.json.*another directory") as caught:
        write_records(snapshot_of("clean"), tmp_path, {"clean": 2})
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert json.loads(path.read_text())["result"]["output"] == 1
    assert os.listdir(tmp_path) == ["clean.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="permission bits are a thing of POSIX")
def test_records_are_for_the_owner_alone(tmp_path: Path) -> None:
    (path,) = write_records(snapshot_of("clean"), tmp_path / "records", {})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_records_can_be_made_again_from_the_journal_alone(log_dir: Path, tmp_path: Path) -> None:
    with Journal.create(log_dir, "run-7") as journal:
        detail = {"run_id": "run-7", "flow": "etl"}
        journal.append([Event("run_started", "", 0, "", "running", "started", detail=detail)], BEGIN)
        for name, upstream in [("flights", []), ("clean", ["flights"])]:
            detail = {"action": f"make_{name}", "upstream": upstream, "type": "step"}
            journal.append([Event("task_added", name, 0, "", "pending", "added", detail=detail)], BEGIN)
        journal.append([Event("task_ready", "flights", 0, "pending", "ready", "dependencies_met")], BEGIN)
        journal.append([Event("attempt_started", "flights", 1, "ready", "running", "started")], BEGIN + 1)
        failed = Event("attempt_failed", "flights", 1, "running", "failed", "raised", detail={"error": "no file"})
        blocked = Event("task_upstream_failed", "clean", 0, "pending", "upstream_failed", "upstream_failed", "flights")
        journal.append([failed, blocked], BEGIN + 2.5)
    written = write_records(fold(read_journal(journal.path).batches), tmp_path / "records", {})
    records = [check(json.loads(path.read_text())) for path in written]
    assert [(record["taskId"], record["status"], record["action"]) for record in records] == [
        ("flights", "failed", "make_flights"),
        ("clean", "blocked", "make_clean"),
    ]
    assert records[0]["startTime"] == "2024-03-14T12:00:01.000Z"
    assert records[0]["endTime"] == "2024-03-14T12:00:02.500Z"
    assert records[0]["result"] == {"success": False, "output": None, "error": "no file"}
    assert records[1]["dependencies"] == ["flights"]
