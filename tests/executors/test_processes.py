"""Faults of tasks and of workers, with real processes: each costs at most the attempt it hits, and leaves nothing."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any, Callable

import psutil
import pytest

import flowdsl
from flowdsl import Flow, Retry, RunFailed, TaskResultError
from flowdsl.engine.check import check_batches
from flowdsl.executors import processes
from flowdsl.executors.worker import PR_SET_CHILD_SUBREAPER
from flowdsl.storage.reading import read_journal
from tests.executors.hostile import Locked, OpensBadly, Sticky
from tests.executors.left import alive, running, wait_until

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left"),
    pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only"),
    pytest.mark.slow,
]


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("faults", log_dir=log_dir, isolation="process")


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    done = flow.run(display=None, raise_on_failure=False, **more)
    check_batches(read_journal(done.dir).batches, max_workers=more.get("max_workers", 5))
    return done


def row(done: flowdsl.Run, task: str, frame: str = "attempts") -> Any:
    return getattr(done, frame).set_index("task").loc[task]


def seconds(started: Any, ended: Any) -> float:
    return float((ended - started).total_seconds())


# ---- what tasks do that does not end


def sleep_long() -> None:
    time.sleep(77)


def swallow_everything() -> None:
    while True:
        try:
            time.sleep(77)
        except BaseException:
            continue


def catastrophic_regex() -> Any:
    return re.match(r"(a+)+$", "a" * 60 + "b")


def hold_the_lock_in_c() -> None:
    import ctypes

    ctypes.PyDLL(None).sleep(77)


def ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(77)


class Stuck:
    """Its pickling never comes to an end."""

    def __reduce__(self) -> Any:
        time.sleep(77)


def send_for_ever() -> Any:
    return Stuck()


@pytest.mark.parametrize(
    "stuck",
    [sleep_long, swallow_everything, catastrophic_regex, hold_the_lock_in_c, ignore_sigterm, send_for_ever],
)
def test_whatever_a_task_does_its_limit_kills_it_in_time(flow: Flow, stuck: Callable[[], Any]) -> None:
    flow.task(name="stuck", timeout=0.3)(stuck)
    flow.task(name="other")(os.getpid)
    done = run(flow)
    attempt = row(done, "stuck")
    assert (attempt["state"], attempt["cause"], attempt["mechanism"]) == ("timed_out", "timeout", "killed")
    assert 0.3 <= attempt["duration_s"] < 0.3 + 0.5
    assert not alive(attempt["pid"])
    assert done["other"] != attempt["pid"]
    assert "timed out after 0.3 s" in attempt["error"]


def test_a_limit_holds_while_a_worker_is_stopped_in_the_middle_of_sending(flow: Flow) -> None:
    class StopsHalfWay:
        """The first part of a long answer is on its way when the worker stops."""

        def __reduce__(self) -> Any:
            from flowdsl.executors import pipe

            def write_half(end: int, *pieces: memoryview) -> None:
                os.write(end, pieces[0][:1000])
                os.kill(os.getpid(), signal.SIGSTOP)

            pipe.write = write_half
            return (bytes, (b"x" * 10_000,))

    flow.task(name="half", timeout=0.3)(StopsHalfWay)
    attempt = row(run(flow), "half")
    assert (attempt["state"], attempt["mechanism"]) == ("timed_out", "killed")
    assert attempt["duration_s"] < 0.3 + 0.5


class SlowToPack:
    """Half a second goes by in Python code when it is pickled."""

    def __reduce__(self) -> Any:
        time.sleep(0.5)
        return (list, ())


def test_the_packing_of_an_argument_is_no_time_of_the_thread_task_beside_it(flow: Flow) -> None:
    flow.task("slow", isolation="thread")(SlowToPack)
    flow.task("takes")(lambda slow: len(slow))
    flow.task("quick", isolation="thread", timeout=0.25)(lambda slow: None)
    done = run(flow)
    assert done["takes"] == 0
    assert row(done, "quick")["state"] == "succeeded"


def test_a_timeout_is_retried_and_the_former_attempt_is_dead_by_then(flow: Flow, tmp_path: Path) -> None:
    first = tmp_path / "first"

    @flow.task(timeout=0.4, retries=1)
    def slow_once() -> bool:
        if not first.exists():
            first.write_text(str(os.getpid()))
            time.sleep(77)
        return psutil.pid_exists(int(first.read_text()))

    done = run(flow)
    assert done["slow_once"] is False
    assert list(done.attempts["state"]) == ["timed_out", "succeeded"]


@pytest.mark.parametrize("session", ["same", "new"])
def test_the_programs_that_a_task_started_die_with_it(flow: Flow, session: str) -> None:
    number = "77.%d%d" % (os.getpid(), session == "new")

    @flow.task(timeout=0.5)
    def starts() -> None:
        subprocess.Popen(["sleep", number], start_new_session=session == "new")
        subprocess.run(["sleep", number], check=False)

    attempt = row(run(flow), "starts")
    assert attempt["state"] == "timed_out"
    assert running(number) == []


BURIES_NOBODY = """
    import ctypes, os, subprocess, sys, time
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans become its children, and it never asks how they ended
    child = os.fork()
    if child:
        sys.exit(os.waitpid(child, 0)[1])

    import flowdsl
    log_dir, number = sys.argv[1:]
    flow = flowdsl.Flow("buries nobody", log_dir=log_dir, isolation="process")

    @flow.task(timeout=0.3)
    def starts():
        subprocess.Popen(["sleep", number])
        time.sleep(77)

    print(flow.run(display=None, raise_on_failure=False).attempts["duration_s"][0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there can a process stand in for the first one")
def test_a_limit_kills_in_time_where_nobody_buries_the_dead(log_dir: Path) -> None:
    """As in a container whose first process is a kernel or a script."""
    command = [sys.executable, "-c", textwrap.dedent(BURIES_NOBODY), str(log_dir), "77.%d" % os.getpid()]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
    assert 0.3 <= float(said) < 0.3 + 0.5


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are found on Linux only")
@pytest.mark.parametrize("how", ["timeout", "crash"])
def test_a_program_that_has_left_session_and_parent_dies_too(flow: Flow, how: str) -> None:
    number = "77.%d%d" % (os.getpid(), how == "crash")

    @flow.task(timeout=3.0 if how == "timeout" else 60.0)
    def daemon() -> None:
        code = "import subprocess, sys; subprocess.Popen(['sleep', sys.argv[1]], start_new_session=True)"
        subprocess.run([sys.executable, "-c", code, number], check=True)
        if how == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(77)

    attempt = row(run(flow), "daemon")
    assert attempt["cause"] == ("timeout" if how == "timeout" else "worker_died")
    assert running(number) == []


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are found on Linux only")
def test_a_program_dies_too_when_its_worker_is_dying_and_the_tree_has_broken_up(flow: Flow) -> None:
    number = "77.%d" % os.getpid()

    @flow.task
    def breaks_up() -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)  # as at its end: orphans go elsewhere,
        code = "import subprocess, sys; subprocess.Popen(['sleep', sys.argv[1]], start_new_session=True)"
        subprocess.run([sys.executable, "-c", code, number], check=True)
        os.closerange(3, 1000)  # and the pipes are closed, but it is not dead yet
        time.sleep(77)

    assert row(run(flow), "breaks_up")["cause"] == "worker_died"
    assert running(number) == []


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are found on Linux only")
def test_what_an_orphan_starts_while_it_is_looked_for_dies_too(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number, begun, real = "77.%d" % os.getpid(), tmp_path / "begun", psutil.process_iter

    @flow.task
    def crashes() -> None:
        code = "import signal, subprocess, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [10]); "
        code += "open(sys.argv[2], 'w'); signal.sigwait([10]); "
        code += "subprocess.Popen(['sleep', sys.argv[1][1:]], start_new_session=True); open(sys.argv[3], 'w'); "
        code += "signal.pause()"
        ready = str(begun) + " ready"
        subprocess.Popen([sys.executable, "-c", code, "x" + number, ready, str(begun)], start_new_session=True)
        assert wait_until(lambda: os.path.exists(ready))
        os.kill(os.getpid(), signal.SIGKILL)

    def listed_before_it_starts_another(*attributes: Any) -> Any:
        listed = list(real(*attributes))
        for process in listed:
            with contextlib.suppress(psutil.Error):
                if not begun.exists() and "x" + number in process.cmdline():
                    process.send_signal(10)
                    assert wait_until(begun.exists)
        return iter(listed)

    monkeypatch.setattr(psutil, "process_iter", listed_before_it_starts_another)
    run(flow)
    monkeypatch.undo()
    assert begun.exists()
    assert (running(number), running("x" + number)) == ([], [])


def test_what_a_task_leaves_behind_ends_with_its_attempt(flow: Flow) -> None:
    number = "77.%d" % os.getpid()

    @flow.task
    def leaves() -> str:
        subprocess.Popen(["sleep", number])
        return "done"

    @flow.task
    def after(leaves: str) -> int:
        return len(running(number))

    done = run(flow)
    assert (done["leaves"], done["after"]) == ("done", 0)


def test_cancel_ends_what_runs_waits_and_retries(flow: Flow, tmp_path: Path) -> None:
    number = "77.%d" % os.getpid()

    @flow.task
    def running_one() -> None:
        (tmp_path / "began").write_text("")
        subprocess.run(["sleep", number], check=False)

    @flow.task(retries=Retry(5, delay=30))
    def retries() -> None:
        raise OSError("again")

    @flow.task
    def queued(running_one: None) -> None:
        raise AssertionError("must not run")

    going = flow.start(display=None)
    assert wait_until((tmp_path / "began").exists)
    assert wait_until(lambda: going.snapshot().counts.get("retry_wait") == 1)
    going.cancel()
    assert going.wait(2)
    assert set(going.tasks["state"]) == {"cancelled"}
    attempt = row(going, "running_one")
    assert (attempt["mechanism"], alive(attempt["pid"])) == ("killed", False)
    assert running(number) == []
    check_batches(read_journal(going.dir).batches, max_workers=5)


def test_a_fault_of_our_own_leaves_nothing_running(flow: Flow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from flowdsl.runtime.driver import Driver

    @flow.task
    def runs() -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        time.sleep(77)

    def fails(self: Driver, reports: Any) -> None:
        assert wait_until((tmp_path / "pid").exists)
        self._give_up(ZeroDivisionError("planted"))

    monkeypatch.setattr(Driver, "_take", fails)
    with pytest.raises(flowdsl.InternalError):
        flow.run(display=None)
    assert wait_until(lambda: not alive(int((tmp_path / "pid").read_text())))


# ---- workers that die


@pytest.mark.parametrize(
    ("death", "name"),
    [
        (lambda: os._exit(1), "exit code 1"),
        (lambda: os._exit(0), "exit code 0"),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "SIGSEGV"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), "SIGTERM"),
        (lambda: __import__("ctypes").string_at(0), "SIGSEGV"),
        (lambda: os.abort(), "SIGABRT"),
    ],
)
def test_a_worker_that_dies_costs_its_attempt_and_is_named(flow: Flow, death: Any, name: str) -> None:
    @flow.task
    def bad() -> Any:
        return death()

    flow.task(name="beside")(lambda: 1)
    flow.task(name="next", depends_on=["bad"], run_when="all_done")(lambda: 2)
    done = run(flow)
    attempt = row(done, "bad")
    assert (attempt["state"], attempt["cause"], attempt["error_type"]) == ("failed", "worker_died", "WorkerDied")
    assert attempt["error"].endswith(name)
    assert (done["beside"], done["next"]) == (1, 2)
    assert seconds(attempt["ended_at"], row(done, "next")["ended_at"]) < 1
    with pytest.raises(TaskResultError) as caught:
        done["bad"]
    assert isinstance(caught.value.__cause__, flowdsl.WorkerDied)


def test_a_worker_that_shuts_its_pipes_and_lives_on_is_ended(flow: Flow) -> None:
    @flow.task
    def closes() -> None:
        os.closerange(3, 200)
        time.sleep(77)

    attempt = row(run(flow), "closes")
    assert (attempt["cause"], attempt["error_type"]) == ("worker_died", "WorkerDied")


def test_what_is_no_message_of_ours_costs_the_attempt_only(flow: Flow) -> None:
    @flow.task
    def writes_anywhere() -> None:
        for end in range(3, 50):
            try:
                os.write(end, b"hello, who is there?")
            except OSError:
                continue

    flow.task(name="other")(lambda: 1)
    done = run(flow, max_workers=1)
    assert row(done, "writes_anywhere")["cause"] == "worker_died"
    assert done["other"] == 1


def test_an_idle_worker_that_is_killed_costs_no_attempt(flow: Flow) -> None:
    flow.task(name="pid")(os.getpid)
    for _ in range(5):
        first = run(flow)["pid"]
        os.kill(first, signal.SIGKILL)
        done = run(flow)
        assert done["pid"] != first
        assert list(done.attempts["attempt"]) == [1]


def test_a_worker_that_cannot_start_is_an_error_after_five_tries(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    from flowdsl.executors import child

    monkeypatch.setattr(child, "BOOT", "raise SystemExit(%.0r%.0r%.0r%.0r%.0r%.0r)")
    flow.task(name="never")(int)
    done = run(flow)
    assert row(done, "never", "tasks")["cause"] == "worker_unavailable"
    assert len(done.attempts) == 0


@pytest.mark.parametrize(
    ("error", "name", "text"),
    [(lambda: Sticky(1, "told"), "Sticky", "told"), (Locked, "Locked", "has a lock")],
)
def test_an_exception_that_cannot_travel_is_told_as_text(flow: Flow, error: Any, name: str, text: str) -> None:
    @flow.task
    def bad() -> None:
        raise error()

    flow.task(name="other")(lambda: 1)
    with pytest.raises(RunFailed, match=r"(?s)%s: %s\n.*, in bad\n" % (name, text)) as caught:
        flow.run(display=None, max_workers=1)
    done = caught.value.run
    attempt = row(done, "bad")
    assert (attempt["error_type"], attempt["error"], done["other"]) == (name, text, 1)
    assert "in bad" in str(done.failures[0].traceback)


@pytest.mark.parametrize(("make", "text"), [(threading.Lock, "of type lock"), (OpensBadly, "not a number")])
def test_a_result_that_cannot_travel_is_a_failure_that_says_why(flow: Flow, make: Any, text: str) -> None:
    flow.task(name="bad")(lambda: make())
    flow.task(name="other")(lambda: 1)
    done = run(flow, max_workers=1)
    attempt = row(done, "bad")
    assert (attempt["state"], attempt["cause"]) == ("failed", "unpicklable")
    assert text in attempt["error"]
    assert done["other"] == 1


def test_an_argument_that_cannot_travel_is_a_failure_that_names_it(flow: Flow) -> None:
    flow.task(name="lock", isolation="thread")(threading.Lock)
    flow.task(name="takes", depends_on={"x": "lock"})(lambda x: x)
    attempt = row(run(flow), "takes")
    assert attempt["cause"] == "unpicklable"
    assert "argument 'x' (lock) cannot be pickled" in attempt["error"]


@pytest.mark.parametrize("megabytes", [1, 100])
def test_a_large_result_and_a_large_argument_arrive_whole(flow: Flow, megabytes: int) -> None:
    size = megabytes << 20
    flow.task(name="big")(lambda: os.urandom(1 << 20) * megabytes)
    flow.task(name="back", depends_on={"x": "big"})(lambda x: (len(x), x[-9:]))
    done = run(flow)
    assert done["back"] == (size, done["big"][-9:])


@pytest.mark.parametrize("how", [lambda: sys.exit(3), lambda: (_ for _ in ()).throw(KeyboardInterrupt)])
def test_a_task_that_wants_to_end_its_worker_politely_only_fails(flow: Flow, how: Any) -> None:
    @flow.task
    def bad() -> Any:
        how()

    flow.task(name="pid", depends_on=["bad"], run_when="all_done")(os.getpid)
    done = run(flow, max_workers=1)
    assert row(done, "bad")["cause"] == "raised"
    assert done["pid"] == row(done, "bad")["pid"], "the worker is still good"


def test_a_worker_pays_no_heed_to_an_interrupt(flow: Flow) -> None:
    @flow.task
    def interrupted() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        return "went on"

    assert run(flow)["interrupted"] == "went on"


def test_a_fork_after_a_pool_has_ended_keeps_the_files_that_were_opened_since() -> None:
    threads = set(threading.enumerate())
    pool = processes.ProcessPool(1)
    assert pool.submit(int, "7").result() == 7
    pool.shutdown()
    assert wait_until(lambda: threads.issuperset(threading.enumerate()))
    ends = [end for _ in range(8) for end in os.pipe()]  # they have the numbers that the pool's had
    child = os.fork()
    if not child:
        try:
            for end in ends:
                os.fstat(end)
            os._exit(0)
        except OSError:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    for end in ends:
        os.close(end)


def test_a_task_that_forks_answers_once(flow: Flow, tmp_path: Path) -> None:
    @flow.task
    def forks() -> str:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return "parent"
        for number in range(20):  # the child comes back too, with other files in the place of its parent's pipes
            os.open(str(tmp_path / ("file%d" % number)), os.O_CREAT | os.O_RDWR)
        return "child"

    assert run(flow)["forks"] == "parent"
    assert [file.stat().st_size for file in tmp_path.glob("file*")] == [0] * 20


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_forked_child_ends_as_it_would_anywhere_else(log_dir: Path, isolation: str) -> None:
    code = """
        import os, sys, warnings, flowdsl
        warnings.simplefilter("ignore")
        flow = flowdsl.Flow("forks", log_dir=sys.argv[1], isolation=sys.argv[2])

        def status_of(end):
            child = os.fork()
            return os.waitpid(child, 0)[1] >> 8 if child else end()

        flow.task(name="returns")(lambda: status_of(int))
        flow.task(name="exits")(lambda: status_of(lambda: sys.exit(4)))
        flow.task(name="raises")(lambda: status_of(lambda: 1 // 0))
        run = flow.run(display=None)
        print(run["returns"], run["exits"], run["raises"], "ZeroDivisionError" in run.output("raises"))
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(log_dir), isolation]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    assert done.stdout == "0 4 1 %s\n" % (isolation == "process")


def test_a_thousand_tasks_of_which_each_fifth_kills_its_worker(flow: Flow) -> None:
    for number in range(1000):
        how: Any = os._exit if number % 10 == 0 else lambda code: os.kill(os.getpid(), signal.SIGKILL)
        flow.task(name="t%d" % number)((lambda how=how: how(1)) if number % 5 == 0 else lambda: "fine")
    done = run(flow)
    failed = {"t%d" % number for number in range(0, 1000, 5)}
    tasks = done.tasks.set_index("task")
    assert set(tasks.index[tasks["state"] == "failed"]) == failed
    assert (tasks["state"] == "succeeded").sum() == 800
    assert set(tasks.loc[sorted(failed), "cause"]) == {"worker_died"}


def test_tasks_that_kill_their_worker_once_all_succeed(flow: Flow) -> None:
    def once(dies: bool) -> int:
        attempt = flowdsl.current().attempt
        if dies and attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return attempt

    for number in range(1000):
        flow.task(name="t%d" % number, retries=1)(lambda dies=number % 5 == 0: once(dies))
    done = run(flow)
    assert done.state == "succeeded"
    assert [done["t%d" % number] for number in range(1000)] == [2 if number % 5 == 0 else 1 for number in range(1000)]


def test_items_of_which_each_fifth_kills_its_worker(flow: Flow) -> None:
    @flow.task(map="number")
    def item(number: int) -> int:
        if number % 5 == 0:
            os._exit(1)
        return number

    done = run(flow, number=range(200))
    tasks = done.tasks[done.tasks["map_index"].notna()]
    failed = set(tasks.loc[tasks["state"] == "failed", "map_index"])
    assert failed == set(range(0, 200, 5))
    assert (tasks["state"] == "succeeded").sum() == 160
    assert set(tasks["attempts"]) == {1}, "those behind one that died went back free of charge"
    assert set(tasks.loc[tasks["state"] == "failed", "cause"]) == {"worker_died"}


def test_a_timeout_of_the_last_attempt_is_final_and_told_once(flow: Flow) -> None:
    flow.task(name="stuck", timeout=0.3, retries=1)(sleep_long)
    done = run(flow)
    attempts = done.attempts
    assert list(attempts["attempt"]) == [1, 2]
    assert list(attempts["state"]) == ["timed_out", "timed_out"]
    assert list(attempts["mechanism"]) == ["killed", "killed"]
    events = done.events[done.events["task"] == "stuck"]
    assert list(events["state"]).count("timed_out") == 1
    assert list(events["state"])[-1] == "timed_out"
