"""The promise of the journal: a writer that is killed at any moment loses nothing that it had acknowledged."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from flowdsl.storage.journal import Journal, read_journal
from flowdsl.storage.line import CUT_OFF
from tests.storage.samples import AT, answer_of, events_of, started

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def check(log_dir: Path, kills: int, seed: int) -> None:
    acknowledged = json.loads(answer_of("child_killed.py", log_dir, kills, seed))
    for name, numbers in acknowledged.items():
        Journal.resume(log_dir / name).close()  # seals what the last of them left
        log = read_journal(log_dir / name)
        found = [seq for seq, _ in events_of(log)]
        assert found == sorted(set(found))
        assert not set(numbers) - set(found), f"lost with seed {seed}"
        assert {damage.reason for damage in log.damage} <= {CUT_OFF}
        assert len(log.damage) == log.torn_lines <= 5
        assert not log.torn
        assert log.locked_by is None


def test_twenty_kills_lose_no_acknowledged_event(log_dir: Path) -> None:
    check(log_dir, kills=20, seed=1)


@pytest.mark.slow
def test_a_hundred_kills_lose_no_acknowledged_event(log_dir: Path) -> None:
    check(log_dir, kills=100, seed=2)


@pytest.mark.parametrize("length", range(1, 30, 4))
def test_a_line_cut_off_anywhere_is_sealed_by_the_next_writer_and_counted(log_dir: Path, length: int) -> None:
    with Journal.create(log_dir, "run") as journal:
        journal.append([started("a"), started("b"), started("c")], AT)
    path = journal.path / "events.jsonl"
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - length)
    before = path.read_bytes()
    if length > 1:
        assert read_journal(journal.path).torn
    with Journal.resume(journal.path) as again:
        number = again.append([started("d")], AT + 1)
    log = read_journal(journal.path)
    whole = length == 1  # only the newline was missing: the line itself is good
    assert path.read_bytes().startswith(before + b"\n{")
    assert number == 3
    assert [seq for seq, _ in events_of(log)] == ([0, 1, 2, 3] if whole else [0, 1, 3])
    assert log.torn_lines == len(log.damage) == (0 if whole else 1)
    assert not log.torn


def test_a_torn_tail_is_counted_before_it_is_sealed(log_dir: Path) -> None:
    with Journal.create(log_dir, "run") as journal:
        journal.append([started("a")], AT)
    with (journal.path / "events.jsonl").open("ab") as file:
        file.write(b'{"v":1,"seq":1,')
    log = read_journal(journal.path)
    assert (log.torn, log.torn_lines, log.damage) == (True, 1, [])
    assert [seq for seq, _ in events_of(log)] == [0]
