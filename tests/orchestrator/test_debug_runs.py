"""Failures by cause, what changed between two runs, and which runs a debugger looks at."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import pytest

import flowdsl
from flowdsl import Flow, FlowError, load_runs
from flowdsl.orchestrator import DebugOrchestrator
from flowdsl.orchestrator.capsule_store import save_fingerprint
from flowdsl.start import watchers


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("many", log_dir=log_dir)


@pytest.fixture(autouse=True)
def nobody_watches_on() -> Iterator[None]:
    before = list(watchers)
    yield
    watchers[:] = before


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    return flow.run(display=None, raise_on_failure=False, **more)


# ---- failures


def test_failures_of_one_cause_are_one_row(flow: Flow) -> None:
    def fetch(n: int) -> None:
        raise ConnectionError("host 'n%d' did not answer in %d s" % (n, n))

    for n in range(5):
        flow.task(name="fetch %d" % n, retries=1)(lambda n=n: fetch(n))
    flow.task(name="other")(lambda: 1 / 0)
    flow.task(name="after", depends_on=["fetch 1"])(lambda: 1)
    frame = DebugOrchestrator(run(flow)).failures()
    assert list(frame["error_type"]) == ["ConnectionError", "ZeroDivisionError"]
    first = frame.iloc[0]
    assert (first["tasks"], first["attempts"], first["final"], first["blocked"], first["runs"]) == (5, 10, 5, 1, 1)
    assert first["cause"] == "raised" and "in fetch" in first["where"]


def test_a_task_that_came_right_at_last_is_not_final(flow: Flow) -> None:
    tries = []

    @flow.task(retries=1)
    def flaky() -> None:
        tries.append(1)
        assert len(tries) > 1

    frame = DebugOrchestrator(run(flow)).failures()
    assert list(frame[["attempts", "tasks", "final"]].iloc[0]) == [1, 1, 0]


def test_failures_of_many_runs_read_back_come_together(flow: Flow, log_dir: Path) -> None:
    flow.task(name="bad")(lambda: 1 / 0)
    for _ in range(3):
        run(flow)
    frame = DebugOrchestrator(load_runs(log_dir)).failures()
    assert list(frame[["attempts", "tasks", "runs"]].iloc[0]) == [3, 3, 3]


def test_the_frame_of_no_failures_has_the_same_columns_and_dtypes(flow: Flow) -> None:
    flow.task(name="bad")(lambda fail=False: 1 / 0 if fail else 1)
    good, bad = DebugOrchestrator(run(flow)).failures(), DebugOrchestrator(run(flow, fail=True)).failures()
    assert len(good) == 0 and len(bad) == 1
    assert dict(good.dtypes) == dict(bad.dtypes)


# ---- which runs


def test_of_a_flow_every_run_from_now_on_is_looked_at(flow: Flow, log_dir: Path) -> None:
    flow.task(name="one")(lambda: 1)
    other = Flow("other", log_dir=log_dir)
    other.task(name="two")(lambda: 2)
    first = run(flow)
    with DebugOrchestrator(flow, runs=2) as debug:
        assert debug.runs == (first,)
        second, _, third = run(flow), run(other), run(flow)
        assert debug.runs == (second, third)
    run(flow)
    assert debug.runs == (second, third)


def test_without_a_subject_it_is_the_last_run(flow: Flow) -> None:
    flow.task(name="one")(lambda: 1 / 0)
    last = run(flow)
    assert DebugOrchestrator().runs == (last,)
    assert DebugOrchestrator(flow["one"]).runs == (last,)


def test_a_debugger_without_runs_says_so(flow: Flow) -> None:
    debug = DebugOrchestrator(flow)
    assert len(debug.failures()) == 0 and debug.capsules() == []
    with pytest.raises(FlowError, match="no run to debug yet"):
        debug.inspect("one")
    with pytest.raises(flowdsl.ConfigError, match="is no run, flow, task or orchestrator"):
        DebugOrchestrator(3)
    with pytest.raises(flowdsl.ConfigError, match="'reference', 'digest', 'pickle'"):
        DebugOrchestrator(flow, inputs="all")


def test_what_cannot_be_kept_disturbs_no_run(flow: Flow, caplog: pytest.LogCaptureFixture) -> None:
    flow.task(name="one")(lambda: 1)
    with DebugOrchestrator(flow), caplog.at_level(logging.ERROR, "flowdsl"):
        going = flow.start(display=None)
        (going.dir / "debug").write_text("in the way")
        assert going.wait(30) and going["one"] == 1
    assert "could not keep" in caplog.text


SCRIPT = """
from flowdsl import Flow
from flowdsl.orchestrator import DebugOrchestrator

