"""What tasks print, log and warn of: each attempt's output is its own, wherever it runs."""

from __future__ import annotations

import asyncio
import contextvars
import io
import logging
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Iterator, List

import pytest

import flowdsl
from flowdsl import AbandonedWarning, Flow, load_runs
from flowdsl.executors import capture
from flowdsl.executors.capture import Routed
from flowdsl.storage.outputs import FOLDER, LIMIT, output_file

HERE = ["inline", "threads"]


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("talk", log_dir=log_dir)


@pytest.fixture(autouse=True)
def nobody_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams are routed for as long as threads go on that earlier tests have left behind: forget those."""
    monkeypatch.setattr(capture, "_going", 0)


@contextmanager
def bare_logging() -> Iterator[logging.Logger]:
    """A logger of the user's, and no handler anywhere; afterwards all logging is as it was."""
    logger, root = logging.getLogger("users"), logging.getLogger()
    before = (list(root.handlers), root.level)
    root.handlers, root.level = [], logging.WARNING  # pytest has handlers of its own
    yield logger
    root.handlers, root.level = before
    logger.handlers, logger.propagate, logger.level = [], True, logging.NOTSET


def run(flow: Flow, executor: Any = "threads", **more: Any) -> flowdsl.Run:
    return flow.run(executor=executor, display=None, raise_on_failure=False, **more)


def files(done: flowdsl.Run) -> List[str]:
    folder = done.dir / FOLDER
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.mark.parametrize("executor", HERE)
def test_what_a_task_prints_is_its_output(flow: Flow, executor: str) -> None:
    @flow.task
    def talks() -> None:
        print("one", 2, sep="-")
        sys.stderr.write("an error\n")
        print("no end", end="")

    @flow.task
    def silent(talks: None) -> None:
        pass

    done = run(flow, executor)
    assert done.output("talks") == "one-2\nan error\nno end"
    assert done.output("silent") == ""
    assert files(done) == [output_file(done.dir, "talks", 1).name]
    rows = done.attempts.set_index("task")["output_bytes"]
    assert rows["talks"] == len("one-2\nan error\nno end")
    assert rows.isna()["silent"]


def test_in_threads_it_goes_nowhere_else_and_the_streams_are_as_before(
    flow: Flow, capsys: pytest.CaptureFixture[str]
) -> None:
    @flow.task
    def talks() -> None:
        print("to the output")

    before = (sys.stdout, sys.stderr)
    run(flow)
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("", "")


