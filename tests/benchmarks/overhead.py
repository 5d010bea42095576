"""What flowdsl costs a task: `python -m tests.benchmarks.overhead`; docs/benchmarks.md says what the numbers mean."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, List, Optional, Sequence, Set

from tests.benchmarks import machine, tables
from tests.benchmarks.shapes import SHAPES
from tests.benchmarks.tables import Cases, Measured, Repeat

ROOT = Path(__file__).parents[2]
PATIENCE = 600  # seconds for one measurement; the slowest known one takes a tenth
DASK_LAYERS = 10_000  # beyond, dask takes gigabytes for layers


def main(arguments: Optional[Sequence[str]] = None) -> None:
    options = _options(arguments)
    contenders = ["flowdsl", "floor"] + ["dask"] * (importlib.util.find_spec("dask") is not None)
    cases: Cases = {}
    with tempfile.TemporaryDirectory(prefix="flowdsl-benchmark-", dir=options.log_dir) as log_dir:
        print(machine.facts(log_dir), flush=True)
        cores = _cores(options.one_core)
        print(f"on {len(cores)} core(s), {options.repeat} repeat(s), each contender in turn\n", flush=True)
        for shape in options.shapes:
            for size in options.sizes:
                cases[shape, size] = _repeats(contenders, shape, size, options.repeat, log_dir)
                print(tables.costs({(shape, size): cases[shape, size]}).splitlines()[-1], file=sys.stderr, flush=True)
        _print(cases)
        print(machine.facts(log_dir).splitlines()[-1])


def _options(arguments: Optional[Sequence[str]]) -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.overhead", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=[1_000, 10_000, 100_000], help="tasks, such as 1000,10000")
    parser.add_argument("--shapes", type=_shapes, default=list(SHAPES), help="some of " + ",".join(SHAPES))
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each; their median counts")
    parser.add_argument("--quick", action="store_true", help="10,000 tasks, once")
    parser.add_argument(
        "--one-core", action="store_true", help="pin everything to one core: no hand-over between cores"
    )
    parser.add_argument(
        "--log-dir", help="where the journals go and are removed from; default: the temporary directory"
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.sizes, options.repeat = [10_000], 1
    return options


def _sizes(text: str) -> List[int]:
    return [int(size.replace("_", "")) for size in text.split(",")]


def _shapes(text: str) -> List[str]:
    unknown = [shape for shape in text.split(",") if shape not in SHAPES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(SHAPES)}")
    return text.split(",")


def _cores(one: bool) -> Set[int]:
    """The cores that this process and its children may use."""
    if not hasattr(os, "sched_setaffinity"):
        return set(range(os.cpu_count() or 1))
    if one:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return os.sched_getaffinity(0)


def _repeats(contenders: Sequence[str], shape: str, size: int, times: int, log_dir: str) -> List[Repeat]:
    """Every contender in turn, so that what the machine does meanwhile strikes them all."""
    taking_part = [who for who in contenders if who != "dask" or shape != "layers" or size <= DASK_LAYERS]
    return [{who: _measured(who, shape, size, log_dir) for who in taking_part} for _ in range(times)]


def _measured(who: str, shape: str, size: int, log_dir: str) -> Measured:
    """One measurement in a process of its own: a clean heap, no threads left over, and a peak that is its own."""
    command = [sys.executable, "-m", "tests.benchmarks.measure", who, shape, str(size), log_dir]
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
    laps = json.loads(answer.stdout)
    micros = {part: seconds / size * 1e6 for part, seconds, _ in laps[1:]}
    return Measured(micros, (laps[-1][2] - laps[0][2]) / size)


def _print(cases: Cases) -> None:
    print(tables.costs(cases))
    if len({size for _, size in cases}) > 1:
        print("\n" + tables.growth(cases))
    print("\n" + "\n".join(tables.verdicts(cases)), end="\n\n")


if __name__ == "__main__":
    main()
