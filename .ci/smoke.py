"""A smoke run: a flow with a retry is run, drawn, written and read again; fails loudly."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

import flowdsl

calls = []
flow = flowdsl.Flow("smoke")


@flow.task
def numbers(n=4):
    return list(range(n))


@flow.task(retries=2)
def squares(numbers):
    calls.append("squares")
    if len(calls) < 3:
        raise ValueError("not yet")
    return [n * n for n in numbers]


@flow.task(depends_on="squares")
def total(squares):
    return sum(squares)


with tempfile.TemporaryDirectory() as folder:
    logs = Path(folder) / "tasks"
    run = flow.run(n=5, log_dir=logs)
    assert run["total"] == 30, run["total"]
    assert run.state == "succeeded", run.state
    past = flowdsl.load_runs(logs)
    for frame in (run.attempts, past.attempts):
        assert list(frame["task"]) == ["numbers", "squares", "squares", "squares", "total"], frame
    svg = flow.graph()._repr_mimebundle_()["image/svg+xml"]
    assert "<svg" in svg and "squares" in svg
print(f"smoke run on Python {platform.python_version()}: ok")
