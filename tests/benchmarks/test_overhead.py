"""The benchmark itself: what it measures is right, and it says so when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import tables
from tests.benchmarks.contenders import CONTENDERS, Laps, run_floor, run_flowdsl
from tests.benchmarks.shapes import SHAPES, check, results_of, steps_of
from tests.benchmarks.tables import Measured


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 2, 250])
def test_every_shape_has_its_size_and_names_parents_before_children(shape: str, size: int) -> None:
    steps = steps_of(shape, size)
    seen = set()
    for name, step in steps.items():
        assert seen.issuperset(step.parents)
        assert len(set(step.parents)) == len(step.parents)
        seen.add(name)
    assert len(steps) == size


@pytest.mark.parametrize("shape", SHAPES)
def test_contenders_come_to_the_results_of_plain_python(shape: str, tmp_path: Path) -> None:
    steps = steps_of(shape, 250)
    for run in (run_flowdsl, run_floor):
        laps, results = run(steps, tmp_path)
        check(steps, results)
        assert _parts(laps)[-2:] == ["graph", "run"]


def test_dask_comes_to_the_same_results(tmp_path: Path) -> None:
    pytest.importorskip("dask", reason="dask is in the extra `bench` only")
    steps = steps_of("layers", 250)
    _, results = CONTENDERS["dask"](steps, tmp_path)
    check(steps, results)


def test_a_wrong_result_is_told() -> None:
    steps = steps_of("tree", 31)
    results = results_of(steps)
    results["t30"] += 1
    with pytest.raises(AssertionError, match="task t30 came to"):
        check(steps, results)


def test_ratios_are_taken_within_a_repeat() -> None:
    repeats = [_repeat(10.0, 5.0), _repeat(100.0, 10.0), _repeat(90.0, 30.0)]
    assert tables.ratio(repeats, "flowdsl", "floor") == 3.0
    assert tables.whole(repeats, "flowdsl") == 90.0


def test_verdicts_speak_only_of_what_was_measured() -> None:
    lines = tables.verdicts({("chain", 10_000): [_repeat(6.1, 10.0)]})
    assert [line.partition(":")[0] for line in lines] == ["MISSED  chain", "met     chain"]


def _repeat(flowdsl: float, floor: float) -> dict[str, Measured]:
    return {
        "flowdsl": Measured({"graph": 0.0, "run": flowdsl}, 10.0),
        "floor": Measured({"graph": 0.0, "run": floor}, 1.0),
    }


def _parts(laps: Laps) -> list[str]:
    return [lap.part for lap in laps]
