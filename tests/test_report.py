"""`run.report(...)` for every kind of run."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

import flowdsl
from flowdsl import Flow, current
from flowdsl.cli import main


def flow() -> Flow:
    made = Flow("bakery")

    @made.task(tags="ingest")
    def orders() -> int:
        return 7

    @made.task(depends_on="orders")
    def audit(orders: int, least: int = 9) -> None:
        raise ValueError(f"an order of {orders} loaves is too small")

    return made


def test_a_run_that_failed_and_its_log_have_the_same_page_but_for_the_inputs_box(log_dir: Path) -> None:
    run = flow().run({"least": 8}, log_dir=log_dir, display="none", raise_on_failure=False)
    live = run.report("live.html").read_text(encoding="utf-8")
    past = flowdsl.load_runs(log_dir)[-1].report(Path("past.html")).read_text(encoding="utf-8")
    for page in (live, past):
        assert "an order of 7 loaves is too small" in page
        assert "Traceback (most recent call last)" in page
        assert "inputs given" in page
        assert ">least<" in page
        assert ">ingest</text>" in page
    assert live.partition("<h2>Failures")[2] == past.partition("<h2>Failures")[2]


def test_a_run_that_goes_on_has_a_page_as_it_stands(log_dir: Path) -> None:
    going, may_end = threading.Event(), threading.Event()
    made = Flow("going")

    @made.task
    def waits() -> None:
        going.set()
        while not may_end.wait(0.01):
            current().check()

    run = made.start(log_dir=log_dir, display="none")
    try:
        assert going.wait(20)
        page = run.report("going.html").read_text(encoding="utf-8")
        assert "flow going: running" in page
        assert "as of " in page
        assert "running" in flowdsl.load_runs(log_dir)[-1].report("other.html").read_text(encoding="utf-8")
    finally:
        may_end.set()
        run.wait()


def test_a_place_that_cannot_be_written_is_an_error_with_its_name(log_dir: Path) -> None:
    run = flow().run(log_dir=log_dir, display="none", raise_on_failure=False)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run.report("nowhere/report.html")


def test_the_command_writes_a_page(log_dir: Path) -> None:
    run = flow().run(log_dir=log_dir, display="none", raise_on_failure=False)
    done = CliRunner().invoke(main, ["report", "last", "--dir", str(log_dir)])
    assert (done.exit_code, done.output.strip()) == (0, f"{run.id}.html")
    assert "too small" in Path(f"{run.id}.html").read_text(encoding="utf-8")
    named = CliRunner().invoke(main, ["report", run.id[:19], "--dir", str(log_dir), "-o", "page.html"])
    assert (named.exit_code, named.output.strip()) == (0, "page.html")


def test_the_command_names_what_it_cannot_find(log_dir: Path) -> None:
    done = CliRunner().invoke(main, ["report", "nobody", "--dir", str(log_dir)])
    assert done.exit_code == 2
    assert "no runs in" in done.output
