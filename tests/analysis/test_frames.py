"""The three frames: columns, dtypes and values, whatever the run."""

from __future__ import annotations

from typing import Any, Dict, List

import pandas as pd
import pytest

from flowdsl.analysis.frames import attempts_frame, events_frame, tasks_frame
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.snapshot import fold
from flowdsl.engine.states import CAUSES, MECHANISMS, TASK_STATES
from tests.analysis.journals import (
    START,
    added,
    batches,
    eventful,
    ready,
    run_started,
    started,
    succeeded,
)

TIME = "datetime64[ns, UTC]" if pd.__version__.startswith("2.0.") else "datetime64[us, UTC]"

# What the public contract says, written out once more: a change of a name or of the order must not go unseen.
CONTRACT: Dict[str, str] = {
    "tasks": "run_id flow task map_index state cause cause_task attempts queued_at started_at ended_at"
    " wait_s duration_s worker error",
    "attempts": "run_id flow task map_index attempt state cause mechanism queued_at started_at ended_at"
    " wait_s duration_s cpu_s worker pid error_type error output_bytes",
    "events": "run_id flow task map_index seq at attempt event state cause cause_task",
}
DTYPES: Dict[str, str] = {
    **dict.fromkeys(("map_index", "attempts", "attempt", "seq", "pid", "output_bytes"), "Int64"),
    **dict.fromkeys(("queued_at", "started_at", "ended_at", "at"), TIME),
    **dict.fromkeys(("wait_s", "duration_s", "cpu_s"), "float64"),
    **dict.fromkeys(("state", "cause", "mechanism"), "category"),
    **dict.fromkeys(("run_id", "flow", "task", "cause_task", "worker", "error", "error_type", "event"), "string"),
}


def three_frames(*runs: Any) -> Dict[str, pd.DataFrame]:
    snapshots = [fold(run) for run in runs]
    logs = [(snapshot.run_id, snapshot.flow, run) for snapshot, run in zip(snapshots, runs)]
    return {"tasks": tasks_frame(snapshots), "attempts": attempts_frame(snapshots), "events": events_frame(logs)}


def records(frame: pd.DataFrame, *names: str) -> List[Any]:
    """The rows as tuples, with None for whatever kind of null a column has."""
    columns = [[None if pd.isna(value) else value for value in frame[name]] for name in names]
    return list(zip(*columns))


def at(seconds: float) -> pd.Timestamp:
    moment: pd.Timestamp = pd.Timestamp(START + seconds, unit="s", tz="UTC")
    return moment


FULL, EMPTY = three_frames(eventful()), three_frames()
OPEN = three_frames(eventful()[:3])


@pytest.mark.parametrize("name", list(CONTRACT))
@pytest.mark.parametrize("made", [FULL, EMPTY, OPEN], ids=["finished", "empty", "running"])
def test_columns_and_dtypes_are_those_of_the_contract(name: str, made: Dict[str, pd.DataFrame]) -> None:
    frame = made[name]
    assert list(frame.columns) == CONTRACT[name].split()
    assert {column: str(dtype).partition("[python]")[0] for column, dtype in frame.dtypes.items()} == {
        column: DTYPES[column] for column in frame.columns
    }


@pytest.mark.parametrize("name", list(CONTRACT))
def test_categories_hold_the_closed_lists(name: str) -> None:
    closed = {"state": list(TASK_STATES), "cause": list(CAUSES), "mechanism": list(MECHANISMS)}
    for column in closed.keys() & set(FULL[name].columns):
        assert list(EMPTY[name][column].cat.categories) == closed[column]
        assert list(FULL[name][column].cat.categories) == closed[column]


@pytest.mark.parametrize("name", list(CONTRACT))
def test_frames_of_several_runs_concatenate_to_the_same_dtypes(name: str) -> None:
    both = pd.concat([FULL[name], OPEN[name]], ignore_index=True)
    assert both.dtypes.to_dict() == FULL[name].dtypes.to_dict()
    together = three_frames(eventful(), eventful()[:3])[name]
    pd.testing.assert_frame_equal(together, both)


@pytest.mark.parametrize("name", list(CONTRACT))
def test_a_frame_may_be_changed_by_its_user(name: str) -> None:
    frame = three_frames(eventful())[name]
    frame.loc[0, "task"] = "mine"
    frame.insert(0, "note", "x")
    assert frame.loc[0, "task"] == "mine"


def test_tasks_have_a_row_each_with_state_cause_and_the_task_to_blame() -> None:
    assert records(FULL["tasks"], "run_id", "flow", "task", "state", "cause", "cause_task", "attempts") == [
        ("r1", "etl", "flights", "succeeded", "returned", None, 1),
        ("r1", "etl", "clean", "succeeded", "returned", None, 2),
        ("r1", "etl", "slow", "timed_out", "timeout", None, 1),
        ("r1", "etl", "report", "upstream_failed", "upstream_failed", "slow", 0),
    ]


