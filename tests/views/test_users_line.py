"""The user's own line in a traceback."""

from __future__ import annotations

import json
from typing import Optional

import pytest

from flowdsl.views import users_line as ours
from flowdsl.views.users_line import users_line
from tests.views.samples import TRACEBACK


def frame(file: str, line: int, where: str, code: str = "") -> str:
    return f'  File "{file}", line {line}, in {where}\n' + (f"    {code}\n" if code else "")


@pytest.mark.parametrize(
    ("traceback", "line"),
    [
        (TRACEBACK, 'line 4 in clean: return flights["dep_tme"]'),
        ("", ""),
        (None, ""),
        ("no traceback at all", ""),
        (frame("<string>", 1, "<module>") + "NameError: x", "line 1 in <module>"),
        (frame("/home/me/etl.py", 3, "f", "g()") + "E: x", "etl.py, line 3, in f: g()"),
        (frame("C:\\me\\etl.py", 3, "f", "g()") + "E: x", "etl.py, line 3, in f: g()"),
        (frame("/home/me/flowdsl/job.py", 3, "f", "g()") + "E: x", "job.py, line 3, in f: g()"),
    ],
)
def test_it_is_the_deepest_line_that_is_no_library_s(traceback: Optional[str], line: str) -> None:
    assert users_line(traceback) == line


@pytest.mark.parametrize(
    "library",
    [
        ours.__file__,
        json.__file__,
        "/else/where/site-packages/pandas/core/frame.py",
        "pandas/_libs/hashtable_class_helper.pxi",
        "index.pyx",
    ],
)
def test_what_a_library_raised_is_told_by_the_line_that_called_it(library: str) -> None:
    traceback = frame("/tmp/job.py", 3, "f", "call(2)") + frame(library, 9, "call", "raise ValueError") + "ValueError"
    assert users_line(traceback) == "job.py, line 3, in f: call(2)"


def test_a_cython_file_of_the_user_s_own_is_no_library() -> None:
    traceback = frame("/home/me/fast.pyx", 3, "fast.f", "g()") + "ValueError"
    assert users_line(traceback) == "fast.pyx, line 3, in fast.f: g()"


def test_a_frame_without_its_code_does_not_take_the_next_frame_for_it() -> None:
    assert users_line(frame("/tmp/job.py", 3, "f") + frame("/tmp/job.py", 9, "g") + "E") == "job.py, line 9, in g"
