"""What processes cost: `python -m tests.benchmarks.processes`; docs/benchmarks.md says what the numbers mean."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Dict, List, NamedTuple, Optional, Sequence

from tests.benchmarks import machine
from tests.benchmarks.workloads import ITEMS, SINGLE, WORKLOADS

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds for one measurement

Repeat = Dict[str, float]  # seconds by contender


class Case(NamedTuple):
    """A workload: who runs it, and what is promised of the first contender against the second."""

    title: str
    contenders: Sequence[str]
    promise: str
    limit: float
    unit: float  # seconds are divided by it


CASES: Dict[str, Case] = {
    "single": Case("no-op tasks without edges, us a task", ("flowdsl", "pool"), "at most", 1.2, SINGLE * 1e-6),
    "batched": Case("no-op items of a map, us an item", ("flowdsl", "pool"), "at most", 0.3, ITEMS * 1e-6),
    "compute": Case("64 tasks of 50 ms of Python on 2 workers, s", ("flowdsl", "joblib"), "at most", 1 / 0.95, 1.0),
    "array": Case("a 50 MB array to 8 consumers, s", ("flowdsl", "threads", "pool"), "plus at most", 0.15, 1.0),
}


def main(arguments: Optional[Sequence[str]] = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.processes", description=__doc__)
    parser.add_argument("--cases", type=_cases, default=list(CASES), help="some of " + ",".join(CASES))
    parser.add_argument("--repeat", type=int, default=5, help="measurements of each; the median counts")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="flowdsl-benchmark-") as log_dir:
        print(machine.facts(log_dir), flush=True)
        print(f"2 workers, {options.repeat} repeat(s), each contender in turn, warm workers\n", flush=True)
        for name in options.cases:
            print(report(name, measured(name, options.repeat, log_dir)), flush=True)
        print(machine.facts(log_dir).splitlines()[-1])


def _cases(text: str) -> List[str]:
    unknown = [case for case in text.split(",") if case not in CASES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(CASES)}")
    return text.split(",")


def measured(name: str, times: int, log_dir: str) -> List[Repeat]:
    """Every contender in turn, each time in a fresh process."""
    there = [who for who in CASES[name].contenders if who != "joblib" or importlib.util.find_spec("joblib")]
    return [{who: _measured(name, who, log_dir) for who in there} for _ in range(times)]


def _measured(name: str, who: str, log_dir: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.workloads", name, who, log_dir]
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
    return float(answer.stdout.split()[-1])


def report(name: str, repeats: Sequence[Repeat]) -> str:
    """The medians, and how the first contender stands to the second: compared within a repeat, then their median."""
    case = CASES[name]
    lines = [case.title]
    for who in repeats[0]:
        seconds = [repeat[who] / case.unit for repeat in repeats]
        lines.append(f"  {who:10} {median(seconds):9.3f}  ({min(seconds):.3f} to {max(seconds):.3f})")
    first, second = case.contenders[:2]
    if second not in repeats[0]:
        return "\n".join([*lines, f"  {second} is not installed: nothing to compare with", ""])
    if case.promise == "plus at most":
        found = median(repeat[first] - repeat[second] for repeat in repeats)
        told = f"{found:+.3f} s against {second}, promised {case.limit:+.2f} at most"
    else:
        found = median(repeat[first] / repeat[second] for repeat in repeats)
        told = f"{found:.2f} x {second}, promised {case.limit:.2f} at most"
    return "\n".join([*lines, f"  {'met   ' if found <= case.limit else 'MISSED'} {told}", ""])


assert set(CASES) == set(WORKLOADS)

if __name__ == "__main__":
    main()
