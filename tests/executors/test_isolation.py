"""Where an attempt runs: the task's word, the run's, the flow's, and all kinds of tasks in one run."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any, Optional

import pytest

import flowdsl
from flowdsl import ConfigError, Flow

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left_in_the_end"),
    pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only"),
]
HERE = os.getpid()


def alone(flow: Flow, task: Optional[str], **options: Any) -> bool:
    """Whether a task with that isolation runs in a process of its own."""
    more = {} if task is None else {"isolation": task}
    flow.task(name="pid", **more)(os.getpid)
    return bool(flow.run(display=None, **options)["pid"] != HERE)


@pytest.mark.parametrize(
    ("flow", "task", "options", "expected"),
    [
        (None, None, {}, False),
        (None, "process", {}, True),
        ("process", None, {}, True),
        ("process", "thread", {}, False),
        (None, None, {"isolation": "process"}, True),
        (None, None, {"executor": "processes"}, True),
        ("process", None, {"isolation": "thread"}, False),
        (None, "thread", {"isolation": "process"}, False),
        (None, "thread", {"executor": "processes"}, False),
        (None, "process", {"isolation": "thread"}, True),
        ("thread", None, {"executor": "processes"}, True),
        ("process", None, {"executor": "inline"}, False),
        (None, "process", {"executor": "inline"}, True),
        (None, None, {"executor": "inline", "isolation": "process"}, True),
    ],
)
def test_the_tasks_word_goes_before_the_runs_and_that_before_the_flows(
    log_dir: Path, flow: Any, task: Any, options: Any, expected: bool
) -> None:
    assert alone(Flow("words", isolation=flow, log_dir=log_dir), task, **options) is expected


def test_a_task_of_another_flow_keeps_the_isolation_of_that_flow(log_dir: Path) -> None:
    other, flow = Flow("other", isolation="process", log_dir=log_dir), Flow("flow", log_dir=log_dir)
    pid = other.task(name="pid")(os.getpid)
    flow.task(name="pids", depends_on={"x": pid})(lambda x: (x, os.getpid()))
    theirs, ours = flow.run(display=None)["pids"]
    assert (theirs != HERE, ours == HERE) == (True, True)


def test_where_there_are_no_worker_processes_the_run_is_refused(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowdsl.runtime import launch

    monkeypatch.setattr(launch, "HAS_PROCESSES", False)
    with pytest.raises(ConfigError, match="ProcessPoolExecutor"):
        alone(Flow("words", log_dir=log_dir), "process")
    assert not log_dir.exists()


def test_threads_processes_and_coroutines_mix_in_one_run(log_dir: Path) -> None:
    flow = Flow("mixed", log_dir=log_dir)

    @flow.task
    def thread() -> int:
        return os.getpid()

    @flow.task(isolation="process")
    def process(thread: int) -> Any:
        return (thread, os.getpid())

    @flow.task
    async def loop(process: Any) -> Any:
        await asyncio.sleep(0)
        return (*process, os.getpid(), threading.current_thread().name)

    @flow.task(isolation="process")
    async def own_loop(loop: Any) -> Any:
        await asyncio.sleep(0)
        return (*loop, os.getpid(), flowdsl.current().task)

    done = flow.run(display=None, max_workers=2)
    first, second, third, name, last, task = done["own_loop"]
    assert (first, third, name, task) == (HERE, HERE, "flowdsl-loop", "own_loop")
    assert HERE not in (second, last)
    workers = done.attempts.set_index("task")["worker"]
    assert workers["process"].startswith("process-")


def test_the_traceback_of_a_coroutine_in_a_process_begins_in_the_users_code(log_dir: Path) -> None:
    flow = Flow("async", isolation="process", log_dir=log_dir)

    @flow.task
    async def bad() -> None:
        await asyncio.sleep(0)
        raise ValueError("here")

    failure = flow.run(display=None, raise_on_failure=False).failures[0]
    frames = [line for line in str(failure.traceback).splitlines() if line.lstrip().startswith("File ")]
    assert "in bad" in frames[0]


def test_a_coroutine_in_a_process_is_killed_at_its_limit(log_dir: Path) -> None:
    flow = Flow("async", isolation="process", log_dir=log_dir)

    @flow.task(timeout=0.3)
    async def slow() -> None:
        await asyncio.sleep(77)

    attempt = flow.run(display=None, raise_on_failure=False).attempts.iloc[0]
    assert (attempt["state"], attempt["mechanism"]) == ("timed_out", "killed")


def test_workers_go_from_run_to_run_and_not_more_than_the_run_may_have(log_dir: Path) -> None:
    flow = Flow("again", isolation="process", log_dir=log_dir)
    flow.task(name="pid")(os.getpid)
    pids = {flow.run(display=None, max_workers=1)["pid"] for _ in range(5)}
    assert len(pids) == 1


def test_a_worker_sees_the_directory_the_path_and_the_environment_of_the_run(
    log_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow("around", isolation="process", log_dir=log_dir)
    flow.task(name="sees")(lambda: (os.getcwd(), list(sys.path), os.environ.get("FLOWDSL_TEST"), os.getpid()))
    monkeypatch.setenv("FLOWDSL_TEST", "one")
    first = flow.run(display=None)["sees"]
    assert first[:3] == (os.getcwd(), sys.path, "one")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("FLOWDSL_TEST")
    second = flow.run(display=None)["sees"]
    assert second == (os.getcwd(), sys.path, None, first[3])


def test_a_module_that_was_edited_is_the_new_one_in_the_next_run(
    log_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "edited_between_runs.py"
    flow = Flow("edited", isolation="process", log_dir=log_dir)

    @flow.task
    def answer() -> Any:
        import edited_between_runs  # type: ignore[import-not-found]

        return edited_between_runs.ANSWER

    module.write_text("ANSWER = 1\n")
    assert flow.run(display=None)["answer"] == 1
    module.write_text("ANSWER = 12345\n")
    assert flow.run(display=None)["answer"] == 12345


def test_a_function_that_was_redefined_is_the_new_one(log_dir: Path) -> None:
    flow = Flow("redefined", isolation="process", log_dir=log_dir)
    helper = {"factor": 2}
    flow.task(name="times")(lambda: helper["factor"])
    assert flow.run(display=None)["times"] == 2
    helper["factor"] = 3
    assert flow.run(display=None)["times"] == 3
    flow.task(name="times")(lambda: 100)
    assert flow.run(display=None)["times"] == 100


def test_a_run_inside_a_task_in_a_process_is_a_run_of_its_own(log_dir: Path) -> None:
    flow = Flow("outer", isolation="process", log_dir=log_dir)
    where = str(log_dir)

    def nested() -> Any:
        inner = Flow("inner", isolation="process", log_dir=where)
        inner.task(name="pid")(os.getpid)
        return (os.getpid(), inner.run(display=None)["pid"])

    for number in range(3):
        flow.task(name="outer%d" % number)(nested)
    done = flow.run(display=None, max_workers=2)
    for number in range(3):
        outer, inner = done["outer%d" % number]
        assert len({outer, inner, HERE}) == 3
    assert len(flowdsl.load_runs(log_dir)) == 4


def test_a_task_may_call_another_task_as_the_plain_function(log_dir: Path) -> None:
    flow = Flow("plain", isolation="process", log_dir=log_dir)

    @flow.task
    def double(x: int) -> int:
        return 2 * x

    @flow.task
    def quadruple(x: int) -> int:
        return double(double(x))

    assert flow.run(display=None, x=3)["quadruple"] == 12


def test_a_flow_may_travel_to_a_process_and_be_run_there(log_dir: Path) -> None:
    inner = Flow("inner", log_dir=log_dir)

    @inner.task
    def deep(x: int) -> int:
        return x + 1

    @inner.task
    def deeper(deep: int) -> int:
        return deep + 1

    flow = Flow("outer", isolation="process", log_dir=log_dir)
    flow.task(name="outer")(lambda: inner.run(display=None, x=40)["deeper"])
    assert flow.run(display=None)["outer"] == 42


@pytest.mark.parametrize(
    ("options", "where"), [({}, "process"), ({"isolation": "thread"}, "thread"), ({"executor": "processes"}, "process")]
)
def test_a_runs_word_goes_before_that_of_the_flow_which_a_task_comes_from(
    log_dir: Path, options: Any, where: str
) -> None:
    other, flow = Flow("other", isolation="process", log_dir=log_dir), Flow("flow", log_dir=log_dir)
    far = other.task("far")(os.getpid)
    flow.task("here", depends_on={"pid": far})(lambda pid: pid)
    run = flow.run(display=None, **options)
    assert run["here"] == run["far"]
    assert (run["far"] == os.getpid()) is (where == "thread")
