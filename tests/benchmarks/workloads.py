"""One measurement of processes, in a fresh one: `python -m tests.benchmarks.workloads CASE CONTENDER LOG_DIR`.

Every contender has two workers that have done work before, and have imported what the tasks need.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from time import perf_counter, thread_time
from typing import Any, Callable, Dict, List

SINGLE, ITEMS, PIECES, CONSUMERS = 1_000, 10_000, 64, 8
NUMBERS = 50_000_000 // 8


def nothing() -> int:
    return 0


def same(number: int) -> int:
    return number


def compute(number: int) -> int:
    """50 ms of the processor's time, in pure Python."""
    end = thread_time() + 0.05
    turns = 0
    while thread_time() < end:
        turns += 1
    return number


def make_array(numbers: int) -> Any:
    import numpy

    return numpy.ones(numbers)


def use_array(array: Any) -> float:
    return float(array.sum())


def _timed(work: Callable[[], List[Any]], expected: List[Any]) -> float:
    """Seconds of the second time: the first one is for the workers to get warm."""
    work()
    begun = perf_counter()
    found = work()
    took = perf_counter() - begun
    assert found == expected, "a wrong result"
    return took


# ---- flowdsl


def _run(flow: Any, names: List[str], **inputs: Any) -> List[Any]:
    run = flow.run(max_workers=2, display="none", **inputs)
    return [run[name] for name in names]


def _flow(log_dir: str, isolation: str = "process") -> Any:
    import flowdsl

    return flowdsl.Flow("benchmark", isolation=isolation, log_dir=log_dir)


def flowdsl_single(log_dir: str) -> float:
    flow = _flow(log_dir)
    names = ["t%d" % number for number in range(SINGLE)]
    for name in names:
        flow.task(name=name)(nothing)
    return _timed(lambda: _run(flow, names), [0] * SINGLE)


def flowdsl_compute(log_dir: str) -> float:
    flow = _flow(log_dir)
    names = ["t%d" % number for number in range(PIECES)]
    for number, name in enumerate(names):
        flow.task(name=name)(partial(compute, number))
    return _timed(lambda: _run(flow, names), list(range(PIECES)))


def flowdsl_map(log_dir: str) -> float:
    flow = _flow(log_dir)
    flow.task(name="items", map="number")(same)
    return _timed(lambda: list(_run(flow, ["items"], number=range(ITEMS))[0]), list(range(ITEMS)))


def flowdsl_array(isolation: str, log_dir: str) -> float:
    flow = _flow(log_dir, isolation)
    flow.task(name="array")(make_array)
    names = ["c%d" % number for number in range(CONSUMERS)]
    for name in names:
        flow.task(name=name)(use_array)
    return _timed(lambda: _run(flow, names, numbers=NUMBERS), [float(NUMBERS)] * CONSUMERS)


# ---- the others


def pool_single(log_dir: str) -> float:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:

        def work() -> List[Any]:
            return [future.result() for future in [pool.submit(nothing) for _ in range(SINGLE)]]

        return _timed(work, [0] * SINGLE)


def pool_items(log_dir: str) -> float:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:

        def work() -> List[Any]:
            return [future.result() for future in [pool.submit(same, number) for number in range(ITEMS)]]

        return _timed(work, list(range(ITEMS)))


def pool_array(log_dir: str) -> float:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:

        def work() -> List[Any]:
            array = pool.submit(make_array, NUMBERS).result()
            return [future.result() for future in [pool.submit(use_array, array) for _ in range(CONSUMERS)]]

        return _timed(work, [float(NUMBERS)] * CONSUMERS)


def joblib_compute(log_dir: str) -> float:
    import joblib

    with joblib.Parallel(2) as parallel:

        def work() -> List[Any]:
            return list(parallel(joblib.delayed(compute)(number) for number in range(PIECES)))

        took = _timed(work, list(range(PIECES)))
    joblib.externals.loky.get_reusable_executor().shutdown()
    return took


WORKLOADS: Dict[str, Dict[str, Callable[[str], float]]] = {
    "single": {"flowdsl": flowdsl_single, "pool": pool_single},
    "batched": {"flowdsl": flowdsl_map, "pool": pool_items},
    "compute": {"flowdsl": flowdsl_compute, "joblib": joblib_compute},
    "array": {
        "flowdsl": partial(flowdsl_array, "process"),
        "threads": partial(flowdsl_array, "thread"),
        "pool": pool_array,
    },
}


def main(case: str, contender: str, log_dir: str) -> None:
    """Print the seconds; an AssertionError where a result is wrong."""
    print(WORKLOADS[case][contender](log_dir))


if __name__ == "__main__":
    # As the module that it is: functions of `__main__` travel by value here and by name in a pool.
    from tests.benchmarks import workloads

    workloads.main(*sys.argv[1:])
