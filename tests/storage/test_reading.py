"""The reader: whatever happened to the file, what is whole loads and what is not is told, with its place."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Dict
from zlib import crc32

import pytest

from flowdsl.storage.journal import Damage, Journal, read_journal, run_dirs
from flowdsl.storage.line import CUT_OFF
from tests.storage.samples import AT, events_of, lines_of, started, write

NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture
def run_dir(log_dir: Path) -> Path:
    return write(log_dir, *([started(name, detail={"worker": "thread-1"})] for name in NAMES))


def replace_lines(run_dir: Path, *lines: bytes) -> None:
    (run_dir / "events.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))


def with_crc(fields: Any) -> bytes:
    body = json.dumps(fields, separators=(",", ":"))[:-1].encode()
    return b'%s,"crc":"%08x"}' % (body, crc32(body))


def changed(line: bytes, **fields: Any) -> bytes:
    """The line with some fields changed and a checksum that fits: what nobody but a stranger would write."""
    whole: Dict[str, Any] = {**json.loads(line), **fields}
    del whole["crc"]
    return with_crc({key: value for key, value in whole.items() if value is not ...})


def test_a_flipped_bit_anywhere_in_a_line_costs_that_line_alone_and_is_reported_with_its_place(run_dir: Path) -> None:
    lines = lines_of(run_dir)
    offset = len(lines[0]) + len(lines[1]) + 2
    for position in range(len(lines[2])):
        flipped = bytearray(lines[2])
        flipped[position] ^= 1 << (position % 7)
        if b"\n" in flipped:
            continue
        replace_lines(run_dir, *lines[:2], bytes(flipped), *lines[3:])
        log = read_journal(run_dir)
        assert [event.task for _, event in events_of(log)] == ["a", "b", "d", "e"]
        assert [(damage.offset, damage.line) for damage in log.damage] == [(offset, 3)], position
        assert not log.torn


def test_a_newline_that_is_lost_costs_the_two_lines_that_it_parted(run_dir: Path) -> None:
    lines = lines_of(run_dir)
    replace_lines(run_dir, lines[0], lines[1] + b" " + lines[2], *lines[3:])
    log = read_journal(run_dir)
    assert [event.task for _, event in events_of(log)] == ["a", "d", "e"]
    assert [damage.line for damage in log.damage] == [2, 3]
    assert "lines are missing" in log.damage[1].reason


def test_a_newline_that_was_put_in_costs_one_line(run_dir: Path) -> None:
    lines = lines_of(run_dir)
    replace_lines(run_dir, lines[0], lines[1][:40], lines[1][40:], *lines[2:])
    log = read_journal(run_dir)
    assert [event.task for _, event in events_of(log)] == ["a", "c", "d", "e"]
    assert [damage.line for damage in log.damage] == [2, 3]


def test_lines_that_are_missing_are_reported_where_they_are_missed(run_dir: Path) -> None:
    lines = lines_of(run_dir)
    replace_lines(run_dir, lines[0], *lines[3:])
    log = read_journal(run_dir)
    assert [seq for seq, _ in events_of(log)] == [0, 3, 4]
    assert log.damage == [Damage(len(lines[0]) + 1, 2, "seq 3 comes where 1 should: lines are missing before this one")]


def test_a_beginning_that_is_missing_is_reported(run_dir: Path) -> None:
    replace_lines(run_dir, *lines_of(run_dir)[2:])
    assert [damage.line for damage in read_journal(run_dir).damage] == [1]


def test_a_line_that_comes_twice_is_reported_and_counts_once(run_dir: Path) -> None:
    lines = lines_of(run_dir)
    replace_lines(run_dir, *lines[:2], lines[1], *lines[2:])
    log = read_journal(run_dir)
    assert [seq for seq, _ in events_of(log)] == [0, 1, 2, 3, 4]
    assert [(damage.line, damage.reason[:17]) for damage in log.damage] == [(3, "seq 1 comes again")]


def test_batches_follow_the_moments_and_never_span_a_gap(log_dir: Path) -> None:
    run_dir = write(log_dir, [started(name) for name in NAMES])
    assert [(batch.seq, len(batch.events)) for batch in read_journal(run_dir).batches] == [(0, 5)]
    lines = lines_of(run_dir)
    replace_lines(run_dir, *lines[:2], b"damaged", *lines[3:])
    assert [(batch.seq, len(batch.events)) for batch in read_journal(run_dir).batches] == [(0, 2), (3, 2)]


@pytest.mark.parametrize(
    "crc_kept_elsewhere", [pytest.param(False, id="crc as now"), pytest.param(True, id="crc kept elsewhere")]
)
def test_a_line_of_a_newer_version_is_called_that_and_never_misread(run_dir: Path, crc_kept_elsewhere: bool) -> None:
    lines = lines_of(run_dir)
    newer = changed(lines[2], v=2, state="succeeded")
    if crc_kept_elsewhere:
        newer = b'{"v":2,"facts":["anything"]}'
    replace_lines(run_dir, *lines[:2], newer, *lines[3:])
    log = read_journal(run_dir)
    assert [event.task for _, event in events_of(log)] == ["a", "b", "d", "e"]
    assert [damage.line for damage in log.damage] == [3]
    assert "newer flowdsl" in log.damage[0].reason
    assert "version 2" in log.damage[0].reason


@pytest.mark.parametrize(
    "fields",
    [
        {"v": 0},
        {"v": "1"},
        {"v": None},
        {"seq": "2"},
        {"seq": True},
        {"seq": 2.0},
        {"seq": -1},
        {"seq": 10**30},
        {"attempt": -1},
        {"attempt": 10**30},
        {"at": 5},
        {"at": "9999-01-01T00:00:00.000000Z"},
        {"at": "1969-12-31T23:59:59.999999Z"},
        {"at": "2026-11-22T16:10:29.123456+"},
        {"at": "yesterday"},
        {"at": "2026-13-45T99:00:00.000000Z"},
        {"at": "2026-11-22T16:10:29.١٢٣٤٥٦Z"},
        {"task": 7},
        {"task": None},
        {"attempt": "1"},
        {"before": ["ready"]},
        {"state": {}},
        {"cause": ...},
        {"event": ...},
        {"cause_task": 1},
        {"mechanism": []},
        {"detail": "text"},
        {"detail": [1]},
        {"detail": float("nan")},
        {"detail": {"cpu_s": float("nan")}},
        {"spilled": "details/../../x"},
    ],
    ids=repr,
)
def test_a_line_with_a_good_checksum_and_odd_fields_is_damage_and_never_an_exception(
    run_dir: Path, fields: Dict[str, Any]
) -> None:
    lines = lines_of(run_dir)
    replace_lines(run_dir, *lines[:2], changed(lines[2], **fields), *lines[3:])
    log = read_journal(run_dir)
    assert [event.task for _, event in events_of(log)] == ["a", "b", "d", "e"]
    assert [damage.line for damage in log.damage] == [3]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0" * 300,
        b"\xff\xfe\x80",
        b"null",
        b"[1,2]",
        b'{"v":1}',
        b"[" * 100_000,
        b'{"v":' * 50_000,
        with_crc([1, 2]),
        with_crc({}),
        b'{"a":1} {"b":2' + b',"crc":"%08x"}' % crc32(b'{"a":1} {"b":2'),
        b"\x80\x04N." + b',"crc":"%08x"}' % crc32(b"\x80\x04N."),
        b"[" * 100_000 + b',"crc":"%08x"}' % crc32(b"[" * 100_000),
        b'{"v":1,"seq":' + b"9" * 5_000 + b"}",
    ],
    ids=lambda line: repr(line[:20]),
)
def test_rubbish_in_the_place_of_a_line_is_damage_and_never_an_exception(run_dir: Path, line: bytes) -> None:
    lines = lines_of(run_dir)
    replace_lines(run_dir, *lines[:2], line, *lines[3:])
    log = read_journal(run_dir)
    assert [event.task for _, event in events_of(log)] == ["a", "b", "d", "e"]
    assert [damage.line for damage in log.damage] == [3]


def test_more_than_one_object_in_a_line_is_damage(run_dir: Path) -> None:
    lines = lines_of(run_dir)
    body = lines[2].rsplit(b',"crc"', 1)[0] + b'} {"state":"succeeded"'
    replace_lines(run_dir, *lines[:2], body + b',"crc":"%08x"}' % crc32(body), *lines[3:])
    log = read_journal(run_dir)
    assert [event.task for _, event in events_of(log)] == ["a", "b", "d", "e"]
    assert "not one JSON object" in log.damage[0].reason


def test_a_line_of_many_megabytes_is_damage_and_is_not_parsed(run_dir: Path) -> None:
    lines = lines_of(run_dir)
    body = b'{"v":1,"seq":2,"detail":"' + b"x" * 4_100_000 + b'"'
    replace_lines(run_dir, *lines[:2], body + b',"crc":"%08x"}' % crc32(body), *lines[3:])
    log = read_journal(run_dir)
    assert [event.task for _, event in events_of(log)] == ["a", "b", "d", "e"]
    assert "longer than" in log.damage[0].reason


def test_a_line_that_was_cut_off_is_told_from_one_that_was_changed(run_dir: Path) -> None:
    lines = lines_of(run_dir)
    replace_lines(run_dir, *lines[:2], lines[2][:-5], lines[3].replace(b"running", b"walking"), lines[4])
    log = read_journal(run_dir)
    assert [damage.reason == CUT_OFF for damage in log.damage] == [True, False]
    assert "changed after it was written" in log.damage[1].reason
    assert log.torn_lines == 1


def test_an_empty_journal_is_an_empty_log(log_dir: Path) -> None:
    Journal.create(log_dir, "run").close()
    log = read_journal(log_dir / "run")
    assert (log.batches, log.damage, log.torn, log.torn_lines) == ([], [], False, 0)


def test_a_directory_without_a_journal_is_a_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_journal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_the_place_of_the_journal_does_not_make_the_reader_wait(tmp_path: Path) -> None:
    os.mkfifo(str(tmp_path / "events.jsonl"))
    with pytest.raises(FileNotFoundError, match="regular"):
        read_journal(tmp_path)
    assert run_dirs(tmp_path.parent) == []


def test_reading_never_unpickles(run_dir: Path) -> None:
    assert "flowdsl.storage.reading" in sys.modules
    lines = lines_of(run_dir)
    payload = "cos\nsystem\n(S'touch owned'\ntR."
    replace_lines(run_dir, *lines[:2], changed(lines[2], detail={"value": payload}), *lines[3:])
    assert events_of(read_journal(run_dir))[2][1].detail == {"value": payload}
    assert not Path("owned").exists()


def test_runs_are_listed_by_their_begin_newest_last(log_dir: Path) -> None:
    for name, at in [("b", AT + 2), ("c", AT + 1), ("a", AT + 3)]:
        with Journal.create(log_dir, name) as journal:
            journal.append([started()], at)
    (log_dir / "notes").mkdir()
    (log_dir / "readme.txt").write_text("not a run")
    assert [path.name for path in run_dirs(log_dir)] == ["c", "b", "a"]


def test_a_run_whose_first_line_is_damaged_is_still_listed(log_dir: Path) -> None:
    run_dir = write(log_dir, [started()])
    for text in (b"", b"rubbish\n", b'"at":"999999999999999999999999999"\n'):
        (run_dir / "events.jsonl").write_bytes(text)
        assert run_dirs(log_dir) == [run_dir]


def test_where_there_is_no_log_directory_there_are_no_runs(log_dir: Path) -> None:
    assert run_dirs(log_dir) == []