def test_a_task_waits_for_its_first_attempt_and_lasts_as_long_as_its_last() -> None:
    assert records(FULL["tasks"], "queued_at", "started_at", "ended_at", "wait_s", "duration_s", "worker") == [
        (at(0), at(0.5), at(2.5), 0.5, 2.0, "thread-1"),
        (at(2.5), at(2.75), at(8), 0.25, 3.0, "thread-3"),
        (at(0), at(0.75), at(5.25), 0.75, 4.5, "thread-2"),
        (None, None, at(5.25), None, None, None),
    ]


def test_attempts_have_a_row_each_with_their_own_times() -> None:
    frame = FULL["attempts"]
    assert records(frame, "task", "attempt", "state", "cause", "mechanism", "error_type", "error") == [
        ("flights", 1, "succeeded", "returned", None, None, None),
        ("slow", 1, "timed_out", "timeout", "abandoned", None, None),
        ("clean", 1, "failed", "raised", None, "ValueError", "boom"),
        ("clean", 2, "succeeded", "returned", None, None, None),
    ]
    assert records(frame, "queued_at", "started_at", "ended_at", "wait_s", "duration_s") == [
        (at(0), at(0.5), at(2.5), 0.5, 2.0),
        (at(0), at(0.75), at(5.25), 0.75, 4.5),
        (at(2.5), at(2.75), at(3.75), 0.25, 1.0),
        (at(4.75), at(5), at(8), 0.25, 3.0),
    ]
    assert records(frame, "worker", "pid", "cpu_s", "output_bytes")[:2] == [
        ("thread-1", 77, 1.5, 12),
        ("thread-2", 77, None, None),
    ]


def test_what_runs_has_no_end_and_no_duration() -> None:
    assert records(OPEN["tasks"], "task", "state", "ended_at", "duration_s") == [
        ("flights", "running", None, None),
        ("clean", "pending", None, None),
        ("slow", "running", None, None),
        ("report", "pending", None, None),
    ]
    assert records(OPEN["attempts"], "state", "ended_at", "duration_s") == [("running", None, None)] * 2


def test_events_have_a_row_each_numbered_across_batches() -> None:
    frame = FULL["events"]
    assert frame["seq"].tolist() == list(range(sum(len(batch.events) for batch in eventful())))
    assert records(frame, "task", "at", "attempt", "event", "state", "cause", "cause_task")[-3:] == [
        ("report", at(5.25), None, "task_upstream_failed", "upstream_failed", "upstream_failed", "slow"),
        ("clean", at(8), 2, "attempt_succeeded", "succeeded", "returned", None),
        (None, at(8.25), None, "run_ended", "failed", "tasks_failed", "slow"),
    ]


def test_events_keep_the_numbers_of_the_journal_where_lines_are_missing() -> None:
    kept = [batch for batch in eventful() if batch.seq != 8]
    assert 8 not in events_frame([("r1", "etl", kept)])["seq"].tolist()


def test_a_map_instance_has_its_place_and_its_task_none() -> None:
    run = batches((0, run_started(), added("delays"), added("delays[3]"), added("x]"), added("delays[x]")))
    made = three_frames(run)
    assert records(made["tasks"], "task", "map_index") == [
        ("delays", None), ("delays[3]", 3), ("x]", None), ("delays[x]", None),
    ]  # fmt: skip
    assert records(made["events"], "map_index")[2] == (3,)


def test_an_instance_has_its_place_in_the_attempts_too() -> None:
    run = batches((0, run_started(), added("d[0]"), ready("d[0]"), started("d[0]")))
    assert records(three_frames(run)["attempts"], "task", "map_index") == [("d[0]", 0)]


def test_times_are_exact_to_the_microsecond() -> None:
    run = batches((0.123456, run_started(), added("a"), ready("a")), (0.123457, started("a")), (1.0, succeeded("a")))
    frame = three_frames(run)["tasks"]
    assert [stamp.microsecond for stamp in (frame["queued_at"][0], frame["started_at"][0])] == [123456, 123457]
    assert frame["wait_s"][0] == 0.000001


@pytest.mark.parametrize("second", [1_700_000_000, 2_200_000_000])  # in 2039 cutting off would no longer do
def test_no_microsecond_is_lost_on_the_way(second: int) -> None:
    micros = list(range(0, 1_000_000, 997))
    run = [Batch(seq, second + micro / 1e6, (added("a"),)) for seq, micro in enumerate(micros)]
    assert three_frames(run)["events"]["at"].dt.microsecond.tolist() == micros


def test_words_of_a_newer_flowdsl_are_null_and_not_an_error() -> None:
    frozen = Event("task_frozen", "a", 0, "pending", "frozen", "winter")
    assert records(three_frames(batches((0, added("a"), frozen)))["tasks"], "state", "cause") == [(None, None)]


@pytest.mark.parametrize("odd", ["x", 2**70, 1.5, True, [1, 2], {"a": 1}])
def test_a_value_of_the_wrong_kind_in_a_journal_costs_that_value_only(odd: Any) -> None:
    end = succeeded("a", output_bytes=odd, cpu_s=odd, worker=odd)
    run = batches((0, added("a"), ready("a"), started("a")), (1, end))
    frame = three_frames(run, run)["attempts"]
    assert frame.dtypes.to_dict() == FULL["attempts"].dtypes.to_dict()
    assert frame["pid"].tolist() == [77, 77]
