"""What attempts in worker processes say: from Python, from C, from the programs that they start; also of the killed."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any, Iterator, List

import pytest

import flowdsl
from flowdsl import Flow, load_runs, progress
from flowdsl.engine.check import check_batches
from flowdsl.executors.printed import Printed, marker
from flowdsl.executors.processes import ProcessPool
from flowdsl.storage.outputs import FOLDER, LIMIT
from flowdsl.storage.reading import read_journal
from tests.executors.left import wait_until

MARK = "0123456789abcdef" * 2


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("work", log_dir=log_dir, isolation="process")


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    done = flow.run(display=None, raise_on_failure=False, **more)
    check_batches(read_journal(done.dir).batches)
    return done


def test_all_that_an_attempt_writes_is_its_output_in_the_order_in_which_it_came(flow: Flow) -> None:
    @flow.task
    def talks() -> None:
        library = ctypes.CDLL(None)
        print("print", 1, 2, end="; ")
        sys.stderr.write("stderr\n")
        library.printf(b"printf\n")
        os.write(1, b"write\n")
        subprocess.run([sys.executable, "-c", "print('a program')"], check=True)
        logging.getLogger("users").warning("a record, %d", 7)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("a warning", stacklevel=1)
        print("\ud800 é")
        library.printf(b"held back by C")

    done = run(flow)
    *lines, warned, code, odd, last = done.output("talks").splitlines()
    assert lines[:-1] == ["print 1 2; stderr", "printf", "write", "a program"]
    assert lines[-1].endswith("a record, 7")
    assert warned.endswith("UserWarning: a warning")
    assert "warnings.warn" in code
    assert (odd, last) == ("\\ud800 é", "held back by C")
    assert done.attempts["output_bytes"].tolist() == [len(done.output("talks").encode())]


@pytest.mark.parametrize(
    "how",
    [
        lambda: (sys.stdout.close(), sys.stderr.close()),
        lambda: (sys.stdout.detach(), sys.stderr.detach()),
        lambda: (os.close(1), os.close(2), [os.open(os.devnull, os.O_WRONLY) for _ in range(2)]),
    ],
    ids=["closed", "detached", "other files"],
)
def test_what_one_task_does_to_the_streams_is_mended_for_the_next(flow: Flow, how: Any) -> None:
    flow.task(name="first")(how)

    @flow.task(depends_on="first")
    def second() -> int:
        print("printed")
        sys.stderr.write("stderr\n")
        os.write(1, b"write\n")
        return os.getpid()

    done = run(flow)
    assert done.output("second").splitlines() == ["printed", "stderr", "write"]
    assert set(done.attempts["pid"]) == {done["second"]}, "it is the same worker"


def test_an_attempt_that_prints_nothing_has_no_file(flow: Flow) -> None:
    @flow.task
    def silent() -> None:
        pass

    done = run(flow)
    assert not (done.dir / FOLDER).exists()
    assert done.attempts["output_bytes"].isna().all()


def test_records_have_the_form_of_those_in_threads(flow: Flow) -> None:
    @flow.task
    def logs() -> None:
        logger = logging.getLogger("users")
        logger.setLevel(logging.INFO)
        logger.info("no handler shows it")
        logging.basicConfig(format="USER %(message)s", level=logging.INFO)
        logger.info("a handler does")

    @flow.task
    def others(logs: None) -> None:
        sys.stdout = None  # type: ignore[assignment]

    @flow.task
    def after(others: None) -> None:
        print("streams are as they were")

    done = run(flow, max_workers=1)
    assert done.output("logs") == "INFO:users:no handler shows it\nUSER a handler does\n"
    assert done.output("after") == "streams are as they were\n"


@pytest.mark.parametrize("end", ["kill", "exit", "timeout"])
def test_what_was_written_before_a_worker_died_is_there(flow: Flow, end: str) -> None:
    @flow.task(timeout=1.0 if end == "timeout" else 60.0)
    def dies() -> None:
        progress(0.4, "so far")
        print("a line")
        print("no line", end="")
        time.sleep(0.3)
        if end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if end == "exit":
            os._exit(3)
        time.sleep(60)

    done = run(flow)
    assert done.output("dies") == load_runs(flow.log_dir)[0].output("dies") == "a line\nno line"
    row = done.snapshot().tasks["dies"]
    assert (row.progress, row.message) == (0.4, "so far")
    assert row.latest is not None
    assert row.latest.output_bytes == len("a line\nno line")


def test_what_a_program_says_that_is_left_behind_is_there(flow: Flow) -> None:
    @flow.task
    def leaves() -> None:
        subprocess.Popen(["sh", "-c", "echo left behind; exec sleep 60"])
        time.sleep(0.3)

    assert run(flow).output("leaves") == "left behind\n"


def test_each_attempt_and_each_task_in_the_same_worker_has_its_own(flow: Flow) -> None:
    @flow.task(retries=1)
    def first() -> int:
        print("attempt", flowdsl.current().attempt)
        if flowdsl.current().attempt == 1:
            raise ValueError
        return os.getpid()

    @flow.task
    def second(first: int) -> bool:
        print("second")
        return first == os.getpid()

    done = run(flow, max_workers=1)
    assert [done.output("first", attempt=number) for number in (1, 2)] == ["attempt 1\n", "attempt 2\n"]
    assert (done.output("second"), done["second"]) == ("second\n", True)


def test_items_that_go_to_a_worker_together_do_not_mix(flow: Flow) -> None:
    @flow.task
    def numbers() -> List[int]:
        return list(range(300))

    @flow.task(map="numbers")
    def says(numbers: int) -> None:
        if numbers % 3 == 0:
            print("item", numbers)
        if numbers % 50 == 0:
            subprocess.run(["echo", "program", str(numbers)], check=True)
        if numbers % 7 == 0:
            progress(0.5, "at %d" % numbers)

    done = run(flow, max_workers=2)
    for number in range(300):
        wanted = ("item %d\n" % number if number % 3 == 0 else "") + (
            "program %d\n" % number if number % 50 == 0 else ""
        )
        assert done.output("says[%d]" % number) == wanted
        assert done.snapshot().tasks["says[%d]" % number].message == ("at %d" % number if number % 7 == 0 else "")
    assert done.output("says").startswith("--- says[0] ---\nitem 0\nprogram 0\n--- says[3] ---\nitem 3\n")


def test_the_output_is_cut_off_at_ten_megabytes_and_what_comes_behind_is_counted(flow: Flow) -> None:
    @flow.task
    def floods() -> str:
        subprocess.run([sys.executable, "-c", "for _ in range(300): print('y' * 99_999)"], check=True)
        return "done"

    done = run(flow)
    text = done.output("floods")
    assert done["floods"] == "done"
    assert text.endswith("\n[flowdsl: the output is cut off here, after 10000000 bytes]\n")
    assert len(text) < LIMIT + 100
    assert done.attempts["output_bytes"].tolist() == [30_000_000]


@pytest.mark.slow
def test_progress_comes_while_the_attempt_runs(flow: Flow) -> None:
    @flow.task
    def steps() -> None:
        for number in range(1000):
            progress(number / 1000, "step %d" % number)
        print("said", end="")
        time.sleep(60)

    started = flow.start(display=None)
    assert wait_until(lambda: "steps" in started.snapshot().tasks, 30)
    assert wait_until(lambda: started.output("steps") == "said", 30)
    assert wait_until(lambda: started.snapshot().tasks["steps"].message == "step 999", 30)
    row = started.snapshot().tasks["steps"]
    assert (row.state, row.progress) == ("running", 0.999)
    started.cancel()
    started.wait()
    assert len([event for event in started.events["event"] if event == "attempt_progressed"]) < 10


def test_a_child_that_a_task_forks_says_nothing_of_progress_and_is_heard(flow: Flow) -> None:
    @flow.task
    def forks() -> None:
        child = os.fork()
        if not child:
            progress(0.9, "from the child")
            print("from the child")
            os._exit(0)
        os.waitpid(child, 0)
        progress(0.5)

    done = run(flow)
    assert done.output("forks") == "from the child\n"
    assert done.snapshot().tasks["forks"].progress == 0.5


def test_a_run_inside_a_process_has_outputs_of_its_own(flow: Flow) -> None:
    @flow.task
    def above() -> str:
        inner = Flow("inner")

        @inner.task
        def below() -> None:
            print("below")
            sys.stderr.write("too\n")

        print("before")
        text = inner.run(display=None).output("below")
        print("after")
        return text

    done = run(flow)
    assert (done.output("above"), done["above"]) == ("before\nafter\n", "below\ntoo\n")


def test_what_a_submitted_call_prints_goes_where_we_print(capfd: pytest.CaptureFixture[str]) -> None:
    with ProcessPool(1) as pool:
        assert pool.submit(print, "from a call").result(60) is None
    assert "from a call\n" in capfd.readouterr().err


def test_a_worker_that_floods_holds_nobody_up(flow: Flow) -> None:
    @flow.task(timeout=2.0)
    def floods() -> None:
        subprocess.run(["sh", "-c", "yes flood"], check=False)

    @flow.task
    def works() -> int:
        return sum(range(1000))

    before = threading.active_count()
    done = run(flow)
    assert (done["works"], done.failures[0].state) == (499500, "timed_out")
    assert done.output("floods").endswith("bytes]\n")
    assert threading.active_count() <= before + 5


# ---- whose it is


class Job:
    """Hears what it prints."""

    def __init__(self) -> None:
        self.heard = b""

    def printed(self, data: bytes) -> None:
        self.heard += data


@pytest.mark.parametrize("step", [1, 2, 7, 30, 31, 32, 1000])
def test_a_marker_is_found_however_it_is_cut_into_pieces(step: int) -> None:
    jobs, (reading, writing) = [Job(), Job(), Job()], os.pipe()
    printed = Printed(reading, MARK)
    printed.assign(jobs)
    almost = marker(MARK, 1)[:-1] + b"x"
    text = b"zero\0\0FDSL-" + marker(MARK, 1) + almost + marker(MARK, 2) + b"two" + marker(MARK, 0)[:20]
    try:
        for at in range(0, len(text), step):
            os.write(writing, text[at : at + step])
            printed.take()
        printed.take_last()
    finally:
        os.close(reading)
        os.close(writing)
    assert [job.heard for job in jobs] == [b"zero\0\0FDSL-", almost, b"two" + marker(MARK, 0)[:20]]


# ---- log records


class Hears(logging.Handler):
    """Keeps the records that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: List[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def hears() -> Iterator[Hears]:
    """A handler of the user's, on a logger of the user's that passes INFO."""
    logger, handler = logging.getLogger("users"), Hears()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def test_the_levels_are_those_of_the_notebook_and_its_handlers_get_the_records(flow: Flow, hears: Hears) -> None:
    @flow.task
    def logs() -> int:
        logger = logging.getLogger("users.part")
        logger.debug("too little")
        logger.info("%d rows", 3, extra={"rows": 3, "thing": object()})
        try:
            raise ValueError("no such row")
        except ValueError:
            logger.exception("it failed")
        logging.getLogger("others").info("nobody asked")
        return os.getpid()

    done = run(flow)
    assert wait_until(lambda: len(hears.records) == 2)
    first, second = hears.records
    assert (first.getMessage(), first.name, first.levelname, first.process) == (
        "3 rows",
        "users.part",
        "INFO",
        done["logs"],
    )
    assert (first.rows, hasattr(first, "thing")) == (3, False)  # type: ignore[attr-defined]
    assert "ValueError: no such row" in logging.Formatter().format(second)
    text = done.output("logs")
    assert text.startswith("INFO:users.part:3 rows\nERROR:users.part:it failed\nTraceback")
    assert "too little" not in text
    assert "nobody asked" not in text


def test_a_level_that_was_changed_since_holds_in_workers_that_go_on(flow: Flow, hears: Hears) -> None:
    @flow.task
    def logs() -> None:
        logging.getLogger("users").info("info")
        logging.getLogger("users").error("error")

    assert run(flow).output("logs") == "INFO:users:info\nERROR:users:error\n"
    logging.getLogger("users").setLevel(logging.ERROR)
    assert run(flow).output("logs") == "ERROR:users:error\n"
    logging.disable(logging.CRITICAL)
    try:
        assert run(flow).output("logs") == ""
    finally:
        logging.disable(logging.NOTSET)
    assert wait_until(lambda: len(hears.records) == 3)


def test_a_handler_that_raises_or_is_slow_holds_no_run_up(flow: Flow, hears: Hears) -> None:
    go_on = threading.Event()

    def emit(record: logging.LogRecord) -> None:
        go_on.wait(30)
        if record.getMessage() == "number 0":
            raise RuntimeError("the handler is at fault")
        hears.records.append(record)

    hears.emit = emit  # type: ignore[method-assign]

    @flow.task
    def logs() -> None:
        for number in range(3):
            logging.getLogger("users").error("number %d", number)

    assert run(flow).state == "succeeded"
    assert hears.records == []
    go_on.set()
    assert wait_until(lambda: [record.getMessage() for record in hears.records] == ["number 1", "number 2"])
