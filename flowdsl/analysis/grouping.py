"""Attempts by task over many runs: a mapped task with all its items is one task."""

from __future__ import annotations

from typing import Any, Iterator, Tuple

import pandas as pd

__all__ = ["by_task", "whole_task"]


def whole_task(tasks: Any) -> Any:
    """The names of tasks, each item as its mapped task: ``delays`` for ``delays[3]``. Names have no brackets else."""
    return tasks.str.replace(r"\[\d+\]$", "", regex=True).astype(tasks.dtype)


def by_task(attempts: pd.DataFrame) -> Iterator[Tuple[Any, str, pd.DataFrame]]:
    """(flow, task, its attempts) for each task of each flow, in the order in which they are met; a flow may be null."""
    groups = attempts.assign(task=whole_task(attempts["task"])).groupby(["flow", "task"], sort=False, dropna=False)
    for (flow, task), group in groups:
        yield (None if pd.isna(flow) else flow), str(task), group
