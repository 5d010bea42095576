"""One measurement in a fresh process: `python -m tests.benchmarks.measure CONTENDER SHAPE SIZE LOG_DIR`."""

from __future__ import annotations

import gc
import importlib
import json
import sys
from pathlib import Path

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.shapes import check, steps_of

# What a contender imports is no part of its cost.
MODULES = {
    "flowdsl": ("flowdsl.start", "flowdsl.run"),
    "floor": ("concurrent.futures.thread",),
    "dask": ("dask.threaded",),
}


def main(contender: str, shape: str, size: str, log_dir: str) -> None:
    """Print the laps as JSON; an AssertionError where a result is wrong."""
    for module in MODULES[contender]:
        importlib.import_module(module)
    steps = steps_of(shape, int(size))
    gc.collect()
    laps, results = CONTENDERS[contender](steps, Path(log_dir))
    check(steps, results)
    print(json.dumps(laps))


if __name__ == "__main__":
    main(*sys.argv[1:])
