"""A pickle on disk is opened only if this user wrote it, as it stands, for this very purpose."""

from __future__ import annotations

import os
import pickle
import threading
from pathlib import Path

import pytest

from flowdsl import PickleRefused
from flowdsl.storage.key import user_key
from flowdsl.storage.sealed import digest, seal, unseal

LABEL = "run/task/1"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "flowdsl"


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self) -> object:
        return (os.mkdir, ("sprung",))


def test_what_was_sealed_comes_back(tmp_path: Path) -> None:
    seal(tmp_path / "a", LABEL, {"x": [1, 2], "f": lambda: 3})
    value = unseal(tmp_path / "a", LABEL)
    assert value["x"] == [1, 2] and value["f"]() == 3
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", [0, 20, -1])
def test_a_changed_file_is_refused(tmp_path: Path, place: int) -> None:
    seal(tmp_path / "a", LABEL, 1)
    data = bytearray((tmp_path / "a").read_bytes())
    data[place] ^= 1
    (tmp_path / "a").write_bytes(bytes(data))
    with pytest.raises(PickleRefused, match="not written by you"):
        unseal(tmp_path / "a", LABEL)


def test_a_foreign_pickle_does_not_run_unless_asked_for(tmp_path: Path) -> None:
    own = tmp_path / "a"
    seal(own, LABEL, 1)
    head = own.read_bytes()[: own.read_bytes().index(b"\n", 20) + 1]
    own.write_bytes(head + pickle.dumps(Trap()))
    with pytest.raises(PickleRefused):
        unseal(own, LABEL)
    assert not Path("sprung").exists()
    unseal(own, LABEL, allow_pickle=True)
    assert Path("sprung").exists()


def test_a_plain_pickle_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    for data in (pickle.dumps(1), b""):
        (tmp_path / "a").write_bytes(data)
        with pytest.raises(PickleRefused):
            unseal(tmp_path / "a", LABEL)


def test_a_sealed_file_cannot_stand_in_for_another(tmp_path: Path) -> None:
    seal(tmp_path / "a", LABEL, 1)
    with pytest.raises(PickleRefused):
        unseal(tmp_path / "a", "run/task/2")


def test_another_users_key_opens_nothing_and_makes_other_digests(tmp_path: Path, state: Path) -> None:
    seal(tmp_path / "a", LABEL, 1)
    before = digest(b"x")
    (state / "key").unlink()
    with pytest.raises(PickleRefused):
        unseal(tmp_path / "a", LABEL)
    assert digest(b"x") != before
    assert digest(b"x") == digest(b"x") != digest(b"y")


def test_the_key_is_for_its_owner_and_stays_the_same(state: Path) -> None:
    assert user_key() == user_key()
    assert (state / "key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state.iterdir()] == ["key"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_key_that_others_may_read_proves_nothing(state: Path) -> None:
    user_key()
    (state / "key").chmod(0o644)
    with pytest.raises(PickleRefused, match="not yours alone"):
        user_key()


def test_a_key_that_was_cut_is_refused(state: Path) -> None:
    user_key()
    (state / "key").write_bytes(b"short")
    with pytest.raises(PickleRefused, match="does not hold a key"):
        user_key()


def test_a_value_that_cannot_be_pickled_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        seal(tmp_path / "a", LABEL, threading.Lock())
    assert not (tmp_path / "a").exists()
