"""The benchmark of processes: its workloads come to the right results, and it says what is met."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from flowdsl.executors import processes as pools
from tests.benchmarks import processes, workloads

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only"),
    pytest.mark.slow,
]


@pytest.mark.parametrize(("case", "who"), [(case, who) for case, all_ in workloads.WORKLOADS.items() for who in all_])
def test_every_contender_comes_to_the_right_results(
    case: str, who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec(who if who == "joblib" else "numpy") is None:
        pytest.skip("joblib is in the extra `bench` only")
    for name, few in {"SINGLE": 5, "ITEMS": 50, "PIECES": 2, "CONSUMERS": 2, "NUMBERS": 100_000}.items():
        monkeypatch.setattr(workloads, name, few)
    try:
        assert workloads.WORKLOADS[case][who](str(tmp_path)) > 0
    finally:
        pools.close_shared()


def test_a_promise_is_judged_by_the_median_of_what_was_compared_within_a_repeat() -> None:
    repeats = [{"flowdsl": 1.0, "pool": 2.0}, {"flowdsl": 1.0, "pool": 1.0}, {"flowdsl": 9.0, "pool": 3.0}]
    assert "met    1.00 x pool, promised 1.20 at most" in processes.report("single", repeats)
    assert "MISSED 1.00 x pool, promised 0.30 at most" in processes.report("batched", repeats)
    added = [{"flowdsl": 1.1, "threads": 1.0}, {"flowdsl": 1.18, "threads": 1.0}]
    assert "met    +0.140 s against threads" in processes.report("array", added)


def test_what_is_not_installed_is_left_out() -> None:
    assert "joblib is not installed" in processes.report("compute", [{"flowdsl": 1.0}])
