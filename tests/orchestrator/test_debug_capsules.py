"""A capsule holds all that is known of a failed attempt, and no value of an input."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Flow, TaskResultError, load_runs
from flowdsl.orchestrator import DebugOrchestrator
from flowdsl.orchestrator.capsule import Argument, Capsule, Code, capsule_from
from flowdsl.orchestrator.capsule_code import code_of, functions_of
from flowdsl.orchestrator.capsule_digest import value_digest

SECRET = "hunter2"
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    flow = Flow("etl", log_dir=log_dir)

    @flow.task
    def rows(password: str = "none") -> Any:
        return [1, 2, 3]

    @flow.task(retries=1)
    def clean(rows: Any, factor: int = 2) -> Any:
        """Clean them."""
        raise ValueError("%d bad rows" % len(rows))

    @flow.task
    def report(clean: Any) -> Any:
        return clean

    return flow


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    return flow.run(display=None, raise_on_failure=False, **more)


def test_a_capsule_says_what_failed_with_which_inputs_in_which_code(flow: Flow) -> None:
    capsule = DebugOrchestrator(run(flow)).inspect("clean")
    assert (capsule.task, capsule.attempt, capsule.state, capsule.cause) == ("clean", 2, "failed", "raised")
    assert (capsule.error_type, capsule.error) == ("ValueError", "3 bad rows")
    assert capsule.arguments == (
        Argument("rows", "result", "rows", "", "list"),
        Argument("factor", "default", "", "", "int"),
    )
    assert capsule.code is not None and "def clean(rows" in capsule.code.source
    assert capsule.traceback.splitlines()[-1] == "ValueError: 3 bad rows"
    assert {"python", "platform", "flowdsl"} <= set(capsule.environment)


def test_every_failed_attempt_has_a_capsule(flow: Flow) -> None:
    capsules = DebugOrchestrator(run(flow)).capsules()
    assert [(one.task, one.attempt) for one in capsules] == [("clean", 1), ("clean", 2)]
    assert DebugOrchestrator(run(flow)).inspect("clean", attempt=1).attempt == 1


def test_a_capsule_has_what_its_own_attempt_printed_and_the_end_where_that_is_long(log_dir: Path) -> None:
    flow = Flow("talks", log_dir=log_dir)

    @flow.task(retries=1)
    def talks() -> None:
        print("x" * 100_000, "attempt %d" % flowdsl.current().attempt)
        raise ValueError

    debug = DebugOrchestrator(run(flow))
    assert debug.inspect("talks", attempt=1).output.endswith("attempt 1\n")
    assert debug.inspect("talks").output.endswith("attempt 2\n") and len(debug.inspect("talks").output) < 70_000


def test_the_text_of_a_capsule_shows_error_inputs_and_source(flow: Flow) -> None:
    text = repr(DebugOrchestrator(run(flow)).inspect("clean"))
    assert text.startswith("task 'clean', attempt 2: failed (raised)")
    for part in ("ValueError: 3 bad rows", "rows: result of rows (list)", "def clean(rows"):
        assert part in text


def test_values_of_inputs_are_neither_in_a_capsule_nor_on_disk(flow: Flow) -> None:
    with DebugOrchestrator(flow) as debug:
        done = run(flow, password=SECRET)
    assert SECRET not in repr(debug.inspect("clean"))
    kept = [path for path in done.dir.rglob("*") if path.is_file()]
    assert len(kept) > 3
    assert not [path.name for path in kept if SECRET.encode() in path.read_bytes()]


def test_a_task_that_did_not_fail_has_no_capsule_and_an_unknown_one_is_named(flow: Flow) -> None:
    debug = DebugOrchestrator(run(flow))
    with pytest.raises(TaskResultError, match="'rows' has no attempt that failed"):
        debug.inspect("rows")
    with pytest.raises(TaskResultError, match="no attempt 7"):
        debug.inspect("clean", attempt=7)
    with pytest.raises(KeyError, match="did you mean 'clean'"):
        debug.inspect("claen")


def test_capsules_of_a_run_read_back_are_those_that_its_debugger_kept(flow: Flow, log_dir: Path) -> None:
    with DebugOrchestrator(flow) as debug:
        run(flow)
    (past,) = load_runs(log_dir)
    assert DebugOrchestrator(past).inspect("clean") == debug.inspect("clean")


def test_without_a_debugger_a_run_read_back_tells_what_its_journal_says(flow: Flow, log_dir: Path) -> None:
    run(flow)
    (past,) = load_runs(log_dir)
    capsule = DebugOrchestrator(past).inspect("clean")
    assert capsule.error == "3 bad rows" and "ValueError" in capsule.traceback
    assert capsule.arguments is None and capsule.code is None


def test_a_run_can_be_kept_afterwards(flow: Flow, log_dir: Path) -> None:
    debug = DebugOrchestrator(run(flow))
    debug.keep()
    (past,) = load_runs(log_dir)
    assert DebugOrchestrator(past).inspect("clean").arguments == debug.inspect("clean").arguments
    with pytest.raises(flowdsl.FlowError, match="was read back"):
        DebugOrchestrator(past).keep()


def test_files_of_a_debugger_are_for_their_owner_alone(flow: Flow) -> None:
    with DebugOrchestrator(flow, inputs="pickle"):
        done = run(flow)
    assert (done.dir / "debug").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (done.dir / "debug").iterdir()} == {0o600}


def test_names_never_become_paths_and_markup_is_escaped(log_dir: Path) -> None:
    flow = Flow("strange", log_dir=log_dir)
    names = [MARKUP, "..", "a\\b"]
    for name in names:
        flow.task(name=name)(lambda x=1: [][x])
    with DebugOrchestrator(flow) as debug:
        done = run(flow)
    assert len(list((done.dir / "debug").glob("*.capsule.json"))) == len(names)
    assert sorted(path.name for path in log_dir.iterdir()) == [done.dir.name]
    page = debug.inspect(MARKUP)._repr_html_()
    assert "<img" not in page and "&lt;img" in page


def test_an_error_that_looks_like_a_terminal_or_a_log_line_stays_text(log_dir: Path) -> None:
    flow = Flow("odd", log_dir=log_dir)

    @flow.task
    def odd() -> None:
        raise ValueError('\x1b[2J\n{"status":"completed"}')

    text = repr(DebugOrchestrator(run(flow)).inspect("odd"))
    assert "\x1b" not in text and '\n{"status"' not in text


@pytest.mark.slow
def test_a_kill_in_c_code_is_in_the_capsule_with_its_line(log_dir: Path) -> None:
    flow = Flow("stuck", log_dir=log_dir, isolation="process")

    @flow.task(timeout=1.0)
    def stuck() -> None:
        re.match(r"(a+)+$", "a" * 40 + "b")

    done = run(flow)
    debug = DebugOrchestrator(done)
    assert "in stuck" in debug.inspect("stuck").stacks
    assert re.search(r"test_debug_capsules\.py, line \d+, in stuck", str(debug.failures()["where"].iloc[0]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::flowdsl.AbandonedWarning")
def test_a_thread_that_was_left_behind_is_in_the_capsule_with_its_line(log_dir: Path) -> None:
    flow = Flow("left", log_dir=log_dir)

    @flow.task(timeout=0.2)
    def left() -> None:
        time.sleep(1.2)

    debug = DebugOrchestrator(run(flow))
    assert "time.sleep(1.2)" in debug.inspect("left").stacks
    assert str(debug.failures()["where"].iloc[0]).endswith("in left: time.sleep(1.2)") or "in left" in str(
        debug.failures()["where"].iloc[0]
    )


# ---- files from elsewhere


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"arguments": 3, "code": [1], "attempt": "x"}'])
def test_a_capsule_file_may_hold_anything(flow: Flow, log_dir: Path, content: str) -> None:
    with DebugOrchestrator(flow):
        done = run(flow)
    for path in (done.dir / "debug").iterdir():
        path.write_text(content)
    (past,) = load_runs(log_dir)
    assert DebugOrchestrator(past).inspect("clean").error == "3 bad rows"
    assert len(DebugOrchestrator(past).diff(past, past)) == 0


def test_a_capsule_survives_json() -> None:
    argument = Argument("x", "result", "rows", "['a']", "int", "00")
    capsule = Capsule("r", "f", "t", 2, error="é\ud800", arguments=(argument,), code=Code("f", "a.py", 3, "s", "d"))
    assert capsule_from(json.loads(json.dumps(capsule.to_json()))) == capsule


# ---- code and digests


def used_by_helper() -> int:
    return 1


def helper() -> int:
    return used_by_helper()


def test_the_code_of_a_task_includes_the_users_functions_that_it_reaches() -> None:
    closed = 3

    def inner() -> int:
        return closed

    def task() -> Any:
        return [helper() for _ in range(inner())], json.dumps({})

    names = [one.__name__ for one in functions_of(task)]
    assert names[0] == "task" and {"helper", "used_by_helper", "inner"} == set(names[1:])


def test_a_digest_of_code_ignores_decorators_and_notices_a_line() -> None:
    spaces = []
    for source in ("def f(x):\n    return x\n", "@same\ndef f(x):\n    return x\n", "def f(x):\n    return -x\n"):
        space: Any = {"same": lambda f: f}
        exec(compile(source, "<cell>", "exec"), space)
        spaces.append(space["f"])
    one, same, other = (code_of(function).digest for function in spaces)
    assert one == same != other


@pytest.mark.parametrize("value", [1, True, 1.0, "1", b"1", [1], (1,), {1: 1}, {"1": 1}, {1}, None, {"a": [1, (2,)]}])
def test_equal_values_have_equal_digests_and_others_have_others(value: Any) -> None:
    values = [1, True, 1.0, "1", b"1", [1], (1,), {1: 1}, {"1": 1}, {1}, None, {"a": [1, (2,)]}]
    digests = [value_digest(one) for one in values]
    assert digests.count(value_digest(value)) == 1 and len(value_digest(value)) == 32


def test_frames_have_digests_by_their_content() -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert value_digest(frame) == value_digest(frame.copy())
    assert value_digest(frame) != value_digest(frame.rename(columns={"a": "c"}))
    assert value_digest(frame) != value_digest(frame.iloc[::-1])
    assert value_digest(frame) != value_digest(frame.astype({"a": "float64"}))
    assert value_digest(pd.DataFrame({"a": [[1], [2]]})) != ""


def test_what_cannot_be_pickled_has_no_digest() -> None:
    import threading

    assert value_digest(threading.Lock()) == ""
