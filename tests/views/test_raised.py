"""How an error of a run looks under a cell."""

from __future__ import annotations

import linecache
import re
from typing import Any, List

import pytest

from flowdsl.engine.failures import Failure
from flowdsl.engine.snapshot import Snapshot
from flowdsl.views.raised import rendered
from tests.views.samples import NASTY, told

SOURCE = "def clean(flights):\n    rows = flights\n    return rows['dep_tme']\n"
TEXT = (
    "Traceback (most recent call last):\n"
    "  File \"/cells/ours.py\", line 3, in clean\n    return rows['dep_tme']\n"
    '  File "/x/site-packages/pandas/frame.py", line 9, in get\n    raise\n'
)


@pytest.fixture(autouse=True)
def source() -> Any:
    linecache.cache["/cells/ours.py"] = (len(SOURCE), None, SOURCE.splitlines(True), "/cells/ours.py")
    yield
    del linecache.cache["/cells/ours.py"]


def failure(**more: Any) -> Failure:
    one = Failure("clean", "failed", "raised", 2, "KeyError", "'dep_tme'", TEXT)
    return one._replace(**more)


def text(found: List[Failure], snapshot: Any = None, error: Any = None, advice: Any = ("do this",)) -> str:
    lines = rendered(error or ValueError("run failed\n  and more"), found, snapshot or told(), advice)
    return re.sub(r"\x1b\[\d*m", "", "\n".join(lines))


def test_it_shows_the_users_lines_the_task_the_attempt_and_what_to_try() -> None:
    run = told()
    run.tasks["clean"].retries = 3
    assert text([failure()], run).splitlines() == [
        "ValueError: run failed",
        "",
        "\u2717 task clean failed, attempt 2 of 4",
        "  /cells/ours.py, line 3, in clean",
        "        1 def clean(flights):",
        "        2     rows = flights",
        "  ----> 3     return rows['dep_tme']",
        "  \u2026 and 1 more frames, most of them in libraries",
        "  KeyError: 'dep_tme'",
        "",
        "do this",
    ]


def test_of_chained_tracebacks_it_shows_the_last() -> None:
    other = TEXT.replace("ours.py", "first.py").replace("in clean", "in first")
    shown = text([failure(traceback=other + "\nDuring handling ...\n\n" + TEXT)])
    assert "in clean" in shown and "in first" not in shown


def test_a_long_error_and_many_failures_fold() -> None:
    shown = text([failure(error="\n".join("line %d" % n for n in range(1000)))] * 500)
    assert shown.count("task clean failed") == 3
    assert "\u2026 and 990 more lines, in run.failures" in shown
    assert "  and 490 more" in shown
    assert len(shown.splitlines()) < 80


def test_a_deep_recursion_folds() -> None:
    frame = '  File "/cells/ours.py", line 3, in clean\n    return clean()\n'
    shown = text([failure(traceback="Traceback (most recent call last):\n" + frame * 990)])
    assert "\u2026 and 985 more frames" in shown


def test_a_failure_of_which_little_is_known_is_told_all_the_same() -> None:
    bare = Failure("x", "timed_out", "timeout", 1, None, None, None)
    assert "\u25f7 task x timed out (the attempt outlived its `timeout`)" in text([bare], Snapshot())


def test_control_characters_of_a_user_never_reach_the_cell() -> None:
    shown = "\n".join(rendered(ValueError(NASTY), [failure(task=NASTY, error=NASTY)], told(), ()))
    assert "\x00" not in shown and "\u202e" not in shown
    assert set(re.findall(r"\x1b\[\d*m", shown)) <= {"\x1b[31m", "\x1b[0m"}


def test_an_error_that_cannot_be_written_out_hides_nothing() -> None:
    assert rendered(ValueError("so"), [None], told(), ())[0] == "ValueError: so"  # type: ignore[list-item]
