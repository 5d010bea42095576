"""How busy the workers were."""

from __future__ import annotations

import pandas as pd

from flowdsl.analysis.utilisation import utilisation
from flowdsl.engine.snapshot import Snapshot, fold
from tests.analysis.journals import added, batches, eventful, ready, run_started, started


def test_the_busiest_worker_comes_first_with_its_share_of_the_run() -> None:
    frame = utilisation(fold(eventful()))
    assert frame[["worker", "attempts", "busy_s"]].values.tolist() == [
        ["thread-2", 1, 4.5],
        ["thread-1", 2, 3.0],
        ["thread-3", 1, 3.0],
    ]
    assert frame["share"].tolist() == [round(busy / 8.25, 6) for busy in (4.5, 3.0, 3.0)]


def test_what_runs_counts_up_to_the_last_event() -> None:
    frame = utilisation(fold(eventful()[:4])).set_index("worker")
    assert frame.loc["thread-2", "busy_s"] == 1.75
    assert frame.loc["thread-2", "share"] == 0.7


def test_an_unknown_worker_has_a_row_and_a_run_without_length_no_share() -> None:
    frame = utilisation(fold(batches((0, run_started(), added("a"), ready("a"), started("a", worker=None)))))
    assert frame["attempts"].tolist() == [1]
    assert frame["worker"].isna().all() and frame["share"].isna().all()


def test_a_run_without_attempts_has_no_rows_and_the_same_dtypes() -> None:
    empty = utilisation(Snapshot("r1", "etl"))
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, utilisation(fold(eventful())).dtypes)
