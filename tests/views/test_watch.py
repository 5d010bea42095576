"""What happened since somebody last looked."""

from __future__ import annotations

from typing import List

import pytest

from flowdsl.engine.events import Event
from flowdsl.engine.snapshot import Snapshot
from flowdsl.views.watch import Watch, error_line, running
from tests.views.samples import batches, begun, chain, failed, graph_of, started, story, succeeded


def followed(steps: list, every: int) -> List[tuple]:
    """What is told when somebody looks after every so many batches, and at the end."""
    snapshot, watch, news = Snapshot(), Watch(), []
    for at, batch in enumerate(steps, 1):
        snapshot.apply(batch)
        if at % every == 0:
            news += watch.news(snapshot)
    news += watch.news(snapshot)
    return [(item.task, item.attempt, item.state, item.final, item.error) for item in news]


@pytest.mark.parametrize("every", [1, 2, 3, 7, 1000])
def test_every_failure_is_told_once_however_seldom_one_looks(every: int) -> None:
    assert followed(story(), every) == [
        ("clean", 1, "failed", False, "KeyError: 'dep_tme'"),
        ("clean", 2, "failed", True, "KeyError: 'dep_tme'"),
    ]


@pytest.mark.parametrize("every", [1, 2, 3, 4, 1000])
def test_an_attempt_that_is_taken_back_makes_nobody_forget_or_repeat(every: int) -> None:
    graph = chain(4)
    steps = batches(
        *begun(graph), *started("t0", 1), failed("t0", 2), *started("t1", 2), *started("t2", 2),
        (3.0, Event("attempt_requeued", "t1", 1, "running", "ready", "requeued")),
        failed("t2", 4), *started("t1", 5), failed("t1", 6), *started("t3", 6), succeeded("t3", 7),
    )  # fmt: skip
    assert sorted(task for task, *_ in followed(steps, every)) == ["t0", "t1", "t2"]


def test_what_runs_is_listed_longest_first() -> None:
    snapshot = Snapshot()
    for batch in batches(*begun(chain(3)), *started("t1", 1), *started("t0", 2), *started("t2", 3), succeeded("t2", 4)):
        snapshot.apply(batch)
    assert [row.name for row in running(snapshot)] == ["t1", "t0"]


@pytest.mark.parametrize(
    ("kind", "message", "cause", "line"),
    [
        ("KeyError", "'x'", "raised", "KeyError: 'x'"),
        ("KeyError", "KeyError: 'x'", "raised", "KeyError: 'x'"),
        ("KeyError", "", "raised", "KeyError"),
        (None, "no", "raised", "no"),
        (None, None, "timeout", "the attempt outlived its `timeout`"),
        (None, None, "brand_new", "brand_new"),
    ],
)
def test_an_error_is_one_line(kind: str, message: str, cause: str, line: str) -> None:
    snapshot = Snapshot()
    for batch in batches(*begun(graph_of({"a": []})), *started("a", 1)):
        snapshot.apply(batch)
    attempt = snapshot.attempts[0]
    attempt.error_type, attempt.error, attempt.cause = kind, message, cause
    assert error_line(attempt) == line