flow = Flow("script", log_dir="logs")
flow.task(name="bad")(lambda: 1 / 0)
debug = DebugOrchestrator(flow)
flow.run(display=None, raise_on_failure=False)
"""


def test_a_script_that_ends_at_once_has_kept_everything(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=str(tmp_path), check=True, timeout=60)
    (past,) = load_runs(tmp_path / "logs")
    assert DebugOrchestrator(past).inspect("bad").code is not None


# ---- two runs


def test_nothing_changed_between_a_run_and_its_like(flow: Flow) -> None:
    flow.task(name="one")(lambda n=1: n)
    found = DebugOrchestrator(flow).diff(run(flow), run(flow))
    assert len(found) == 0 and "0 changes" in repr(found)


def helper(n: int) -> int:
    return n + 1


def other_helper(n: int) -> int:
    return n + 2


def test_code_inputs_options_edges_and_states_that_changed_are_told(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.task(name="one")(lambda n=1: n)
    flow.task(name="extra")(lambda: 1)

    @flow.task(timeout=60)
    def two(one: int) -> int:
        return helper(one)

    with DebugOrchestrator(flow) as debug:
        before = run(flow, n=1)
        monkeypatch.setitem(globals(), "helper", other_helper)

        def changed(one: int, extra: int) -> float:
            return one / 0

        flow.task(name="two", timeout=30)(changed)
        after = run(flow, n=2)
        found = debug.diff(before, after)
    kinds = {(one.kind, one.task, one.name) for one in found.changes}
    assert {
        ("code", "two", "function"),
        ("input", "", "n"),
        ("option", "two", "timeout"),
        ("dependency", "two", "upstream"),
        ("result", "one", "result"),
        ("state", "two", "state"),
    } <= kinds
    assert "-    return helper(one)" in found.code["two"] and "+" in found.code["two"]
    assert found.frame["kind"].iloc[0] == "code" and list(found.frame.columns)[:3] == ["kind", "task", "name"]


def test_a_function_that_a_task_calls_counts_as_its_code(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    @flow.task
    def two() -> int:
        return helper(1)

    with DebugOrchestrator(flow) as debug:
        before = run(flow)
        monkeypatch.setitem(globals(), "helper", other_helper)
        found = debug.diff(before, run(flow))
    assert {(one.kind, one.task) for one in found.changes} >= {("code", "two"), ("result", "two")}
    assert {one.name for one in found.changes if one.kind == "code"} == {"helper", "other_helper"}


def test_versions_and_durations_that_changed_are_told(flow: Flow, log_dir: Path) -> None:
    @flow.task
    def wait(s: float = 0.0) -> None:
        flowdsl.current().sleep(s)

    with DebugOrchestrator(flow) as debug:
        first, second = run(flow), run(flow, s=0.3)
        found = debug.diff(first, second)
    (slower,) = [one for one in found.changes if one.kind == "duration"]
    assert slower.task == "wait" and (slower.after_s or 0) >= 0.3 > (slower.before_s or 0)
    kept = __import__("json").loads((second.dir / "debug" / "fingerprint.json").read_text())
    save_fingerprint(second.dir, {**kept, "environment": {**kept["environment"], "pandas": "9.9", "python": "4.0"}})
    runs = load_runs(log_dir)
    versions = [one for one in debug.diff(runs[-2], runs[-1]).changes if one.kind == "version"]
    assert {("python", "4.0"), ("pandas", "9.9")} == {(one.name, one.after) for one in versions}


def test_digests_that_were_kept_tell_of_values_in_runs_read_back(flow: Flow, log_dir: Path) -> None:
    flow.task(name="one")(lambda n=1: n % 2)
    with DebugOrchestrator(flow, inputs="digest"):
        run(flow, n=1)
        run(flow, n=3)
    runs = load_runs(log_dir)
    found = DebugOrchestrator(runs).diff(*(one.id for one in runs))
    assert [(one.kind, one.name) for one in found.changes] == [("input", "n")]


def test_what_could_not_be_compared_is_said(flow: Flow, log_dir: Path) -> None:
    flow.task(name="one")(lambda n=1: n)
    run(flow, n=1)
    with DebugOrchestrator(flow):
        run(flow, n=2)
        run(flow, n=3)
    unwatched, second, third = load_runs(log_dir)
    debug = DebugOrchestrator(load_runs(log_dir))
    assert "was not watched by a debugger" in repr(debug.diff(unwatched, second))
    assert "values of inputs and results were not compared" in repr(debug.diff(second, third))
    with pytest.raises(KeyError, match="no run"):
        debug.diff("nope", third)


def test_a_task_that_is_new_or_gone_is_told_and_markup_is_escaped(flow: Flow) -> None:
    flow.task(name="<img src=x>")(lambda: 1)
    flow.task(name="stays")(lambda: 1)
    debug = DebugOrchestrator(flow)
    before = run(flow)
    del flow["<img src=x>"]
    flow.task(name="new")(lambda: 1)
    found = debug.diff(before, run(flow))
    assert [(one.task, one.before, one.after) for one in found.changes if one.kind == "task"] == [
        ("<img src=x>", "there", None),
        ("new", None, "there"),
    ]
    assert "<img" not in found._repr_html_() and "&lt;img" in found._repr_html_()
