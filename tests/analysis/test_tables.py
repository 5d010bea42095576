"""Every frame is documented twice, in its docstring and on its page, and both agree with what is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import pytest

from flowdsl.analysis import (
    critical,
    drift,
    history,
    occupancy,
    retries,
    schema,
    spending,
    summary,
    timeline,
    utilisation,
    waits,
)
from flowdsl.analysis.frames import attempts_frame, events_frame, tasks_frame
from flowdsl.analysis.schema import Column
from tests.analysis.tables import markdown_columns, rst_columns

FRAMES = [
    ("`tasks`", tasks_frame, schema.TASKS),
    ("`attempts`", attempts_frame, schema.ATTEMPTS),
    ("`events`", events_frame, schema.EVENTS),
    ("`critical_path()`", critical.critical_path, critical.COLUMNS),
    ("`utilisation()`", utilisation.utilisation, utilisation.COLUMNS),
    ("`timeline().frame`", timeline.timeline_frame, timeline.COLUMNS),
    ("`summary`", summary.summary_frame, summary.SUMMARY),
    ("`damage`", summary.damage_frame, summary.DAMAGE),
]


INSIGHTS = [
    ("A flow over time", history.durations_frame, history.COLUMNS),
    ("`time_by_task()`", spending.time_by_task, spending.COLUMNS),
    ("`slower_since()`", drift.slower_since, drift.COLUMNS),
    ("`wasted_retries()`", retries.wasted_retries, retries.COLUMNS),
    ("`occupancy()`", occupancy.occupancy, occupancy.COLUMNS),
    ("`waits()`", waits.waits, waits.COLUMNS),
]
PAGES = dict.fromkeys([heading for heading, _, _ in FRAMES], "frames.md")
ALL = [*FRAMES, *INSIGHTS]


@pytest.mark.parametrize(("heading", "function", "columns"), ALL, ids=[heading for heading, _, _ in ALL])
def test_the_docstring_lists_the_columns_in_their_order(heading: str, function: Any, columns: Sequence[Column]) -> None:
    assert rst_columns(function.__doc__) == [(column.name, column.kind) for column in columns]


@pytest.mark.parametrize(("heading", "function", "columns"), ALL, ids=[heading for heading, _, _ in ALL])
def test_the_page_lists_the_columns_in_their_order(
    heading: str, function: Any, columns: Sequence[Column], repository: Path
) -> None:
    page = (repository / "docs" / PAGES.get(heading, "insight.md")).read_text(encoding="utf-8")
    assert markdown_columns(page, heading) == [(column.name, column.kind) for column in columns]