def test_an_inline_task_shows_what_it_prints_where_it_runs(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    @flow.task
    def talks() -> None:
        for _ in range(3_000):
            print("x" * 99)

    done = run(flow, "inline")
    shown = capsys.readouterr().out
    assert done.output("talks") == ("x" * 99 + "\n") * 3_000
    assert 256 * 1024 <= len(shown) < 257 * 1024
    assert shown.endswith("[flowdsl: the rest is not shown here; run.output(...) has it]\n")


@pytest.mark.parametrize("executor", HERE)
def test_a_task_that_closes_its_stream_closes_nobody_elses(
    flow: Flow, executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybodys = io.StringIO()
    monkeypatch.setattr(sys, "stdout", everybodys)

    @flow.task
    def closes() -> None:
        print("before")
        sys.stdout.close()
        with pytest.raises(io.UnsupportedOperation):
            sys.stdout.detach()
        print("after")

    done = run(flow, executor)
    assert done.output("closes") == "before\nafter\n"
    assert not everybodys.closed


def test_other_threads_print_as_ever_while_a_run_goes_on(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    going, go_on = threading.Event(), threading.Event()

    @flow.task
    def talks() -> None:
        print("from the task")
        going.set()
        go_on.wait(30)

    started = flow.start(display=None)
    assert going.wait(30)
    assert isinstance(sys.stdout, Routed)
    print("from the cell")
    other = threading.Thread(target=print, args=("from a thread of the user's",))
    other.start()
    other.join()
    go_on.set()
    started.wait()
    assert capsys.readouterr().out == "from the cell\nfrom a thread of the user's\n"
    assert started.output("talks") == "from the task\n"


def test_tasks_that_run_at_once_do_not_mix(flow: Flow) -> None:
    together = threading.Barrier(4)

    def talk(name: str) -> None:
        together.wait(30)
        for number in range(500):
            print(name, number)

    for name in "abcd":
        flow.task(name=name)(lambda name=name: talk(name))
    done = run(flow)
    for name in "abcd":
        assert done.output(name) == "".join("%s %d\n" % (name, number) for number in range(500))


def test_coroutines_keep_their_outputs_apart(flow: Flow) -> None:
    async def talk(name: str) -> None:
        for number in range(20):
            print(name, number)
            await asyncio.sleep(0)

    @flow.task
    async def a() -> None:
        await talk("a")

    @flow.task
    async def b() -> None:
        await asyncio.gather(talk("b"), talk("b"))

    done = run(flow)
    assert done.output("a") == "".join("a %d\n" % number for number in range(20))
    assert done.output("b") == "".join("b %d\n" % number for number in range(20) for _ in range(2))


def test_a_thread_of_the_task_is_heard_where_it_has_the_tasks_context(
    flow: Flow, capsys: pytest.CaptureFixture[str]
) -> None:
    @flow.task
    def talks() -> None:
        for target in (contextvars.copy_context().run, lambda function, text: function(text)):
            thread = threading.Thread(target=target, args=(print, "from a child"))
            thread.start()
            thread.join()

    assert run(flow).output("talks") == "from a child\n"
    if sys.version_info < (3, 14):
        assert capsys.readouterr().out == "from a child\n"


def test_each_attempt_has_an_output_of_its_own(flow: Flow) -> None:
    @flow.task(retries=2)
    def unlucky() -> None:
        print("attempt", flowdsl.current().attempt)
        raise ValueError

    done = run(flow)
    assert [done.output("unlucky", attempt=number) for number in (1, 2, 3)] == [
        "attempt 1\n",
        "attempt 2\n",
        "attempt 3\n",
    ]
    assert done.output("unlucky") == "attempt 3\n"


def test_a_name_or_an_attempt_that_is_not_there_is_told(flow: Flow) -> None:
    @flow.task
    def clean() -> None:
        pass

    @flow.task(run_when="any_failed")
    def never(clean: None) -> None:
        pass

    done = run(flow)
    for one in (done, load_runs(flow.log_dir)[0]):
        assert one.output("never") == ""
        with pytest.raises(KeyError, match="has no task 'claen'; did you mean 'clean'"):
            one.output("claen")
        for attempt in (2, 0, True, "1"):
            with pytest.raises(ValueError, match="task 'clean' has had 1 attempt, and"):
                one.output("clean", attempt=attempt)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="task 'never' has had 0 attempts"):
            one.output("never", attempt=1)


def test_what_is_printed_can_be_read_while_the_task_runs_and_from_the_log_afterwards(flow: Flow) -> None:
    going, go_on = threading.Event(), threading.Event()

    @flow.task
    def talks() -> None:
        print("so far", end="")
        going.set()
        go_on.wait(30)
        print(", so good")

    started = flow.start(display=None)
    assert going.wait(30)
    assert started.output("talks") == "so far"
    assert load_runs(flow.log_dir)[0].output("talks") == "so far"
    go_on.set()
    started.wait()
    assert started.output("talks") == "so far, so good\n"
    assert load_runs(flow.log_dir)[0].output("talks") == "so far, so good\n"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a", "A", "<img src=x>", "ä ö", "..", "x" * 200])
def test_no_name_becomes_a_path(flow: Flow, name: str, log_dir: Path) -> None:
    if "/" in name:
        with pytest.raises(flowdsl.DefinitionError):
            flow.task(name=name)(lambda: print("here"))
        return
    flow.task(name=name)(lambda: print("here"))
    done = run(flow)
    (path,) = (done.dir / FOLDER).iterdir()
    assert done.output(name) == "here\n"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert {one.name for one in log_dir.parent.rglob("*") if one.is_file()} - {path.name, "lock"} >= {"events.jsonl"}


def test_the_output_of_an_attempt_is_cut_off_at_ten_megabytes(flow: Flow) -> None:
    line = "y" * 99_999 + "\n"

    @flow.task
    def floods() -> None:
        for _ in range(150):
            print(line, end="")

    done = run(flow)
    text = done.output("floods")
    assert text.startswith(line)
    assert text.endswith("\n[flowdsl: the output is cut off here, after 10000000 bytes]\n")
    assert output_file(done.dir, "floods", 1).stat().st_size < LIMIT + 100
    assert done.attempts["output_bytes"].tolist() == [15_000_000]


def test_what_is_no_text_is_refused_as_a_stream_does(flow: Flow) -> None:
    @flow.task
    def wrong() -> None:
        sys.stdout.write(5)  # type: ignore[arg-type]

    @flow.task
    def right() -> None:
        sys.stdout.buffer.write(b"caf\xc3\xa9 \xff\n")
        sys.stdout.writelines(["a\n", "b\n"])
        print("\ud800")
        assert (sys.stdout.encoding, sys.stdout.isatty()) == ("utf-8", False)

    done = run(flow)
    assert done.failures[0].error_type == "TypeError"
    assert done.output("right") == "café \\xff\na\nb\n\\ud800\n"


# ---- log records and warnings


def test_a_record_without_handlers_is_shown_as_python_does_and_once(flow: Flow) -> None:
    @flow.task
    def logs() -> None:
        logging.getLogger("users").warning("careful, %d left", 3)
        logging.getLogger("users").info("not asked for")

    with bare_logging():
        assert run(flow).output("logs") == "careful, 3 left\n"


@pytest.mark.parametrize("when", ["before the run", "within the task"])
def test_a_handler_of_the_users_gets_each_record_and_the_output_has_it_once(
    flow: Flow, capsys: pytest.CaptureFixture[str], when: str
) -> None:
    def set_up() -> None:
        logging.basicConfig(format="USER %(message)s", level=logging.INFO)

    @flow.task
    def logs() -> None:
        if when == "within the task":
            set_up()
        logging.getLogger("users").info("hello")

    with bare_logging():
        if when == "before the run":
            set_up()
        done = run(flow)
    if when == "before the run":  # that handler writes to the stream that it was given
        assert capsys.readouterr().err == "USER hello\n"
        assert done.output("logs") == "INFO:users:hello\n"
    else:
        assert capsys.readouterr().err == ""
        assert done.output("logs") == "USER hello\n"


def test_records_that_do_not_propagate_and_tracebacks_are_in_the_output(flow: Flow) -> None:
    heard: List[str] = []

    @flow.task
    def logs() -> None:
        logger = logging.getLogger("users")
        try:
            raise ValueError("no rows")
        except ValueError:
            logger.exception("it failed")
        logger.error("%d", "not a number")

    with bare_logging() as logger:
        logger.propagate = False
        logger.addHandler(_Hears(heard))
        text = run(flow).output("logs")
    assert heard == ["it failed", "?"]
    assert text.startswith("ERROR:users:it failed\nTraceback (most recent call last):\n")
    assert "ValueError: no rows\n" in text
    assert text.endswith("ERROR:users:'%d' (TypeError)\n")


class _Hears(logging.Handler):
    def __init__(self, heard: List[str]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._heard.append(record.getMessage())
        except TypeError:
            self._heard.append("?")


def test_records_of_others_go_their_usual_way_and_logging_is_as_before(flow: Flow) -> None:
    before = logging.Logger.callHandlers

    @flow.task
    def waits() -> None:
        pass

    run(flow)
    assert logging.Logger.callHandlers is before


def script(code: str, directory: Path) -> str:
    """What a script prints; pytest has its own ways with warnings."""
    command = [sys.executable, "-W", "default", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=str(directory), timeout=60, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_a_warning_is_in_the_output(tmp_path: Path, executor: str) -> None:
    code = """
        import warnings
        from flowdsl import Flow
        flow = Flow("f")
        @flow.task
        def warns():
            warnings.warn("out of date", DeprecationWarning)
        text = flow.run(display=None, executor=%r).output("warns")
        print(text)
    """
    assert "<string>:7: DeprecationWarning: out of date\n" in script(code % executor, tmp_path)


# ---- runs in runs, streams of others, attempts left behind


def test_a_run_inside_a_task_has_outputs_of_its_own(flow: Flow, log_dir: Path) -> None:
    inner = Flow("inner", log_dir=log_dir)

    @inner.task
    def below() -> None:
        print("below")

    @flow.task
    def above() -> str:
        print("before")
        text = inner.run(display=None).output("below")
        print("after")
        return text

    done = run(flow)
    assert (done.output("above"), done["above"]) == ("before\nafter\n", "below\n")
    assert not isinstance(sys.stdout, Routed)


def test_a_stream_that_somebody_puts_in_place_meanwhile_stays(flow: Flow) -> None:
    going, go_on = threading.Event(), threading.Event()

    @flow.task
    def waits() -> None:
        going.set()
        go_on.wait(30)

    before, caught = sys.stdout, io.StringIO()
    started = flow.start(display=None)
    assert going.wait(30)
    with redirect_stdout(caught):
        go_on.set()
        started.wait()
        assert sys.stdout is caught
        print("caught")
    assert caught.getvalue() == "caught\n"
    run(flow)
    assert sys.stdout is before


@pytest.mark.slow
def test_what_an_abandoned_thread_prints_after_the_run_is_added_to_its_output(
    flow: Flow, capsys: pytest.CaptureFixture[str]
) -> None:
    go_on = threading.Event()

    @flow.task(timeout=0.1)
    def stuck() -> None:
        print("begun")
        while not go_on.is_set():
            try:
                time.sleep(0.05)
            except BaseException:
                continue
        print("still there")

    with pytest.warns(AbandonedWarning):
        done = run(flow)
    assert done.attempts["output_bytes"].tolist() == [len("begun\n")]
    go_on.set()
    until = time.monotonic() + 10
    while time.monotonic() < until and (isinstance(sys.stdout, Routed) or "there" not in done.output("stuck")):
        time.sleep(0.02)
    assert done.output("stuck") == "begun\nstill there\n"
    assert capsys.readouterr().out == ""
    assert not isinstance(sys.stdout, Routed)


# ---- where it cannot be written


def test_output_that_cannot_be_written_costs_the_task_nothing_and_is_told(
    flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    @flow.task
    def talks() -> str:
        (flowdsl.last_run().dir / FOLDER).write_text("in the way")  # type: ignore[union-attr]
        print("never to be seen")
        return "done"

    done = run(flow)
    assert done["talks"] == "done"
    assert done.attempts["output_bytes"].tolist() == [len("never to be seen\n")]
    mark = "\n[flowdsl: some of the output could not be written: File exists (EEXIST)]\n"
    assert done.output("talks") == mark
    assert load_runs(flow.log_dir)[0].output("talks") == mark
    until = time.monotonic() + 10
    while not caplog.messages and time.monotonic() < until:
        time.sleep(0.02)
    assert "the output of task 'talks' could not be written" in caplog.messages[0]


@pytest.mark.slow
def test_what_was_printed_is_kept_when_the_kernel_is_killed(tmp_path: Path) -> None:
    code = """
        import os, signal
        from flowdsl import Flow
        flow = Flow("f", log_dir="logs")
        @flow.task
        def dies():
            print("last words")
            os.kill(os.getpid(), signal.SIGKILL)
        flow.run(display=None)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=str(tmp_path), timeout=60)
    (past,) = load_runs(tmp_path / "logs")
    assert (past.state, past.output("dies")) == ("interrupted", "last words\n")


@pytest.mark.slow
def test_a_file_that_the_system_lets_grow_no_further_costs_output_and_nothing_else(tmp_path: Path) -> None:
    code = """
        import resource
        from flowdsl import Flow
        flow = Flow("f", log_dir="logs")
        @flow.task
        def near():
            for number in range(10_000):
                print("x" * 99)
            return "done"
        @flow.task(isolation="process")
        def far():
            for number in range(10_000):
                print("y" * 99)
            return "done"
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        run = flow.run(display=None)
        print(run["near"], run["far"], run.attempts.output_bytes.tolist())
    """
    assert script(code, tmp_path) == "done done [1000000, 1000000]\n"
    (past,) = load_runs(tmp_path / "logs")
    for name, letter in (("near", "x"), ("far", "y")):
        text = past.output(name)
        assert text.startswith(letter * 99 + "\n")
        assert text.endswith("\n[flowdsl: some of the output could not be written: File too large (EFBIG)]\n")
        assert 99_000 < len(text) < 100_200
