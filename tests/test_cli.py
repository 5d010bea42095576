"""The command `flowdsl`: what it prints, what it writes, and the exit code that says how it went."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

import click
import pytest
from click.testing import CliRunner, Result

import flowdsl
from flowdsl.cli import main
from flowdsl.runtime.launch import source_file
from flowdsl.storage.reading import run_dirs
from tests.notebooks.files import write_notebook

Command = Callable[..., Result]
_numbers = itertools.count()

ETL = """
    from pathlib import Path
    from flowdsl import Retry, current, task

    @task
    def rows(n: int = 3, prefix="row"):
        return [f"{prefix} {i}" for i in range(n)]

    @task(retries=Retry(2))
    def shaky(rows):
        if current().attempt < 2:
            raise ConnectionError("nobody answered")
        return len(rows)

    @task
    def report(rows, shaky):
        return Path("out") / f"{len(rows)} rows.html"

    @task
    def broken(rows):
        return lookup({})

    def lookup(table):
        return table["nobody"]

    @task
    def after(broken):
        return broken

    run = report.run()
    print("never", run["report"])
"""


@pytest.fixture
def etl(own_directory: Path) -> str:
    """A script with a flow of five tasks, two of which cannot succeed."""
    return save(ETL)


def save(source: str) -> str:
    path = Path(f"etl_{next(_numbers)}.py")
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    return str(path)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs `flowdsl` with arguments in this process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    token = source_file.set(None)
    modules = set(sys.modules)

    def call(*args: str) -> Result:
        result = CliRunner().invoke(main, list(args))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    yield call
    source_file.reset(token)
    for name in set(sys.modules) - modules:
        if name.startswith(("etl_", "bakery")):
            del sys.modules[name]


def logged() -> List[Path]:
    return run_dirs("logs/tasks")


# ---- run


def test_a_run_that_succeeds_says_so_and_where_report_and_log_are(command: Command, etl: str) -> None:
    done = command("run", etl, "--target", "report")
    (log,) = logged()
    assert done.exit_code == 0
    assert "✓ 3 succeeded of 3 tasks; 4 attempts" in done.output
    shown = re.sub(" +", " ", done.output)
    assert " retried shaky (2 attempts)" in shown
    assert f" report {Path('out') / '3 rows.html'}" in shown
    assert f" log {log}" in shown
    assert "never" not in done.output
    assert f"{etl}: passed over 2 statements that start or need a run (lines 30-31)" in done.output


def test_a_run_that_fails_names_the_task_the_error_and_the_line(command: Command, etl: str) -> None:
    done = command("run", etl)
    assert done.exit_code == 1
    assert " failed broken: KeyError: 'nobody'" in re.sub(" +", " ", done.output)
    assert f'{etl}, line 24, in lookup: return table["nobody"]' in done.output
    assert " not run after" in re.sub(" +", " ", done.output)
    assert "Traceback" not in done.output


def test_a_notebook_is_run_and_its_failures_name_the_cell(command: Command) -> None:
    define = "from flowdsl import task\n%matplotlib inline"
    path = write_notebook(Path("broken.ipynb"), [define, "@task\ndef broken():\n    return 1 / 0", "broken.run()"])
    done = command("run", str(path))
    assert done.exit_code == 1
    assert "broken.ipynb: passed over 1 statement that starts or needs a run (cell 3)" in done.output
    assert "broken: ZeroDivisionError: division by zero" in done.output
    assert "broken.ipynb, cell 2, line 3, in broken: return 1 / 0" in done.output


@pytest.mark.parametrize(
    ("pairs", "result"),
    [
        ([], "['row 0', 'row 1', 'row 2']"),
        (["n=1"], "['row 0']"),
        (["n=1", "prefix=a=b"], "['a=b 0']"),
        (["n=1", 'prefix="7"'], "['7 0']"),
        (["n=1", "prefix=null"], "['None 0']"),
        (['rows=["x", 5]'], "['x', 5]"),
    ],
)
def test_inputs_are_json_where_they_can_be_and_text_elsewhere(
    pairs: List[str], result: str, command: Command, etl: str
) -> None:
    done = command("run", etl, "--target", "rows", *(word for pair in pairs for word in ("--input", pair)))
    assert (done.exit_code, f" rows {result}" in same_each_time(done.output)) == (0, True), done.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--target", "reprot"], "has no task 'reprot'; did you mean 'report'?"),
        (["--input", "prefx=x"], "takes the input 'prefx'; did you mean 'prefix'?"),
        (["--input", "prefix"], "'prefix' is not NAME=VALUE"),
        (["--input", "n=1", "--input", "n=2"], "'n' is given twice"),
        (["--executor", "process"], "'process' is not one of 'threads', 'processes', 'inline'"),
        (["--max-workers", "0"], "0 is not in the range x>=1"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(
    args: List[str], says: str, command: Command, etl: str
) -> None:
    done = command("run", etl, *args)
    assert done.exit_code == 2
    assert says in done.output
    assert "Traceback" not in done.output
    assert logged() == []


@pytest.mark.parametrize(
    ("source", "flow", "says"),
    [
        ("x = 1 / 0\n", "", "line 1: ZeroDivisionError: division by zero"),
        ("def f(:\n", "", "line 1: "),
        ("x = 1\n", "", "defines no tasks"),
        (ETL, ":elt", "has no flow 'elt'"),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused_in_one_line(
    source: str, flow: str, says: str, command: Command, own_directory: Path
) -> None:
    for what in ("run", "graph"):
        done = command(what, save(source) + flow)
        assert done.exit_code == 2
        (line,) = [line for line in done.output.splitlines() if "passed over" not in line]
        assert line.startswith("Error: ")
        assert says in line


def test_a_file_that_is_not_there_is_refused(command: Command) -> None:
    done = command("run", "nobody.py:etl")
    assert (done.exit_code, done.output) == (2, "Error: nobody.py cannot be read: No such file or directory\n")


def test_a_flow_is_named_after_a_colon(command: Command, own_directory: Path) -> None:
    path = save(
        """
        from flowdsl import Flow
        one, two = Flow("one"), Flow("two")
        @one.task
        def a(): return "this is one"
        @two.task
        def b(): return "this is two"
        """
    )
    assert "this is two" in command("run", f"{path}:two").output
    refused = command("run", path)
    assert (refused.exit_code, "has 2 flows: 'one', 'two'" in refused.output) == (2, True)


def test_a_file_with_a_colon_in_its_name_is_that_file(command: Command, own_directory: Path) -> None:
    path = Path(save(ETL)).rename("etl:day.py")
    assert command("graph", str(path)).exit_code == 0


def test_a_quiet_run_says_nothing_unless_it_fails(command: Command, etl: str) -> None:
    done = command("run", etl, "--quiet", "--target", "report")
    assert (done.exit_code, done.output) == (0, "")
    failed = command("run", etl, "-q")
    assert failed.exit_code == 1
    assert failed.output.startswith("✗ failed")


def test_options_of_a_run_reach_it(command: Command, etl: str) -> None:
    options = ["--executor", "inline", "--on-failure", "stop", "--max-workers", "1", "--log-dir", "elsewhere"]
    done = command("run", etl, *options)
    assert done.exit_code == 1
    assert logged() == []
    (past,) = flowdsl.load_runs("elsewhere")
    assert past.snapshot().info["file"] == str(Path(etl).resolve())
    assert {name: past.snapshot().info[name] for name in ("executor", "on_failure", "max_workers")} == {
        "executor": "inline",
        "on_failure": "stop",
        "max_workers": 1,
    }


def test_a_log_that_cannot_be_written_is_told_before_anything_runs(command: Command, etl: str) -> None:
    Path("logs").write_text("in the way", encoding="utf-8")
    done = command("run", etl, "-q")
    assert done.exit_code == 2
    assert done.output.startswith("Error: ")
    assert len(done.output.splitlines()) == 1


def test_a_thread_that_could_not_be_stopped_is_told_in_one_line(command: Command, own_directory: Path) -> None:
    path = save(
        """
        import threading
        from flowdsl import task
        release = threading.Event()
        @task(timeout=0.05)
        def deaf():
            while not release.is_set():
                try:
                    release.wait(5)
                except BaseException:
                    pass
        """
    )
    done = command("run", path)
    sys.modules[Path(path).stem].release.set()  # type: ignore[attr-defined]
    assert done.exit_code == 1
    (line,) = [line for line in done.output.splitlines() if line.startswith("Warning: ")]
    assert "'deaf' was stopped, but what it runs in cannot be killed" in line


# ---- graph


def test_a_graph_is_shown_as_text(command: Command, etl: str) -> None:
    done = command("graph", etl, "--target", "after")
    assert done.exit_code == 0
    assert done.output.splitlines()[1] == "rows → broken → after"
    assert logged() == []


@pytest.mark.parametrize(("suffix", "begins"), [("svg", "<svg"), ("html", "<!doctype html>"), ("dot", "digraph")])
def test_a_graph_is_written_as_a_picture(suffix: str, begins: str, command: Command, etl: str) -> None:
    done = command("graph", etl, "-o", f"etl.{suffix}")
    assert (done.exit_code, done.output) == (0, f"etl.{suffix}\n")
    assert begins in Path(f"etl.{suffix}").read_text(encoding="utf-8")[:200]


def test_a_picture_of_an_unknown_kind_is_refused(command: Command, etl: str) -> None:
    done = command("graph", etl, "-o", "etl.jpg")
    assert (done.exit_code, "'.jpg' is no kind of picture" in done.output) == (2, True)


def test_a_cycle_is_refused_with_its_path(command: Command, own_directory: Path) -> None:
    path = save("from flowdsl import task\n@task\ndef a(b): pass\n@task\ndef b(a): pass\n")
    for what in ("run", "graph"):
        done = command(what, path)
        assert (done.exit_code, "cycle: a -> b -> a" in done.output) == (2, True)


# ---- logs


@pytest.fixture
def two_runs(command: Command, etl: str) -> List[str]:
    """The ids of a run that succeeded and of one that failed."""
    command("run", etl, "-q", "--target", "report")
    command("run", etl, "-q")
    return [path.name for path in logged()]


def test_all_runs_are_listed_oldest_first(command: Command, two_runs: List[str]) -> None:
    lines = command("logs").output.splitlines()
    assert lines[0].split() == ["run", "flow", "state", "started", "duration", "tasks", "failed"]
    assert [line.split()[0] for line in lines[1:]] == two_runs
    assert ["succeeded" in lines[1], "failed" in lines[2]] == [True, True]


def test_the_tasks_of_one_run_are_shown(command: Command, two_runs: List[str]) -> None:
    for meant in ("last", two_runs[1], two_runs[1][:-2], os.path.join("logs", "tasks", two_runs[1])):
        lines = command("logs", meant).output.splitlines()
        states = {line.split()[0]: line.split()[1] for line in lines[1:]}
        assert states == {
            "rows": "succeeded",
            "shaky": "succeeded",
            "report": "succeeded",
            "broken": "failed",
            "after": "upstream_failed",
        }


def test_the_attempts_of_a_run_are_shown(command: Command, two_runs: List[str]) -> None:
    lines = command("logs", two_runs[0], "--attempts").output.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["rows", "1", "succeeded"],
        ["shaky", "1", "failed"],
        ["shaky", "2", "succeeded"],
        ["report", "1", "succeeded"],
    ]
    assert lines[2].endswith("nobody answered")


def test_the_events_of_a_run_are_shown_in_their_order(command: Command, two_runs: List[str]) -> None:
    lines = command("logs", "last", "--events").output.splitlines()
    assert [int(line.split()[0]) for line in lines[1:]] == list(range(len(lines) - 1))
    assert "run_started" in lines[1]
    assert "run_ended" in lines[-1]


def test_failures_are_shown_with_their_tracebacks(command: Command, two_runs: List[str]) -> None:
    shown = command("logs", "--failures").output
    assert f"{two_runs[1]}  broken: KeyError: 'nobody'" in shown
    assert 'return table["nobody"]' in shown
    assert two_runs[0] not in shown
    assert command("logs", two_runs[0], "--failures").output == "no failures\n"


@pytest.mark.parametrize(
    ("args", "rows", "keys"),
    [
        (["--json"], 2, {"run_id", "flow", "state", "started_at", "duration_s"}),
        (["last", "--json"], 5, {"run_id", "task", "state", "cause", "wait_s", "error"}),
        (["--tasks", "--json"], 8, {"run_id", "task", "map_index"}),
        (["last", "--attempts", "--json"], 5, {"task", "attempt", "mechanism", "cpu_s"}),
        (["--failures", "--json"], 1, {"run_id", "task", "error_type", "traceback"}),
    ],
)
def test_everything_can_be_had_as_json(
    args: List[str], rows: int, keys: Any, command: Command, two_runs: List[str]
) -> None:
    table = json.loads(command("logs", *args).output)
    assert len(table) == rows
    assert all(keys <= set(row) for row in table)


def test_times_in_json_are_utc_and_missing_values_null(command: Command, two_runs: List[str]) -> None:
    after = json.loads(command("logs", "last", "--json").output)[-1]
    assert (after["task"], after["started_at"], after["duration_s"], after["error"]) == ("after", None, None, None)
    run = json.loads(command("logs", "--json").output)[-1]
    assert run["started_at"].endswith("Z")
    assert isinstance(run["failed"], int)


@pytest.mark.parametrize(
    ("meant", "says"),
    [("2", "begins 2 run ids"), ("lats", "no run 'lats' in ./logs/tasks; try 'last'"), ("", "begins 2 run ids")],
)
def test_a_run_id_that_means_no_run_or_several_is_refused(
    meant: str, says: str, command: Command, two_runs: List[str]
) -> None:
    done = command("logs", meant)
    assert (done.exit_code, says in done.output) == (2, True), done.output


def test_a_whole_run_id_means_that_run_even_where_it_begins_another(command: Command, two_runs: List[str]) -> None:
    whole = two_runs[0]
    shutil.copytree(str(Path("logs/tasks") / whole), str(Path("logs/tasks") / (whole + "-copy")))
    shown = json.loads(command("logs", whole, "--json").output)
    assert {row["run_id"] for row in shown} == {whole}


def test_a_misspelt_run_id_is_answered_with_the_nearest(command: Command, two_runs: List[str]) -> None:
    done = command("logs", two_runs[0][:-1] + "x")
    assert (done.exit_code, f"did you mean '{two_runs[0]}'?" in done.output) == (2, True)


def test_a_directory_without_runs_is_no_fault_unless_one_is_asked_for(command: Command) -> None:
    for table in ("--runs", "--attempts", "--failures"):
        done = command("logs", table, "--dir", "nowhere")
        assert (done.exit_code, done.output) == (0, "no runs in nowhere; --dir says where to look\n")
    assert json.loads(command("logs", "--dir", "nowhere", "--json").output) == []
    done = command("logs", "last", "--dir", "nowhere")
    assert (done.exit_code, "no runs in nowhere" in done.output) == (2, True)


def test_a_damaged_line_is_told_and_the_rest_is_shown(command: Command, two_runs: List[str]) -> None:
    journal = Path("logs/tasks") / two_runs[1] / "events.jsonl"
    lines = journal.read_bytes().splitlines(True)
    journal.write_bytes(b"".join([*lines[:2], b"#" + lines[2][1:], *lines[3:]]))
    for args in (["logs"], ["logs", "last"]):
        done = command(*args)
        assert done.exit_code == 0
        assert len([line for line in done.output.splitlines() if line.startswith("Warning: ")]) == 1


def test_what_a_log_says_cannot_move_the_cursor(command: Command, own_directory: Path) -> None:
    path = save("from flowdsl import task\n@task\ndef bad(): raise ValueError('\\x1b[2J\\nnext')\n")
    outputs = [
        command("run", path).output,
        command("logs", "last").output,
        command("logs", "last", "--failures").output,
    ]
    assert not any("\x1b" in output for output in outputs)
    assert all("next" in output for output in outputs)


# ---- the page about it

_VARYING = [  # what is not the same twice, and what stands for it
    (r"\d{8}-\d{6}-\d{3}-bakery-[0-9a-f]{6}", "RUN"),
    (r"\d{4}-\d\d-\d\d ", ""),
    (r"\d\d:\d\d:\d\d", "TIME"),
    (r"\b(\d+ ms|\d\.\d s|0 s)", "TOOK"),
    (r"  slowest .*\n", ""),  # said only of what takes a hundredth of a second
    (r" +", " "),
    (r" \n", "\n"),
]


def same_each_time(text: str) -> str:
    for pattern, word in _VARYING:
        text = re.sub(pattern, word, text)
    return text.strip()


def test_the_page_shows_what_the_command_prints(command: Command, repository: Path) -> None:
    page = (repository / "docs" / "cli.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    Path("bakery.py").write_text(script, encoding="utf-8")
    shown = re.findall(r"```sh\nflowdsl ([^\n]*)\n```\n\n```text\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 7
    for line, text in shown:
        sys.modules.pop("bakery", None)
        assert same_each_time(command(*shlex.split(line)).output) == same_each_time(text), line


# ---- as a process of its own


def test_the_package_is_the_command_too(etl: str) -> None:
    done = subprocess.run([sys.executable, "-m", "flowdsl", "run", etl], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"KeyError" in done.stdout
    assert b"Traceback" not in done.stderr


def test_a_terminal_that_cannot_write_an_icon_gets_another_character(etl: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "flowdsl", "run", etl, "--target", "report"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0)
    assert b"? 3 succeeded of 3 tasks" in done.stdout


def test_the_help_names_every_command() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    assert all(name in shown for name in ("run", "graph", "logs"))
    assert isinstance(main, click.Group)


def test_the_version_is_that_of_the_package() -> None:
    assert flowdsl.__version__ in CliRunner().invoke(main, ["--version"]).output


def interrupted(path: str, *options: str) -> Tuple[int, str, str]:
    """Exit code, stdout and stderr of a run of the file, stopped by Ctrl-C once the file `begun` is there."""
    command = [sys.executable, "-m", "flowdsl", "run", path, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while not Path("begun").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "inline"])
def test_ctrl_c_cancels_the_run_and_says_so(executor: str, own_directory: Path) -> None:
    path = save(
        """
        import time
        from pathlib import Path
        from flowdsl import task

        @task
        def long():
            Path("begun").touch()
            for _ in range(1200):
                time.sleep(0.05)

        @task
        def after(long): pass
        """
    )
    code, out, err = interrupted(path, "--executor", executor)
    assert code == 130, err
    assert "cancelled" in out
    assert "Traceback" not in err
    (past,) = flowdsl.load_runs()
    assert (past.state, past.snapshot().cause) == ("cancelled", "keyboard_interrupt")


@pytest.mark.slow
def test_ctrl_c_tells_in_one_line_of_a_thread_that_goes_on(own_directory: Path) -> None:
    path = save(
        """
        import time
        from pathlib import Path
        from flowdsl import task

        @task
        def stuck():
            Path("begun").touch()
            time.sleep(5)

        @task
        def after(stuck): pass
        """
    )
    code, out, err = interrupted(path)
    assert code == 130, err
    (said,) = [line for line in err.splitlines() if "cannot be killed" in line]
    assert said.startswith("Warning: task 'stuck' was stopped")
    assert "AbandonedWarning" not in err
    assert " cancelled stuck not run after" in re.sub("\\s+", " ", out)


def test_a_missing_input_is_asked_for_in_the_words_of_the_command(command: Command) -> None:
    path = save("from flowdsl import task\n@task\ndef load(path): return path")
    done = command("run", path)
    assert done.exit_code == 2
    assert "input 'path' is missing" in done.output
    assert "give it: --input path=..." in done.output
