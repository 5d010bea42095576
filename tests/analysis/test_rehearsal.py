"""Runs played on a virtual clock: what their journals tell is what was played, by the rules of the machine."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import List, Tuple

import pytest

import flowdsl
from flowdsl import Flow, LogWriteError, Retry
from flowdsl.analysis.rehearsal import Played, rehearse
from flowdsl.engine.check import check_batches
from flowdsl.storage.reading import read_journal

NIGHT = datetime(2026, 10, 5, 2, 0, tzinfo=timezone.utc)


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    flow = Flow("nightly", limits={"db": 1}, log_dir=log_dir)

    @flow.task
    def stores() -> List[str]:
        raise AssertionError("no function is called")

    @flow.task(map="stores", uses="db", retries=Retry(1, delay=10))
    def sales(stores: str) -> None: ...

    @flow.task(timeout=60)
    def stock() -> None: ...

    @flow.task
    def report(sales: List[None], stock: None) -> None: ...

    return flow


def steady(task: str, attempt: int) -> Played:
    return Played(10.0)


def test_a_night_is_played_by_the_rules_and_told_like_any_run(flow: Flow, log_dir: Path) -> None:
    run_dir = rehearse(flow.graph(), steady, begin=NIGHT, log_dir=log_dir, sizes={"sales": 3})
    check_batches(read_journal(run_dir).batches, max_workers=5, limits=flow.limits)
    (run,) = flowdsl.load_runs(log_dir)
    assert (run.state, run.flow) == ("succeeded", "nightly")
    summary = flowdsl.load_runs(log_dir).summary
    assert summary["started_at"].tolist() == [NIGHT]
    assert summary["duration_s"].tolist() == [50.0]  # the limit lets one item in at a time
    attempts = run.attempts
    assert set(attempts["worker"]) == {"worker-1", "worker-2"}
    assert attempts["task"].tolist()[-1] == "report"


def test_failures_retries_and_timeouts_are_as_they_are_played(flow: Flow, log_dir: Path) -> None:
    calls: List[Tuple[str, int]] = []

    def play(task: str, attempt: int) -> Played:
        calls.append((task, attempt))
        if task == "sales[1]":
            return Played(5.0, "ConnectionError" if attempt == 1 else "")
        return Played(1_000.0 if task == "stock" else 10.0)

    rehearse(flow.graph(), play, begin=NIGHT, log_dir=log_dir, sizes={"sales": 2})
    (run,) = flowdsl.load_runs(log_dir)
    tasks = run.tasks.set_index("task")["state"].astype(str).to_dict()
    assert tasks["sales[1]"] == "succeeded" and tasks["stock"] == "timed_out" and tasks["report"] == "upstream_failed"
    failed = run.attempts[run.attempts["error_type"].notna()]
    assert list(zip(failed["task"], failed["error_type"], failed["duration_s"])) == [
        ("stock", "TaskTimeout", 60.0),
        ("sales[1]", "ConnectionError", 5.0),
    ]
    assert len(calls) == len(set(calls))


def test_the_same_night_is_the_same_byte_for_byte(flow: Flow, tmp_path: Path) -> None:
    graph = flow.graph()
    nights = [rehearse(graph, steady, begin=NIGHT, log_dir=tmp_path / name) for name in ("one", "two")]
    assert (nights[0] / "events.jsonl").read_bytes() == (nights[1] / "events.jsonl").read_bytes()


def test_a_moment_without_a_zone_is_utc_and_a_number_counts_from_the_epoch(flow: Flow, tmp_path: Path) -> None:
    moments = (NIGHT, NIGHT.replace(tzinfo=None), NIGHT.timestamp(), NIGHT.astimezone(timezone(timedelta(hours=5))))
    names = {rehearse(flow.graph(), steady, begin=at, log_dir=tmp_path / str(n)).name for n, at in enumerate(moments)}
    assert len(names) == 1


def test_two_runs_of_a_flow_do_not_begin_at_one_moment(flow: Flow, log_dir: Path) -> None:
    rehearse(flow.graph(), steady, begin=NIGHT, log_dir=log_dir)
    with pytest.raises(LogWriteError):
        rehearse(flow.graph(), steady, begin=NIGHT, log_dir=log_dir)


def test_rehearsals_are_part_of_the_history_of_the_flow(flow: Flow, log_dir: Path) -> None:
    for day in range(3):
        rehearse(flow.graph(), steady, begin=NIGHT + timedelta(days=day), log_dir=log_dir, sizes={"sales": 4})
    assert len(flow.history()) == 3
    assert flow.what_if(1).makespan_s == pytest.approx(70.0)
