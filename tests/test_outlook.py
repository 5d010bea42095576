"""What a flow or a run would come to on other workers, as users ask for it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import List

import pytest

import flowdsl
from flowdsl import ConfigError, Flow


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    flow = Flow("etl", log_dir=log_dir)
    for number in range(4):
        flow.task(f"part {number}")(lambda: time.sleep(0.03))

    @flow.task(depends_on=[f"part {number}" for number in range(4)])
    def report() -> None:
        time.sleep(0.01)

    return flow


@pytest.mark.slow
def test_a_run_a_past_run_and_its_flow_have_plans_that_agree(flow: Flow, log_dir: Path) -> None:
    run = flow.run(max_workers=2, display="none")
    (past,) = flowdsl.load_runs(log_dir)
    assert tuple(past.what_if(4).numbers) == pytest.approx(tuple(run.what_if(4).numbers), abs=1e-5)
    assert tuple(flow.what_if(4).numbers) == pytest.approx(tuple(run.what_if(4).numbers), rel=0.01)
    one, four = run.what_if(1).numbers, run.what_if(4).numbers
    assert one.makespan_s == pytest.approx(one.work_s, abs=1e-5)
    assert four.makespan_s == pytest.approx(four.critical_path_s, abs=1e-5)
    assert four.makespan_s < one.makespan_s
    assert run.what_if(4).tasks["state"].tolist() == ["succeeded"] * 5
    assert run.what_if(4).timeline().svg().startswith("<svg")


def test_of_a_flow_that_never_ran_each_task_takes_a_second(flow: Flow) -> None:
    assert flow.what_if(2).numbers[:5] == (2, 3.0, 2.5, 2.0, 5.0)
    assert flow.what_if(2, targets="part 1").makespan_s == 1.0


@pytest.mark.slow
def test_a_mapped_task_has_as_many_items_as_last_time(log_dir: Path) -> None:
    flow = Flow("maps", log_dir=log_dir)

    @flow.task
    def files() -> List[int]:
        return [1, 2, 3]

    @flow.task(map="files")
    def size(files: int) -> None:
        time.sleep(0.02)

    assert len(flow.what_if(3).tasks) == 3
    run = flow.run(display="none")
    assert len(flow.what_if(3).tasks) == 5
    assert run.what_if(1).makespan_s >= 0.06
    assert run.what_if(3).makespan_s < run.what_if(1).makespan_s


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "5", None])
def test_a_number_of_workers_that_is_none_is_refused(wrong: object, flow: Flow) -> None:
    with pytest.raises(ConfigError, match="max_workers"):
        flow.what_if(wrong)  # type: ignore[arg-type]
    run = flow.run(display="none")
    with pytest.raises(ConfigError, match="max_workers"):
        run.what_if(wrong)  # type: ignore[arg-type]
