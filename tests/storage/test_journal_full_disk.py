"""A disk that takes no more ends the journal with a LogWriteError and costs nothing that was acknowledged."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from flowdsl.errors import LogWriteError
from flowdsl.storage.journal import Journal, read_journal
from flowdsl.storage.line import CUT_OFF
from tests.storage.samples import AT, answer_of, events_of, started

unix_only = pytest.mark.skipif(sys.platform == "win32", reason="this system has no RLIMIT_FSIZE")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB; skips where none can be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or not sys.platform.startswith("linux"):
        pytest.skip("no tmpfs can be mounted on this system")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stdout.decode(errors='replace').splitlines()[0]}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def check(run_dir: Path, answer: Dict[str, Any], number: int) -> None:
    first, second = answer["first"], answer["second"]
    assert first["errno"] == number
    assert first["path"] == str(run_dir / "events.jsonl")
    assert first["path"] in first["text"]
    assert second["errno"] == errno.EIO
    assert answer["grown"] == 0  # nothing is appended after a failure
    log = read_journal(run_dir)
    assert first["numbers"]
    assert set(first["numbers"]) <= {seq for seq, _ in events_of(log)}
    assert log.torn
    assert log.damage == []
    assert log.locked_by is None


@unix_only
def test_the_largest_size_of_a_file_is_a_log_write_error_and_earlier_lines_stay_readable(log_dir: Path) -> None:
    answer = json.loads(answer_of("child_limited.py", log_dir, 10_000))
    check(log_dir / "run", answer, errno.EFBIG)
    assert answer["size"] == 10_000  # the short write was carried on with, until the system said no
    with Journal.resume(log_dir / "run") as journal:
        journal.append([started("after")], AT)
    log = read_journal(log_dir / "run")
    assert events_of(log)[-1][1].task == "after"
    assert [damage.reason for damage in log.damage] == [CUT_OFF]


@unix_only
def test_a_full_disk_is_a_log_write_error_and_earlier_lines_stay_readable(small_disk: Path) -> None:
    answer = json.loads(answer_of("child_limited.py", small_disk / "logs", 0))
    check(small_disk / "logs" / "run", answer, errno.ENOSPC)
    assert "make room" in answer["first"]["text"]


@unix_only
def test_a_full_disk_is_met_before_anything_runs(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x")
    with pytest.raises(OSError, match="No space"), (small_disk / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(LogWriteError) as caught:
        Journal.create(small_disk / "logs", "run")
    assert caught.value.errno == errno.ENOSPC


def test_a_short_write_is_carried_on_with(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    with Journal.create(log_dir, "run") as journal:
        monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
        journal.append([started("a"), started("b")], AT)
        monkeypatch.undo()
        log = read_journal(journal.path)
    assert [event.task for _, event in events_of(log)] == ["a", "b"]
    assert (log.damage, log.torn) == ([], False)


def test_a_write_that_takes_nothing_is_an_error_and_not_a_loop(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal.create(log_dir, "run") as journal:
        monkeypatch.setattr(os, "write", lambda fd, data: 0)
        with pytest.raises(LogWriteError, match="takes no more bytes"):
            journal.append([started()], AT)
        monkeypatch.undo()


def test_an_interrupt_in_the_middle_of_a_write_closes_the_journal_for_more(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def interrupted(fd: int, data: bytes) -> int:
        real(fd, data[:30])
        raise KeyboardInterrupt

    with Journal.create(log_dir, "run") as journal:
        monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append([started("a")], AT)
        monkeypatch.undo()
        with pytest.raises(LogWriteError, match="an earlier write failed"):
            journal.append([started("b")], AT)
    assert read_journal(journal.path).torn
