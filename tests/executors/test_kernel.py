"""What happens to workers when the process that started them is interrupted, killed or ends; and notebooks in it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, List

import pytest

import flowdsl
from flowdsl.engine.check import check_batches
from flowdsl.storage.lock import locked_by
from flowdsl.storage.reading import read_journal
from tests.executors.left import alive, running, wait_until

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only"),
    pytest.mark.slow,
    pytest.mark.usefixtures("no_leaks"),
]

SCRIPT = """
    import os, signal, subprocess, sys, time, flowdsl
    log_dir, number, how = sys.argv[1:]
    flow = flowdsl.Flow("killed", log_dir=log_dir, isolation="process")

    def begin():
        with open(os.path.join(log_dir, "pids"), "a") as file:  # in one piece
            file.write("%d\\n" % os.getpid())

    @flow.task(retries=0)
    def sleeps():
        begin()
        time.sleep(77)

    @flow.task
    def starts_a_program():
        subprocess.Popen(["sleep", number])
        begin()
        time.sleep(77)

    @flow.task
    def holds_the_lock():
        import ctypes
        begin()
        ctypes.PyDLL(None).sleep(77)

    @flow.task
    def never(sleeps):
        begin()

    if how == "handler":
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(9))
    if how == "exit":
        run = flow.start(display=None)
        while len(open(os.path.join(log_dir, "pids")).readlines()) < 3:
            time.sleep(0.05)
        sys.exit(5)
    if how in ("behind", "replaced"):
        run = flow.start(display=None)
    if how == "replaced":
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(9))
    if how == "another":
        other = flowdsl.Flow("other", log_dir=log_dir, isolation="process")
        other.task(name="waits")(lambda: time.sleep(77))
        run = flow.start(display=None)
        other.run(display=None)
    if how in ("behind", "replaced"):
        time.sleep(77)
    try:
        flow.run(display=None)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what comes now was for the clean-up, which is over
        run = flowdsl.last_run()
        print(run.state, sorted(set(run.tasks["cause"])), sorted(set(run.attempts["mechanism"])), flush=True)
        sys.exit(7)
