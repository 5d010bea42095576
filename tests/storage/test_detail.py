"""Details: what is too long for a line has a file of its own, and only that very file is believed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

from flowdsl.errors import LogWriteError
from flowdsl.storage.detail import DETAIL_LIMIT, unspill
from flowdsl.storage.journal import Journal, read_journal
from tests.storage.samples import AT, added, events_of, lines_of, started, write

UPSTREAM = [f"an ancestor with a long name, number {number:07d}" for number in range(25_000)]


@pytest.fixture
def run_dir(log_dir: Path) -> Path:
    """A run whose second event has a detail of more than a megabyte."""
    return write(log_dir, [added("a"), added("b", detail={"upstream": UPSTREAM}), added("c")])


def spilled(run_dir: Path) -> Dict[str, Any]:
    where: Dict[str, Any] = json.loads(lines_of(run_dir)[1])["spilled"]
    return where


def test_a_detail_of_more_than_a_megabyte_is_kept_in_a_file_with_its_digest(run_dir: Path) -> None:
    where = spilled(run_dir)
    content = (run_dir / where["file"]).read_bytes()
    assert len(content) == where["bytes"] > DETAIL_LIMIT
    assert hashlib.sha256(content).hexdigest() == where["sha256"]
    assert max(map(len, lines_of(run_dir))) < 1_000


def test_it_is_read_back_as_if_it_had_stood_in_its_line(run_dir: Path) -> None:
    log = read_journal(run_dir)
    assert [event.detail for _, event in events_of(log)] == [None, {"upstream": UPSTREAM}, None]
    assert log.damage == []
    assert len(log.batches) == 1


def test_a_detail_just_below_the_limit_stays_in_its_line(log_dir: Path) -> None:
    frame = len('{"traceback":""}')
    write(log_dir, [started(detail={"traceback": "x" * (DETAIL_LIMIT - frame)})])
    assert not (log_dir / "run" / "details").exists()
    write(log_dir, [started(detail={"traceback": "x" * (DETAIL_LIMIT - frame + 1)})], run_id="other")
    assert len(list((log_dir / "other" / "details").iterdir())) == 1


def remove(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"ancestor", b"intruder"))


@pytest.mark.parametrize("harm", [remove, shorten, alter])
def test_a_file_that_is_missing_or_changed_is_damage_at_its_line_and_the_event_stays(
    run_dir: Path, harm: Callable[[Path], None]
) -> None:
    harm(run_dir / spilled(run_dir)["file"])
    log = read_journal(run_dir)
    assert [(event.task, event.detail) for _, event in events_of(log)] == [("a", None), ("b", None), ("c", None)]
    assert [damage.line for damage in log.damage] == [2]
    assert spilled(run_dir)["file"] in log.damage[0].reason


@pytest.mark.parametrize("name", ["../secret.json", "/etc/passwd", "details/../../secret.json", "secret.json", None, 5])
def test_a_name_that_the_journal_does_not_give_is_never_opened(tmp_path: Path, name: Any) -> None:
    secret = b'{"key":"value"}'
    (tmp_path / "secret.json").write_bytes(secret)
    (tmp_path / "run" / "details").mkdir(parents=True)
    (tmp_path / "run" / "secret.json").write_bytes(secret)
    where = {"file": name, "sha256": hashlib.sha256(secret).hexdigest(), "bytes": len(secret)}
    with pytest.raises(ValueError, match="does not give"):
        unspill(tmp_path / "run", where)


def test_a_file_that_holds_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "details").mkdir()
    digest = hashlib.sha256(b"[1]").hexdigest()
    name = f"details/0-{digest[:16]}.json"
    (tmp_path / name).write_bytes(b"[1]")
    with pytest.raises(ValueError, match="no object"):
        unspill(tmp_path, {"file": name, "sha256": digest, "bytes": 3})


def test_a_detail_that_cannot_be_put_away_is_a_log_write_error_and_leaves_no_line(log_dir: Path) -> None:
    with Journal.create(log_dir, "run") as journal:
        journal.append([started("a")], AT)
        (journal.path / "details").write_text("in the way")
        with pytest.raises(LogWriteError):
            journal.append([started("b"), added(detail={"upstream": UPSTREAM})], AT)
        with pytest.raises(LogWriteError, match="an earlier write failed"):
            journal.append([started("c")], AT)
    log = read_journal(journal.path)
    assert [event.task for _, event in events_of(log)] == ["a"]
    assert not log.torn
