"""The lock: one writer a directory, for as long as its process lives, and never in the way of a reader."""

from __future__ import annotations

import errno
import importlib.util
import os
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, Iterator, Set, Tuple

import pytest

from flowdsl.errors import LogLocked, LogWriteError
from flowdsl.storage import lock
from flowdsl.storage.journal import Journal, read_journal
from flowdsl.storage.lock import Lock, locked_by
from tests.storage.samples import AT, child, events_of, started

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.fixture
def writer(log_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has written one event to the run `run` and holds its journal open."""
    process = child("child_holding.py", log_dir)
    assert process.stdout is not None
    assert process.stdout.readline() == "holding\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_writer_is_told_who_the_first_one_is(log_dir: Path, writer: subprocess.Popen[str]) -> None:
    for attempt in (lambda: Journal.create(log_dir, "run"), lambda: Journal.resume(log_dir / "run")):
        with pytest.raises(LogLocked, match=f"locked by pid {writer.pid}[ ,]") as caught:
            attempt()
        assert caught.value.pid == writer.pid
        assert caught.value.path == str(log_dir / "run")


def test_a_second_writer_in_the_same_process_is_told_so(log_dir: Path) -> None:
    told = pytest.raises(LogLocked, match=rf"locked by pid {os.getpid()} \(this process\)")
    with Journal.create(log_dir, "run"), told:
        Journal.create(log_dir, "run")


def test_the_first_writer_goes_on_undisturbed(log_dir: Path) -> None:
    with Journal.create(log_dir, "run") as journal:
        with pytest.raises(LogLocked):
            Journal.resume(journal.path)
        journal.append([started("a")], AT)
        assert locked_by(journal.path) == os.getpid()
    assert [event.task for _, event in events_of(read_journal(journal.path))] == ["a"]


def test_reading_does_not_wait_for_the_lock_and_says_who_holds_it(log_dir: Path, writer: subprocess.Popen[str]) -> None:
    log = read_journal(log_dir / "run")
    assert [event.task for _, event in events_of(log)] == ["held"]
    assert log.locked_by == writer.pid


@posix
def test_the_lock_dies_with_its_process(log_dir: Path, writer: subprocess.Popen[str]) -> None:
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert (log_dir / "run" / "lock").read_text() == f"{writer.pid}\n"  # a dead pid says nothing
    assert read_journal(log_dir / "run").locked_by is None
    Journal.resume(log_dir / "run").close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_neither_keeps_the_lock_nor_writes(log_dir: Path) -> None:
    process = child("child_holding.py", log_dir, "forked")
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "the child may not write\n"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()  # its child lives on until our end of its input closes
        assert read_journal(log_dir / "run").locked_by is None
        Journal.resume(log_dir / "run").close()
    finally:
        process.communicate()


def test_a_pid_alone_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(f"{os.getpid()}\n")
    assert locked_by(tmp_path) is None
    Lock(tmp_path).release()


def test_a_holder_that_has_not_yet_said_who_it_is_is_a_holder(tmp_path: Path) -> None:
    held = Lock(tmp_path)
    (tmp_path / "lock").write_text("")
    assert locked_by(tmp_path) == lock.UNKNOWN_PID
    with pytest.raises(LogLocked, match="locked by another process") as caught:
        Lock(tmp_path)
    assert caught.value.pid is None
    held.release()
    assert locked_by(tmp_path) is None


def test_where_there_is_no_lock_file_nobody_writes(tmp_path: Path) -> None:
    assert locked_by(tmp_path) is None
    assert locked_by(tmp_path / "nowhere") is None


def test_a_reader_that_looks_at_the_lock_just_then_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = lock._lock, []

    def busy_once(fd: int, shared: bool = False) -> None:
        tries.append(fd)
        if len(tries) == 1:
            raise BlockingIOError(errno.EWOULDBLOCK, "busy")
        real(fd, shared)

    monkeypatch.setattr(lock, "_lock", busy_once)
    monkeypatch.setattr(lock, "_PAUSE", 0)
    Lock(tmp_path).release()
    assert len(tries) == 2


def test_a_file_system_without_locks_is_named_as_the_fault(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(fd: int, shared: bool = False) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock, "_lock", unsupported)
    with pytest.raises(LogWriteError, match="local disk"):
        Journal.create(log_dir, "run")
    assert locked_by(log_dir / "run") is None


@pytest.fixture
def windows_lock(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The module as Windows would load it, over a stand-in for `msvcrt` that keeps its rules."""
    locked: Set[Tuple[int, int]] = set()
    mine: Set[int] = set()

    def locking(fd: int, order: int, count: int) -> None:
        key = (os.fstat(fd).st_ino, os.lseek(fd, 0, os.SEEK_CUR))
        if order == 0:
            locked.discard(key)
            mine.discard(fd)
        elif key in locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        else:
            locked.add(key)
            mine.add(fd)

    stand_in: Any = types.ModuleType("msvcrt")
    stand_in.locking, stand_in.LK_UNLCK, stand_in.LK_NBLCK = locking, 0, 2
    monkeypatch.setitem(sys.modules, "msvcrt", stand_in)
    monkeypatch.setattr(sys, "platform", "win32")
    assert lock.__file__ is not None
    spec = importlib.util.spec_from_file_location("windows_lock", lock.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_windows_has_the_same_lock(windows_lock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_lock, "_PAUSE", 0)
    held = windows_lock.Lock(tmp_path)
    assert windows_lock.locked_by(tmp_path) == os.getpid()
    with pytest.raises(LogLocked, match=f"locked by pid {os.getpid()}"):
        windows_lock.Lock(tmp_path)
    held.release()
    assert windows_lock.locked_by(tmp_path) is None
    windows_lock.Lock(tmp_path).release()
