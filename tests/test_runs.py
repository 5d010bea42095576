"""Runs read back from disk: finished, running elsewhere, crashed, damaged, and many of them together."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, Iterable, Iterator, List

import numpy as np
import pandas as pd
import pytest

from flowdsl import Flow
from flowdsl.engine.events import Batch
from flowdsl.errors import ConfigError, TaskResultError
from flowdsl.past_run import PastRun
from flowdsl.runs import load_runs
from flowdsl.storage.journal import Journal
from flowdsl.storage.reading import read_journal
from tests.analysis.journals import eventful

FILE = "events.jsonl"


def write(log_dir: Path, run_id: str, batches: Iterable[Batch], close: bool = True) -> Journal:
    journal = Journal.create(log_dir, run_id)
    for batch in batches:
        journal.append(batch.events, batch.at)
    if close:
        journal.close()
    return journal


def later(batches: Iterable[Batch], seconds: float) -> List[Batch]:
    return [batch._replace(at=batch.at + seconds) for batch in batches]


def test_a_directory_that_does_not_exist_holds_no_runs(log_dir: Path) -> None:
    runs = load_runs(log_dir)
    assert (len(runs), list(runs), len(runs.tasks), len(runs.events), len(runs.summary), len(runs.damage)) == (
        0, [], 0, 0, 0, 0,
    )  # fmt: skip


def test_a_run_from_disk_has_the_frames_of_its_events(log_dir: Path) -> None:
    write(log_dir, "r1", eventful())
    (run,) = load_runs(str(log_dir))
    assert (run.id, run.flow, run.state, run.done, run.dir) == ("r1", "etl", "failed", True, log_dir / "r1")
    assert run.tasks["state"].tolist() == ["succeeded", "succeeded", "timed_out", "upstream_failed"]
    assert run.attempts["duration_s"].tolist() == [2.0, 4.5, 1.0, 3.0]
    assert run.events["seq"].tolist() == list(range(sum(len(batch.events) for batch in eventful())))
    assert run.utilisation()["busy_s"].sum() == 10.5
    assert run.critical_path()["task"].tolist()[:2] == ["flights", "clean"]


def test_a_run_from_disk_has_the_very_frames_of_the_run_in_memory(log_dir: Path) -> None:
    from flowdsl.analysis.frames import attempts_frame, events_frame, tasks_frame
    from flowdsl.engine.snapshot import fold

    write(log_dir, "r1", eventful())
    run, live = load_runs(log_dir)["r1"], fold(eventful())
    pd.testing.assert_frame_equal(run.tasks, tasks_frame([live]))
    pd.testing.assert_frame_equal(run.attempts, attempts_frame([live]))
    pd.testing.assert_frame_equal(run.events, events_frame([("r1", "etl", eventful())]))


def test_the_failures_of_a_past_run_name_the_tasks_that_failed_themselves(log_dir: Path) -> None:
    write(log_dir, "r1", eventful())
    (failure,) = load_runs(log_dir)["r1"].failures
    assert (failure.task, failure.state, failure.cause, failure.attempts) == ("slow", "timed_out", "timeout", 1)
    assert str(failure) == "task 'slow' timed_out (timeout)"


def test_a_timeline_of_a_past_run_draws_itself(log_dir: Path) -> None:
    write(log_dir, "r1", eventful())
    timeline = load_runs(log_dir)["r1"].timeline()
    assert timeline.frame["end_s"].tolist() == [2.5, 5.25, 3.75, 8.0]
    bundle = timeline._repr_mimebundle_()
    assert "<svg" in bundle["image/svg+xml"]
    assert "flights" in bundle["text/plain"]


def test_a_run_whose_process_died_is_interrupted_with_all_that_it_left_open(log_dir: Path) -> None:
    write(log_dir, "r1", eventful()[:4])
    run = load_runs(log_dir)["r1"]
    assert (run.state, run.done, run.snapshot().cause) == ("interrupted", True, "process_died")
    tasks = run.tasks.set_index("task")
    assert tasks["state"].tolist() == ["succeeded", "interrupted", "interrupted", "interrupted"]
    assert tasks["cause"].tolist() == ["returned", "process_died", "process_died", "process_died"]
    assert run.attempts["state"].tolist() == ["succeeded", "interrupted"]
    assert pd.isna(tasks.loc["slow", "ended_at"]) and pd.isna(tasks.loc["slow", "duration_s"])
    assert run.events["state"].iloc[-1] == "ready"  # the journal itself says no more than it did


def test_a_run_that_goes_on_shows_as_it_stands(log_dir: Path) -> None:
    journal = write(log_dir, "r1", eventful()[:4], close=False)
    try:
        run = load_runs(log_dir)["r1"]
        assert (run.state, run.done) == ("running", False)
        assert run.tasks["state"].tolist() == ["succeeded", "ready", "running", "pending"]
        assert run.timeline().frame["end_s"].max() > 1e6  # it has been running ever since
        assert load_runs(log_dir).summary[["ended_at", "duration_s"]].isna().all(axis=None)
    finally:
        journal.close()
    assert load_runs(log_dir)["r1"].state == "interrupted"


def test_a_run_that_another_process_writes_shows_as_it_stands(log_dir: Path, repository: Path) -> None:
    holder = (
        "import sys; from pathlib import Path; from tests.test_runs import write, eventful\n"
        "journal = write(Path(sys.argv[1]), 'r1', eventful()[:4], close=False)\n"
        "print('written', flush=True); sys.stdin.read()"
    )
    env = {**os.environ, "PYTHONPATH": str(repository)}
    command = [sys.executable, "-c", holder, str(log_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"written\n"
        assert load_runs(log_dir)["r1"].state == "running"
        other.kill()
        other.wait()
    assert load_runs(log_dir)["r1"].state == "interrupted"


def test_many_runs_make_one_frame_and_one_summary_oldest_first(log_dir: Path) -> None:
    write(log_dir, "newer", later(eventful("newer"), 3600.0))
    write(log_dir, "older", eventful("older")[:4])
    runs = load_runs(log_dir)
    assert [run.id for run in runs] == ["older", "newer"]
    assert runs.tasks["run_id"].tolist() == ["older"] * 4 + ["newer"] * 4
    assert runs.attempts["run_id"].tolist() == ["older"] * 2 + ["newer"] * 4
    assert runs.events["run_id"].nunique() == 2
    assert runs.summary[["run_id", "flow", "state", "tasks", "failed"]].values.tolist() == [
        ["older", "etl", "interrupted", 4, 0],
        ["newer", "etl", "failed", 4, 1],
    ]
    assert runs.summary["duration_s"].tolist()[1] == 8.25
    assert runs.tasks.dtypes.to_dict() == load_runs("nowhere").tasks.dtypes.to_dict()
    assert runs.summary.dtypes.to_dict() == load_runs("nowhere").summary.dtypes.to_dict()


def test_runs_are_found_by_id_by_its_beginning_and_by_place(log_dir: Path) -> None:
    for number, run_id in enumerate(["2026-a", "2026-ab", "2025-c"]):
        write(log_dir, run_id, later(eventful(run_id), number))
    runs = load_runs(log_dir)
    assert runs["2026-a"].id == "2026-a"
    assert runs["2025"].id == runs[-1].id == "2025-c"
    assert "2026-ab" in runs and runs[0] in runs and "2025" not in runs
    with pytest.raises(KeyError, match="'2026' is the beginning of 2 run ids: 2026-a, 2026-ab"):
        runs["2026"]
    with pytest.raises(KeyError, match=r"no run '2026-aab' in .*; did you mean '2026-ab'\?"):
        runs["2026-aab"]
    with pytest.raises(KeyError, match=r"`\.summary` lists the runs"):
        runs["x"]
    with pytest.raises(KeyError, match="no run ''"):
        runs[""]


def test_some_of_the_runs_have_the_frames_and_the_damage_of_those_alone(log_dir: Path) -> None:
    for number, run_id in enumerate(["r1", "r2", "r3"]):
        write(log_dir, run_id, later(eventful(run_id), number))
    with (log_dir / "r1" / FILE).open("ab") as file:
        file.write(b"not ours\n")
    with pytest.warns(UserWarning, match="1 damaged line"):
        runs = load_runs(log_dir)
    newest = runs[-2:]
    assert ([run.id for run in newest], newest[0].id, len(newest.damage)) == (["r2", "r3"], "r2", 0)
    assert newest.tasks["run_id"].unique().tolist() == newest.summary["run_id"].tolist() == ["r2", "r3"]
    assert len(runs[:1].damage) == 1
    assert runs[np.int64(-1)].id == "r3"
    with pytest.raises(TypeError):
        runs[1.0]  # type: ignore[call-overload]


def test_a_flow_is_asked_for_by_its_name(log_dir: Path) -> None:
    with pytest.raises(ConfigError, match=r"flow=flow 'etl': 0 tasks is not the name of a flow; give its `\.name`"):
        load_runs(log_dir, flow=Flow("etl"))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [3, None, ["logs"], b"logs", ""])
def test_what_is_no_directory_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^load_runs: log_dir=.* give (the directory|it) as str or Path"):
        load_runs(value)


def test_a_past_run_has_no_results_and_says_so(log_dir: Path) -> None:
    write(log_dir, "r1", eventful())
    run = load_runs(log_dir)["r1"]
    with pytest.raises(TaskResultError, match=r"does not hold the results of task 'clean' \(succeeded\); run it again"):
        run["clean"]
    with pytest.raises(KeyError, match=r"has no task 'clena'; did you mean 'clean'\?"):
        run["clena"]


def test_damaged_lines_are_counted_in_one_warning_and_listed(log_dir: Path) -> None:
    for run_id in ("r1", "r2"):
        write(log_dir, run_id, eventful(run_id))
        path = log_dir / run_id / FILE
        lines = path.read_bytes().splitlines(keepends=True)
        lines[9] = lines[9].replace(b"succeeded", b"sacceeded")
        path.write_bytes(b"".join(lines))
    with pytest.warns(UserWarning, match="^passed over 2 damaged lines in ") as caught:
        runs = load_runs(log_dir)
    assert len(caught) == 1
    assert Path(caught[0].filename) == Path(__file__)
    assert runs.damage["run_id"].tolist() == ["r1", "r2"]
    assert runs.damage["line"].tolist() == [10, 10]
    offset = sum(len(line) for line in (log_dir / "r1" / FILE).read_bytes().splitlines(keepends=True)[:9])
    assert runs.damage["offset"].tolist() == [offset, offset]
    assert runs.damage["reason"].str.contains("checksum").all()
    assert runs["r1"].tasks["state"].tolist() == ["running", "succeeded", "timed_out", "upstream_failed"]
    assert runs.damage.dtypes.to_dict() == load_runs("nowhere").damage.dtypes.to_dict()


def test_a_line_that_was_cut_off_by_a_kill_is_no_damage(log_dir: Path) -> None:
    write(log_dir, "r1", eventful()[:4])
    path = log_dir / "r1" / FILE
    path.write_bytes(path.read_bytes()[:-20])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_runs(log_dir)["r1"].state == "interrupted"


def test_what_else_lies_in_the_directory_is_passed_over(log_dir: Path) -> None:
    write(log_dir, "r1", eventful())
    (log_dir / "notes.txt").write_text("buy flour")
    (log_dir / FILE).write_text("{}\n")
    (log_dir / "empty").mkdir()
    (log_dir / "task_001.json").write_text("{}")
    (log_dir / "odd").mkdir()
    (log_dir / "odd" / FILE).mkdir()
    assert [run.id for run in load_runs(log_dir)] == ["r1"]


def test_a_file_in_which_nothing_is_ours_is_no_run(log_dir: Path) -> None:
    (log_dir / "other").mkdir(parents=True)
    (log_dir / "other" / FILE).write_text('{"event": "click"}\n{"event": "scroll"}\n')
    with pytest.warns(UserWarning, match="passed over 2 damaged lines"):
        runs = load_runs(log_dir)
    assert (len(runs), runs.damage["run_id"].tolist()) == (0, ["other", "other"])


def test_a_run_killed_before_its_first_line_is_interrupted_and_has_no_start(log_dir: Path) -> None:
    write(log_dir, "r1", [])
    runs = load_runs(log_dir)
    assert runs["r1"].state == "interrupted"
    assert runs.summary[["flow", "started_at"]].isna().all(axis=None)


def test_the_directory_names_the_run_even_when_it_was_copied(log_dir: Path) -> None:
    write(log_dir, "copy", eventful("original"))
    assert load_runs(log_dir)["copy"].tasks["run_id"].unique().tolist() == ["copy"]


def test_a_journal_that_cannot_be_read_is_damage_and_not_the_end(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log_dir, "r1", eventful())
    write(log_dir, "r2", eventful("r2"))

    def read(run_dir: Path) -> object:
        if run_dir.name == "r1":
            raise PermissionError("not yours")
        return read_journal(run_dir)

    monkeypatch.setattr("flowdsl.runs.read_journal", read)
    with pytest.warns(UserWarning, match="1 damaged"):
        runs = load_runs(log_dir)
    assert [run.id for run in runs] == ["r2"]
    assert runs.damage["reason"].tolist() == ["the journal cannot be read: not yours"]
    assert runs.damage["line"].isna().all()


@pytest.fixture
def readable() -> Iterator[Path]:
    """A directory that another user gets into: every pytest that begins closes the one where tests have theirs."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        for run_dir in path.iterdir():
            run_dir.chmod(0o700)


