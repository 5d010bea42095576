"""The writer: what it makes, what it promises when it returns, what it refuses."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import List

import pytest

from flowdsl.engine.events import Event
from flowdsl.errors import FlowError, LogWriteError
from flowdsl.storage.journal import Journal, read_journal, run_dirs
from flowdsl.storage.line import VERSION
from tests.storage.samples import AT, added, answer_of, events_of, lines_of, started, succeeded, write

posix = pytest.mark.skipif(sys.platform == "win32", reason="permission bits are a thing of POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_appended_is_read_back_as_it_was(log_dir: Path) -> None:
    first = [added("a", detail={"upstream": [], "retries": 2, "timeout": 1.5}), started("a", detail={"pid": 7})]
    second = [succeeded("a", 3, mechanism="abandoned", attempt_cause="timeout", cause_task="b")]
    run_dir = write(log_dir, first, second)
    log = read_journal(run_dir)
    assert [(batch.seq, batch.at, list(batch.events)) for batch in log.batches] == [(0, AT, first), (2, AT + 1, second)]
    assert (log.damage, log.torn, log.locked_by, log.path) == ([], False, None, run_dir)


def test_append_returns_the_number_of_its_first_event(log_dir: Path) -> None:
    with Journal.create(log_dir, "run") as journal:
        assert [journal.append([started()] * count, AT) for count in (1, 3, 0, 2)] == [0, 1, 4, 4]
        assert journal.next_seq == 6


def test_an_event_can_be_read_as_soon_as_append_has_returned(log_dir: Path) -> None:
    with Journal.create(log_dir, "run") as journal:
        for seq in range(3):
            journal.append([started(str(seq))], AT)
            assert events_of(read_journal(journal.path))[-1][1].task == str(seq)


def test_a_batch_is_one_write(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, writes = os.write, []

    def counted(fd: int, data: bytes) -> int:
        writes.append(data)
        return real(fd, data)

    with Journal.create(log_dir, "run") as journal:
        monkeypatch.setattr(os, "write", counted)
        journal.append([started("a"), started("b"), started("c")], AT)
        monkeypatch.undo()
    assert [data.count(b"\n") for data in writes] == [3]


@pytest.mark.parametrize(("fsync", "expected"), [(True, 2), (False, 0)])
def test_only_fsync_makes_every_append_wait_for_the_disk(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch, fsync: bool, expected: int
) -> None:
    synced: List[int] = []
    real = os.fsync
    with Journal.create(log_dir, "run", fsync=fsync) as journal:
        monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd)))
        journal.append([started()], AT)
        journal.append([started()], AT)
        monkeypatch.undo()
    assert len(synced) == expected


def test_a_failed_fsync_is_a_log_write_error(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Journal.create(log_dir, "run", fsync=True) as journal:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(LogWriteError) as caught:
            journal.append([started()], AT)
        monkeypatch.undo()
    assert caught.value.errno == errno.EIO


@posix
def test_directories_and_files_are_for_the_owner_alone(log_dir: Path) -> None:
    with Journal.create(log_dir, "run") as journal:
        journal.append([started(detail={"traceback": "x" * 1_100_000})], AT)
        made = sorted(journal.path.rglob("*"))
        assert [path.name for path in made if path.parent == journal.path] == ["details", "events.jsonl", "lock"]
        assert {mode(path) for path in made if path.is_file()} == {0o600}
        assert {mode(path) for path in (log_dir, journal.path, journal.path / "details")} == {0o700}


@pytest.mark.parametrize(
    "run_id", ["../../etc/passwd", "/etc/passwd", "..", ".", "a/b", "a\\b", "C:x", "a\0b", "", "~"]
)
def test_a_run_id_is_never_a_path(log_dir: Path, run_id: str) -> None:
    with Journal.create(log_dir, run_id) as journal:
        journal.append([started()], AT)
    assert journal.path.parent == log_dir
    assert journal.path.resolve().parent == log_dir.resolve()
    assert [path.name for path in log_dir.parent.iterdir()] == [log_dir.name]
    assert run_dirs(log_dir) == [journal.path]


def test_a_run_that_is_there_is_never_begun_again(log_dir: Path) -> None:
    run_dir = write(log_dir, [started()])
    before = lines_of(run_dir)
    with pytest.raises(LogWriteError, match=r"events\.jsonl.*Journal\.resume") as caught:
        Journal.create(log_dir, "run")
    assert caught.value.errno == errno.EEXIST
    assert lines_of(run_dir) == before


def test_a_run_whose_writer_died_before_its_first_event_can_be_begun_again(log_dir: Path) -> None:
    Journal.create(log_dir, "run").close()
    assert events_of(read_journal(write(log_dir, [started("a")])))[0][1].task == "a"


def test_resume_goes_on_counting(log_dir: Path) -> None:
    run_dir = write(log_dir, [started("a"), started("b")])
    with Journal.resume(run_dir) as journal:
        assert journal.append([started("c")], AT + 5) == 2
    log = read_journal(run_dir)
    assert [seq for seq, _ in events_of(log)] == [0, 1, 2]
    assert log.damage == []


def test_resume_never_gives_the_number_of_a_damaged_line_again(log_dir: Path) -> None:
    run_dir = write(log_dir, [started("a"), started("b")])
    path = run_dir / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"b"', b'"B"'))
    with Journal.resume(run_dir) as journal:
        assert journal.append([started("c")], AT) == 2
    log = read_journal(run_dir)
    assert [seq for seq, _ in events_of(log)] == [0, 2]
    assert len(log.damage) == 1


def test_resume_leaves_the_journal_of_a_newer_flowdsl_alone(log_dir: Path) -> None:
    run_dir = write(log_dir, [started("a")])
    path = run_dir / "events.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"v":%d' % VERSION, b'"v":%d' % (VERSION + 1)))
    with pytest.raises(LogWriteError, match="newer flowdsl"):
        Journal.resume(run_dir)
    assert read_journal(run_dir).locked_by is None


def test_resume_of_nothing_says_so(log_dir: Path) -> None:
    with pytest.raises(LogWriteError, match="not there") as caught:
        Journal.resume(log_dir / "run")
    assert caught.value.errno == errno.ENOENT
    assert not log_dir.exists()


def test_a_log_dir_below_a_file_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(LogWriteError, match="give another log_dir") as caught:
        Journal.create(tmp_path / "notes" / "logs", "run")
    assert caught.value.errno in (errno.ENOTDIR, errno.EEXIST, errno.ENOENT)
    assert caught.value.path.startswith(str(tmp_path / "notes"))
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permission bits do not bind root")
def test_a_log_dir_without_write_permission_is_refused_before_anything_is_made(log_dir: Path) -> None:
    log_dir.mkdir(parents=True)
    log_dir.chmod(0o500)
    with pytest.raises(LogWriteError) as caught:
        Journal.create(log_dir, "run")
    assert caught.value.errno == errno.EACCES


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be another user")
def test_another_user_may_not_write_there_and_is_told_so(log_dir: Path) -> None:
    log_dir.mkdir(parents=True)
    log_dir.chmod(0o755)
    for parent in [log_dir, *log_dir.parents][:-2]:  # so that nobody else can get there to be refused
        os.chmod(parent, 0o755)
    assert answer_of("child_other_user.py", log_dir).split() == [str(errno.EACCES), str(log_dir / "run")]


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="this system cannot refuse a link")
def test_a_link_in_the_place_of_the_journal_is_not_written_through(log_dir: Path, tmp_path: Path) -> None:
    (log_dir / "run").mkdir(parents=True)
    (log_dir / "run" / "events.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LogWriteError):
        Journal.create(log_dir, "run")
    assert not (tmp_path / "elsewhere").exists()


def test_a_closed_journal_takes_nothing(log_dir: Path) -> None:
    journal = Journal.create(log_dir, "run")
    journal.close()
    journal.close()
    with pytest.raises(LogWriteError, match="closed"):
        journal.append([started()], AT)


def test_a_journal_that_is_dropped_gives_its_directory_free(log_dir: Path) -> None:
    path = Journal.create(log_dir, "run").path
    Journal.resume(path).close()


def test_a_log_write_error_is_an_oserror_and_a_flowerror(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write") as caught:
        Journal.create(tmp_path / "file", "run")
    assert isinstance(caught.value, FlowError)
    assert isinstance(caught.value.__cause__, OSError)


def test_batches_of_several_moments_are_written_at_once_each_with_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: List[bytes] = []
    write = os.write

    def counted(fd: int, data: bytes) -> int:
        writes.append(data)
        return write(fd, data)

    first = Event("task_added", "a", 0, "", "pending", "added")
    second = Event("task_ready", "a", 0, "pending", "ready", "dependencies_met")
    with Journal.create(tmp_path, "run") as journal:
        monkeypatch.setattr(os, "write", counted)
        assert journal.append_all([(1000.0, [first]), (1000.5, [second, second])]) == 0
        monkeypatch.undo()
        assert journal.next_seq == 3
    assert len(writes) == 1
    batches = read_journal(tmp_path / "run").batches
    assert [(batch.at, len(batch.events)) for batch in batches] == [(1000.0, 1), (1000.5, 2)]
