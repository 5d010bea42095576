"""The small file of durations beside a journal: what comes back, what is refused, and how it is made again."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, Dict, List, Optional
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.engine.events import Event
from flowdsl.storage.durations import BRIEF, FILE, Durations, durations_of, read_durations, rebuilt, write_durations
from flowdsl.storage.journal import Journal

SOME = Durations("etl", "/u/ada/etl.ipynb", {"clean": 1.25, "load": 0.5, "look": BRIEF / 2}, {"load": 0.5}, {"load": 3})
names = some.text(min_size=1, max_size=20)


def sealed(body: str) -> bytes:
    data = body.encode()
    return data + b',"crc":"%08x"}\n' % crc32(data)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    write_durations(tmp_path, SOME)
    assert read_durations(tmp_path) == SOME
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@given(names, names, some.dictionaries(names, some.floats(0.0, 1e9)))
def test_any_name_comes_back_with_its_seconds_to_six_digits(
    tmp_path_factory: pytest.TempPathFactory, flow: str, place: str, seconds: Dict[str, float]
) -> None:
    directory = tmp_path_factory.mktemp("run")
    write_durations(directory, Durations(flow, place, seconds))
    found = read_durations(directory)
    assert (found.flow, found.place, found.functions) == (flow, place, {})
    assert found.seconds == pytest.approx(seconds, abs=BRIEF / 2, rel=1e-5)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_durations(tmp_path, SOME)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_where_it_cannot_be_written_there_is_none_and_nothing_is_left(tmp_path: Path) -> None:
    write_durations(tmp_path / "missing", SOME)
    (tmp_path / FILE).mkdir()
    write_durations(tmp_path, SOME)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@given(some.data())
def test_no_changed_byte_is_believed(tmp_path_factory: pytest.TempPathFactory, data: some.DataObject) -> None:
    directory = tmp_path_factory.mktemp("run")
    write_durations(directory, SOME)
    text = bytearray((directory / FILE).read_bytes())
    text[data.draw(some.integers(0, len(text) - 1))] ^= data.draw(some.integers(1, 255))
    (directory / FILE).write_bytes(bytes(text))
    with pytest.raises(ValueError):
        read_durations(directory)


@pytest.mark.parametrize(
    "body",
    [
        '{"v":2,"flow":"a","place":"b","seconds":{},"functions":{},"sizes":{},"brief":[]',
        '{"v":1,"flow":7,"place":"b","seconds":{},"functions":{},"sizes":{},"brief":[]',
        '{"v":1,"flow":"a","place":"b","seconds":[1],"functions":{},"sizes":{},"brief":[]',
        '{"v":1,"flow":"a","place":"b","seconds":{"x":-1},"functions":{},"sizes":{},"brief":[]',
        '{"v":1,"flow":"a","place":"b","seconds":{"x":NaN},"functions":{},"sizes":{},"brief":[]',
        '{"v":1,"flow":"a","place":"b","seconds":{"x":1e999},"functions":{},"sizes":{},"brief":[]',
        '{"v":1,"flow":"a","place":"b","seconds":{"x":true},"functions":{},"sizes":{},"brief":[]',
        '{"v":1,"flow":"a","place":"b","seconds":{"x":"1"},"functions":{},"sizes":{},"brief":[]',
        '{"v":1,"flow":"a","place":"b","seconds":{},"functions":{},"sizes":{},"brief":[1]',
        '{"v":1,"flow":"a","place":"b","seconds":{},"functions":{}',
        '{"v":1,"flow":' + "[" * 100_000,
        '["v"',
        "not json",
        "",
    ],
)
def test_what_another_wrote_is_refused_although_its_checksum_fits(body: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(sealed(body))
    with pytest.raises(ValueError):
        read_durations(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_neither_a_pipe_nor_a_link_nor_a_directory_is_read(tmp_path: Path) -> None:
    for number, make in enumerate((os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/hostname", path))):
        directory = tmp_path / str(number)
        directory.mkdir()
        make(str(directory / FILE))
        with pytest.raises((OSError, ValueError)):
            read_durations(directory)


# ---- what a run tells


def test_what_did_not_succeed_tells_nothing_and_a_mapped_task_has_the_mean_of_its_items() -> None:
    clock = {"load": 2.0, "broken": -1_700_000_000.0, "part[0]": 1.0, "part[1]": 3.0, "part[2]": 5.0}
    found = durations_of("etl", "here", clock, {"load": "read", "part": "clean"}.__getitem__)
    assert found == Durations("etl", "here", {"load": 2.0, "part": 3.0}, {"read": 2.0, "clean": 3.0}, {"part": 3})


def test_a_run_in_which_everything_was_brief_tells_nothing() -> None:
    assert durations_of("etl", "here", {"a": 0.0002, "b": 0.0}, str) == Durations("etl", "here", {})


def test_a_function_has_the_mean_of_its_tasks_but_for_the_brief_ones() -> None:
    found = durations_of("etl", "here", {"a": 1.0, "b": 3.0, "c": 0.0001}, lambda name: "f")
    assert found.functions == {"f": 2.0}
    assert set(found.seconds) == {"a", "b", "c"}


# ---- from the journal


def life(task: str, attempt: int = 1) -> List[Event]:
    return [
        Event("attempt_started", task, attempt, "ready", "running", "started"),
        Event("attempt_succeeded", task, attempt, "running", "succeeded", "returned"),
    ]


def journal(log_dir: Path, tasks: int, header: Optional[Dict[str, Any]] = None) -> Path:
    """A run of tasks one after the other, the n-th of which takes n seconds."""
    detail = {"flow": "etl", "file": None, "folder": "/work", **(header or {})}
    with Journal.create(log_dir, "run") as log:
        log.append([Event("run_started", "", 0, "", "running", "started", detail=detail)], 1e9)
        for number in range(1, tasks + 1):
            begun, ended = life(f"t{number}")
            log.append([begun], 1e9 + number)
            log.append([ended], 1e9 + 2 * number)
    return log.path


def test_durations_are_made_again_from_the_journal(log_dir: Path) -> None:
    found = rebuilt(journal(log_dir, 3), 100).durations
    assert found == Durations("etl", "/work", {"t1": 1.0, "t2": 2.0, "t3": 3.0})


def test_the_file_goes_before_the_folder(log_dir: Path) -> None:
    assert rebuilt(journal(log_dir, 0, {"file": "/u/ada/etl.py"}), 100).durations.place == "/u/ada/etl.py"


def test_no_more_lines_than_asked_for_are_parsed(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = journal(log_dir, 50)
    parsed: List[bytes] = []
    from flowdsl.storage import durations

    parse = durations.parse_line
    monkeypatch.setattr(durations, "parse_line", lambda raw: (parsed.append(raw), parse(raw))[1])
    assert set(rebuilt(run_dir, 20).durations.seconds) == {f"t{number}" for number in range(1, 11)}
    assert len(parsed) == 21  # with the header


def test_a_line_that_is_damaged_or_cut_off_is_passed_over(log_dir: Path) -> None:
    run_dir = journal(log_dir, 3)
    lines = (run_dir / "events.jsonl").read_bytes().splitlines(True)
    lines[3] = lines[3].replace(b'"t2"', b'"t9"')
    (run_dir / "events.jsonl").write_bytes(b"".join(lines)[:-7])
    assert rebuilt(run_dir, 100).durations.seconds == {"t1": 1.0}


@pytest.mark.parametrize("content", [b"", b"\n", b"nonsense\n", b"\x00" * 100])
def test_what_is_no_journal_is_refused(content: bytes, log_dir: Path) -> None:
    log_dir.mkdir(parents=True)
    (log_dir / "events.jsonl").write_bytes(content)
    with pytest.raises(ValueError):
        rebuilt(log_dir, 100)


def test_a_header_that_says_nothing_useful_is_refused(log_dir: Path) -> None:
    with pytest.raises(ValueError):
        rebuilt(journal(log_dir, 1, {"flow": ["etl"]}), 100)


def test_the_file_is_one_json_object_that_others_can_read(tmp_path: Path) -> None:
    write_durations(tmp_path, SOME)
    fields = json.loads((tmp_path / FILE).read_text())
    assert fields["seconds"] == {"clean": 1.25, "load": 0.5}
    assert fields["brief"] == ["look"]
