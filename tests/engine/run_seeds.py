"""Plays many random runs of the machine: `python tests/engine/run_seeds.py --seeds 20000 --first 0 --jobs 2`.

Prints how many a second; exits 1 and prints the seed when an invariant does not hold. One seed alone is
`--first SEED --seeds 1`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from multiprocessing import Pool
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

CHUNK = 100

if not __package__:  # run as a script, and again in every process that it starts
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


class Fault(NamedTuple):
    """A seed whose run went wrong, and how."""

    seed: int
    message: str


def play(chunk: Tuple[int, int]) -> Optional[Fault]:
    """The first fault among the seeds `chunk[0]` to `chunk[1] - 1`."""
    from tests.engine.chaos import run_seed

    for seed in range(*chunk):
        try:
            run_seed(seed)
        except Exception as exc:
            return Fault(seed, f"{type(exc).__name__}: {exc}")
    return None


def first_fault(first: int, seeds: int, jobs: int) -> Optional[Fault]:
    """The fault with the smallest seed that was found; the others may not have been played then."""
    last = first + seeds
    chunks = [(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
    if jobs == 1:
        return next((fault for fault in map(play, chunks) if fault), None)
    with Pool(jobs) as pool:
        return next((fault for fault in pool.imap(play, chunks) if fault), None)


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Play random runs of the machine.")
    parser.add_argument("--seeds", type=int, default=20_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    fault = first_fault(options.first, options.seeds, options.jobs)
    if fault is not None:
        print(f"seed {fault.seed} failed: {fault.message}")
        print(f"play it again: python tests/engine/run_seeds.py --first {fault.seed} --seeds 1 --jobs 1")
        return 1
    seconds = time.perf_counter() - began
    print(f"{options.seeds} seeds in {seconds:.1f} s: {options.seeds / seconds:.0f} seeds/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
