"""What comes in an order of chance, and comes in that of the tasks where that is asked for."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Any, List, Set

import pytest

import flowdsl
from flowdsl import Flow, RunFailed
from flowdsl.engine.snapshot import Snapshot
from flowdsl.views.rank import blamed, ranks, rows_in_order


@pytest.fixture
def stable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flowdsl.options, "stable_repr", True)


def two_maps(log_dir: Path) -> Flow:
    """Which map is known first, and which of their items fail first, is chance."""
    flow = Flow("two", log_dir=log_dir, fresh=True)

    def items() -> List[int]:
        time.sleep(random.random() / 50)
        return [1, 2, 3]

    def each(item: int) -> None:
        time.sleep(random.random() / 100)
        print("item", item)
        if item > 1:
            raise ValueError(f"no {item}")

    for side in ("left", "right"):
        flow.task(name=side)(items)
        flow.task(name=f"of {side}", depends_on={"item": side}, map="item")(each)
    flow.task(name="end", depends_on=["of left", "of right"])(lambda: None)
    return flow


@pytest.mark.slow
def test_two_maps_at_once_show_the_same_each_time(log_dir: Path, stable: None) -> None:
    pages: Set[Any] = set()
    for _ in range(6):
        with pytest.raises(RunFailed) as caught:
            two_maps(log_dir).run(display="none")
        run = caught.value.run
        bundle = run._repr_mimebundle_()
        pages.add((bundle["text/html"], bundle["text/plain"], str(caught.value), repr(run.failures)))
    assert len(pages) == 1
    (page,) = pages
    assert "first of left[1]" in page[0] and "because of of left" in page[0]
    assert re.findall(r"of (?:left|right)\[\d\]", page[2]) == ["of left[1]", "of left[2]", "of right[1]", "of right[2]"]


def test_items_stand_after_their_task_and_in_their_order(stable: None, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Snapshot()
    for name, of, index in (("a", "", None), ("b", "", None), ("b[1]", "b", 1), ("a[0]", "a", 0), ("b[0]", "b", 0)):
        row = run.tasks[name] = type("Row", (), {})()
        row.name, row.map_of, row.map_index = name, of, index
    assert [row.name for row in rows_in_order(run)] == ["a", "a[0]", "b", "b[0]", "b[1]"]
    assert sorted(ranks(run), key=ranks(run).__getitem__) == ["a", "a[0]", "b", "b[0]", "b[1]"]
    monkeypatch.setattr(flowdsl.options, "stable_repr", False)
    assert [row.name for row in rows_in_order(run)] == ["a", "b", "b[1]", "a[0]", "b[0]"]


def test_without_the_switch_the_first_that_failed_is_blamed(log_dir: Path) -> None:
    run = two_maps(log_dir).run(display="none", raise_on_failure=False)
    row = run.snapshot().tasks["end"]
    assert blamed(row, run.snapshot()) == row.cause_task != ""