@pytest.mark.skipif(os.name != "posix", reason="permission bits are a thing of POSIX")
def test_runs_of_others_that_may_not_be_read_are_damage_and_not_the_end(readable: Path, repository: Path) -> None:
    log_dir = readable
    for run_id in ("r1", "r2"):
        write(log_dir, run_id, eventful(run_id))
        (log_dir / run_id / FILE).chmod(0o644)
    (log_dir / "r1").chmod(0o755)
    (log_dir / "r2").chmod(0o000)
    child = [sys.executable, str(repository / "tests" / "child_reading.py"), str(log_dir)]
    said = subprocess.run(child, capture_output=True, text=True, check=False)
    assert re.match(r"\['r1'\] \[\['r2', .the journal cannot be read: .Errno 13. Permission denied: ", said.stdout), (
        said
    )
    said = subprocess.run([*child, "etl"], capture_output=True, text=True, check=False)
    assert said.stdout == "['r1'] []\n", said


def test_a_run_that_is_removed_while_they_are_listed_is_not_there(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in ("r1", "r2"):
        write(log_dir, run_id, eventful(run_id))
    look = Path.open

    def remove(path: Path, *args: object) -> object:
        if path == log_dir / "r2" / FILE:
            path.unlink()
        return look(path, *args)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", remove)
    assert [run.id for run in load_runs(log_dir)] == ["r1"]


def test_reprs_say_what_there_is_and_escape_what_users_wrote(log_dir: Path) -> None:
    write(log_dir, "r1", eventful())
    runs = load_runs(log_dir)
    assert repr(runs) == f"<Runs in {str(log_dir)!r}: 1, newest 'r1'>"
    assert repr(runs["r1"]) == "<PastRun 'r1' of flow 'etl': failed, 4 tasks>"
    assert runs._ipython_key_completions_() == ["r1"]
    first = eventful()[0]
    event = first.events[0]._replace(detail={"run_id": "r2", "flow": "<img src=x onerror=alert(1)>"})
    write(log_dir, "r2", [first._replace(events=(event,))])
    assert "<img" not in load_runs(log_dir)._repr_html_()


def test_loading_runs_does_not_load_pandas() -> None:
    code = "import sys, flowdsl.runs as r; r.load_runs('nowhere'); assert 'pandas' not in sys.modules, 'pandas'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_past_run_is_made_of_a_log_alone(log_dir: Path) -> None:
    write(log_dir, "r1", eventful())
    assert PastRun(read_journal(log_dir / "r1")).state == "failed"


def test_a_past_run_counts_its_tasks_as_the_live_one_did(log_dir: Path) -> None:
    flow = Flow("maps", log_dir=log_dir)
    flow.task(name="items")(lambda: [1, 2, 3])
    flow.task(name="each", map="items")(lambda items: items)
    run = flow.run(display="none")
    assert repr(run).endswith("succeeded, 2 tasks>")
    assert repr(load_runs(log_dir)[-1]).endswith("succeeded, 2 tasks>")
