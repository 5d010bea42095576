"""Names of files: readable where they can be, never a path, never two for one."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flowdsl.storage.names import file_name

names = some.text(some.characters(), min_size=1, max_size=200)


@pytest.mark.parametrize("name", ["clean", "task_001", "2026-11-22T16-10-29.5-ab12", "A", "_", "x" * 100])
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    assert file_name(name) == name


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("../../etc/passwd", "etc-passwd-"),
        ("delays[3]", "delays-3-"),
        ("clean data", "clean-data-"),
        ("x" * 200, "x" * 60 + "-"),
        ("con", "con-"),
        ("LPT1.txt", "LPT1-txt-"),
        ("trailing.", "trailing-"),
        (".hidden", "hidden-"),
        ("clean\n", "clean-"),
    ],
)
def test_any_other_name_becomes_a_slug_and_a_hash(name: str, slug: str) -> None:
    assert file_name(name).startswith(slug)
    assert len(file_name(name)) == len(slug) + 16


@given(names)
def test_no_name_is_a_path_anywhere(name: str) -> None:
    file = file_name(name)
    assert PurePosixPath(file).name == PureWindowsPath(file).name == file
    assert file.isascii()
    assert file.isprintable()
    assert not file.startswith(".")
    assert len(file) <= 100


@given(names, names)
def test_two_names_have_two_files(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)


def test_names_that_differ_in_case_alone_have_files_that_differ_in_more() -> None:
    assert file_name("Clean", {"clean"}).lower() != "clean"
    assert file_name("Clean", {"clean"}) != file_name("CLEAN", {"clean"})