"""


class Kernel:
    """A process that runs three tasks in workers."""

    def __init__(self, log_dir: Path, how: str) -> None:
        log_dir.mkdir(parents=True)
        self.pids_file = log_dir / "pids"
        self.pids_file.touch()
        self.number = "77.%d" % os.getpid()
        command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(log_dir), self.number, how]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert wait_until(lambda: len(self.pids) == 3, 30), "three tasks run"

    @property
    def pids(self) -> List[int]:
        return [int(line) for line in self.pids_file.read_text().split()]

    def nothing_is_left(self) -> bool:
        """Neither a worker nor a program of a task, within two seconds."""
        return wait_until(lambda: not any(map(alive, self.pids)) and running(self.number) == [], 2)


def test_an_interrupt_of_the_kernel_cancels_the_run_and_leaves_nothing(log_dir: Path) -> None:
    kernel = Kernel(log_dir, "run")
    os.killpg(kernel.process.pid, signal.SIGINT)
    said, _ = kernel.process.communicate(timeout=30)
    assert kernel.nothing_is_left()
    assert (kernel.process.returncode, said) == (7, "cancelled ['keyboard_interrupt'] ['killed']\n")
    assert len(kernel.pids) == 3
    assert flowdsl.load_runs(log_dir)[0].state == "cancelled"


def is_closed(log_dir: Path) -> bool:
    """Whether the one run there has been written to its end, by nobody any more."""
    past = flowdsl.load_runs(log_dir)[0]
    check_batches(read_journal(past.dir).batches, max_workers=5)
    return past.state == "cancelled" and locked_by(Path(past.dir)) is None


def test_more_stops_during_the_clean_up_do_not_hinder_it(log_dir: Path) -> None:
    kernel = Kernel(log_dir, "run")
    run_dir = next(path for path in log_dir.iterdir() if path.is_dir())
    stops = 0
    while stops < 20 and locked_by(run_dir) is not None:  # what came later would strike the script itself
        os.killpg(kernel.process.pid, signal.SIGINT)
        stops += 1
        time.sleep(0.003)
    said, _ = kernel.process.communicate(timeout=30)
    assert stops > 1
    assert kernel.nothing_is_left()
    assert (kernel.process.returncode, said) == (7, "cancelled ['keyboard_interrupt'] ['killed']\n")
    assert is_closed(log_dir)


@pytest.mark.parametrize("times", [1, 5])
@pytest.mark.parametrize("how", ["run", "behind"])
def test_after_sigterm_a_script_cancels_its_run_and_dies_of_it(log_dir: Path, how: str, times: int) -> None:
    kernel = Kernel(log_dir, how)
    for _ in range(times):
        os.kill(kernel.process.pid, signal.SIGTERM)
    kernel.process.communicate(timeout=30)
    assert kernel.process.returncode == -signal.SIGTERM
    assert kernel.nothing_is_left()
    assert is_closed(log_dir)
    assert set(flowdsl.load_runs(log_dir)[0].attempts["mechanism"]) == {"killed"}


def test_sigterm_ends_the_run_that_is_waited_for_and_the_one_behind_it(log_dir: Path) -> None:
    kernel = Kernel(log_dir, "another")
    os.kill(kernel.process.pid, signal.SIGTERM)
    kernel.process.communicate(timeout=30)
    assert kernel.process.returncode == -signal.SIGTERM
    assert kernel.nothing_is_left()
    for past in flowdsl.load_runs(log_dir):
        assert (past.state, locked_by(Path(past.dir))) == ("cancelled", None)


def test_a_handler_for_sigterm_that_comes_after_the_start_of_a_run_takes_our_place(log_dir: Path) -> None:
    kernel = Kernel(log_dir, "replaced")
    os.kill(kernel.process.pid, signal.SIGTERM)
    kernel.process.communicate(timeout=30)
    assert kernel.process.returncode == 9
    assert kernel.nothing_is_left()
    assert is_closed(log_dir)


def test_a_handler_of_the_users_for_sigterm_is_left_alone(log_dir: Path) -> None:
    kernel = Kernel(log_dir, "handler")
    os.kill(kernel.process.pid, signal.SIGTERM)
    kernel.process.communicate(timeout=30)
    assert kernel.process.returncode == 9
    assert kernel.nothing_is_left()
    assert is_closed(log_dir)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_workers_die_with_the_kernel_however_it_dies(log_dir: Path, number: int) -> None:
    kernel = Kernel(log_dir, "run")
    os.kill(kernel.process.pid, number)
    kernel.process.communicate(timeout=30)
    assert kernel.process.returncode == -number
    assert kernel.nothing_is_left()
    past = flowdsl.load_runs(log_dir)[0]
    assert past.state == "interrupted"
    assert set(past.attempts["cause"]) == {"process_died"}
    check_batches(read_journal(past.dir).batches, max_workers=5, ended=False)


def test_workers_end_when_the_kernel_ends_in_the_middle_of_a_run(log_dir: Path) -> None:
    kernel = Kernel(log_dir, "exit")
    kernel.process.communicate(timeout=30)
    assert kernel.process.returncode == 5
    assert kernel.nothing_is_left()
    assert is_closed(log_dir)


CELLS = [
    """
    import os
    from flowdsl import Flow
    factor = 3
    twice = lambda x: 2 * x

    class Point:
        def __init__(self, x):
            self.x = x

    class Fault(Exception):
        pass

    flow = Flow("cells", isolation="process", log_dir="logs")
    """,
    """
    @flow.task
    def point():
        return Point(twice(factor))

    @flow.task
    def fails(point):
        raise Fault(point.x)

    @flow.task
    def where():
        return os.getpid()
    """,
    """
    run = flow.run(display=None, raise_on_failure=False)
    fault = run.failures[0].exception
    print(isinstance(run["point"], Point), run["point"].x, isinstance(fault, Fault), fault.args)
    worker = run["where"]
    """,
    """
    factor = 5
    twice = lambda x: -x

    @flow.task
    def point():
        return Point(twice(factor) + 100)
    """,
    """
    run = flow.run(display=None, raise_on_failure=False)
    print(run["point"].x)
    """,
]


def test_functions_globals_and_classes_of_cells_work_and_new_ones_replace_them(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook: Any = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(textwrap.dedent(source)) for source in CELLS]
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": "."}})
    client.execute()
    said = "".join(o.text for cell in notebook.cells for o in cell.outputs if o.get("name") == "stdout")
    assert said == "True 6 True (6,)\n95\n"


def test_a_restart_of_the_kernel_during_a_run_leaves_no_worker(tmp_path: Path) -> None:
    manager = pytest.importorskip("jupyter_client.manager")
    number = "77.%d" % os.getpid()
    source = """
    import subprocess, flowdsl
    flow = flowdsl.Flow("restarted", isolation="process", log_dir="logs")
    flow.task(name="program")(lambda: subprocess.run(["sleep", "%s"]))
    going = flow.start(display=None)
    """
    kernel, client = manager.start_new_kernel()
    try:
        client.execute_interactive(textwrap.dedent(source) % number, timeout=60)
        assert wait_until(lambda: running(number) == ["sleep " + number])
        kernel.restart_kernel(now=True)
        assert wait_until(lambda: running(number) == [], 2)
        assert flowdsl.load_runs(tmp_path / "logs")[0].state == "interrupted"
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
        kernel.cleanup_resources()


FORKS = """
    import os, sys, flowdsl
    flow = flowdsl.Flow("forks", log_dir=sys.argv[1], isolation="process")
    flow.task(name="pid")(os.getpid)
    first = flow.run(display=None)["pid"]
    child = os.fork()
    if not child:
        os._exit(0 if flow.run(display=None)["pid"] != first else 1)
    print(os.waitpid(child, 0)[1], flow.run(display=None)["pid"] == first)
"""


def test_a_fork_of_the_kernel_has_workers_of_its_own(log_dir: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(FORKS), str(log_dir)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "0 True\n")
