"""Large buffers between processes: written once, mapped by every consumer, read-only, and gone with the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

import flowdsl
from flowdsl import Flow
from flowdsl.executors import buffers, sharing
from flowdsl.executors.space import Space, sweep
from tests.executors import gates
from tests.executors.arrays import SIZE, few_files, look, mapped, numbers
from tests.executors.left import shared_files

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left_in_the_end"),
    pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only"),
    pytest.mark.slow,
]
linux = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what is mapped is looked up in /proc")


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("sharing", log_dir=log_dir, isolation="process")


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    done = flow.run(display=None, **more)
    assert shared_files() == set(), "at the end of a run, not at that of the process"
    return done


# ---- written once, mapped by all


@linux
@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_all_consumers_map_the_same_file_read_only(flow: Flow, isolation: str) -> None:
    flow.task(name="made", isolation=isolation)(numbers)
    for number in range(8):
        flow.task(name="c%d" % number)(lambda made: look(made))
    done = run(flow, max_workers=3)
    seen = [done["c%d" % number] for number in range(8)]
    files = set.union(*(files for files, _, _ in seen))
    assert len(files) == 1 and "flowdsl-" in files.pop()
    assert {(writeable, total) for _, writeable, total in seen} == {(False, SIZE * (SIZE - 1) / 2)}
    assert done["made"].flags.writeable is (isolation == "thread")
    assert done["made"][-1] == SIZE - 1, "it stays although the file is gone"


@linux
def test_an_input_is_written_once_and_a_result_that_is_an_input_not_again(flow: Flow) -> None:
    flow.task(name="same")(lambda data: data)
    flow.task(name="again")(lambda same: (same, mapped(same.ctypes.data)))
    flow.task(name="other")(lambda data: mapped(data.ctypes.data))
    done = run(flow, data=numbers())
    again, files = done["again"]
    assert files == done["other"] and len(files) == 1
    assert mapped(done["same"].ctypes.data) == mapped(again.ctypes.data)


@linux
def test_frames_and_what_is_deep_inside_a_result_are_mapped_too(flow: Flow) -> None:
    @flow.task
    def made() -> Any:
        frame = pd.DataFrame({"a": np.arange(SIZE), "b": np.arange(SIZE) * 0.5, "text": ["x", "y"] * (SIZE // 2)})
        return {"frame": frame, "deep": [("array", numbers())], "small": np.zeros(10)}

    @flow.task
    def looks(made: Any) -> Any:
        array = made["deep"][0][1]
        columns = {name: mapped(made["frame"][name].to_numpy().ctypes.data) for name in ("a", "b")}
        return columns, mapped(array.ctypes.data), made["small"].flags.writeable, made["frame"]["text"].nunique()

    flow.task(name="twin")(lambda made: looks(made))
    flow.task(name="part", depends_on={"frame": made["frame"]})(lambda frame: float(frame["b"].sum()))
    done = run(flow)
    columns, array, writeable, texts = done["looks"]
    assert all("flowdsl-" in "".join(files) for files in (*columns.values(), array))
    assert done["twin"][:2] == (columns, array)
    assert (writeable, texts) == (True, 2)
    assert done["part"] == SIZE * (SIZE - 1) / 4
    pd.testing.assert_frame_equal(done["made"]["frame"].head(3), done["made"]["frame"].copy().head(3))


@linux
@pytest.mark.parametrize("part", ["every second number", "some columns", "backwards"])
def test_a_part_of_an_array_with_gaps_is_mapped_too(flow: Flow, part: str) -> None:
    whole = numbers().reshape(-1, 4)
    value = {"every second number": numbers()[::2], "some columns": whole[:, 1:3], "backwards": whole[::-1]}[part]
    flow.task(name="there")(lambda value: (value, look(value)))
    there, (files, writeable, total) = run(flow, value=value)["there"]
    assert "flowdsl-" in "".join(files)
    assert (writeable, total) == (False, float(value.sum()))
    assert np.array_equal(there, value)
    assert value.flags.writeable, "that of the user is as it was"


@linux
@pytest.mark.parametrize("made_in", ["process", "thread"])
def test_the_columns_of_an_arrow_table_are_mapped_and_freed(flow: Flow, made_in: str) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="Arrow tables are shared where pyarrow is installed")

    @flow.task(isolation=made_in)
    def made() -> Any:
        import pyarrow

        texts = ["text %d" % (number % 7) for number in range(SIZE)]
        return pyarrow.table({"a": np.arange(SIZE), "b": np.arange(SIZE) * 0.5, "text": texts})

    @flow.task
    def looks(made: Any) -> Any:
        buffers = [buffer for name in ("a", "b", "text") for buffer in made[name].chunk(0).buffers() if buffer]
        return [mapped(buffer.address) for buffer in buffers], made["text"][8].as_py()

    flow.task(name="twin")(lambda made: looks(made))
    done = run(flow)
    files, text = done["looks"]
    assert len(files) == 4
    assert all("flowdsl-" in "".join(file) for file in files)
    assert done["twin"] == (files, text)
    assert text == "text 1"
    assert done["made"].equals(pyarrow.table(done["made"].to_pydict()))


def test_an_array_that_is_made_for_the_journey_arrives(flow: Flow) -> None:
    class Halves:
        def __init__(self, first: Any, second: Any) -> None:
            self.first, self.second = first, second

        def __getstate__(self) -> Any:
            return np.concatenate([self.first, self.second])

        def __setstate__(self, whole: Any) -> None:
            self.first, self.second = whole[: SIZE // 2].copy(), whole[SIZE // 2 :].copy()

    flow.task(name="made")(lambda: Halves(np.zeros(SIZE // 2), np.ones(SIZE // 2)))
    for number in range(3):
        flow.task(name="c%d" % number)(lambda made: (float(made.first.sum()), float(made.second.sum())))
    done = run(flow)
    assert [done["c%d" % number] for number in range(3)] == [(0.0, SIZE / 2)] * 3


def test_who_writes_into_a_shared_array_is_told_and_a_copy_helps(flow: Flow) -> None:
    flow.task(name="made")(numbers)

    @flow.task
    def writes(made: Any) -> None:
        made[0] = 1

    @flow.task
    def copies(made: Any) -> float:
        mine = made.copy()
        mine[0] = 7
        return float(mine[0] + made[0])

    done = run(flow, raise_on_failure=False)
    (failure,) = done.failures
    assert (failure.task, failure.error) == ("writes", "assignment destination is read-only")
    assert done["copies"] == 7


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((600, 600), order="F"),
        np.arange(SIZE)[::2],
        np.array([{"a": 1}] * 50_000, dtype=object),
        np.zeros(0),
        np.zeros(40_000, dtype=[("a", "i4"), ("b", "f8")]),
        np.arange(200_000).astype("datetime64[s]"),
        pd.Series(range(SIZE), name="s"),
        pd.date_range("2024", periods=100_000, freq="s", tz="UTC"),
        pd.Categorical(["a", "b"] * 300_000),
        bytes(3_000_000),
        np.ma.masked_array(np.zeros(100_000), mask=np.zeros(100_000, dtype=bool)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_has_buffers_arrives_as_it_was(flow: Flow, value: Any) -> None:
    flow.task(name="there")(lambda value: value)
    flow.task(name="back")(lambda there: there)
    back = run(flow, value=value)["back"]
    assert type(back) is type(value)
    if isinstance(value, (pd.Series, pd.Index, pd.Categorical)):
        assert back.equals(value)
    else:
        assert np.array_equal(back, value)


arrays = some.builds(
    lambda kind, shape, order: np.arange(int(np.prod(shape)), dtype="f8").astype(kind).reshape(shape, order=order),
    some.sampled_from(["u1", "i4", "f8", "c16", ">f4", "M8[ns]"]),
    some.lists(some.integers(0, 90), min_size=1, max_size=3),
    some.sampled_from("CF"),
)


@given(some.lists(arrays, max_size=3), some.sampled_from([1, 1000, sharing.LARGE]))
def test_any_arrays_are_the_same_after_a_journey(values: List[Any], large: int) -> None:
    space = Space()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "LARGE", large)
        here, there = sharing.Book(space.places, buffers.remove), sharing.Book(space.places, sharing.nothing)
        pieces, data = here.pieces(values), here.seal(values).data
        opened = there.loads(data)
        assert here.pieces(values) == pieces, "known again"
        back = here.loads(there.seal(opened).data)
    space.close()
    for value, one in zip(values, back):
        assert (one.dtype, one.shape) == (value.dtype, value.shape)
        assert one.tobytes() == value.tobytes()


# ---- freed


def test_a_file_goes_when_nobody_asks_for_it_any_more(flow: Flow) -> None:
    flow.task(name="t0")(numbers)
    for number in range(1, 6):
        before = "t%d" % (number - 1)
        flow.task(name="t%d" % number, depends_on={"x": before})(lambda x: x + 1)
    me = os.getpid()
    flow.task(name="count", depends_on={"x": "t5"})(lambda x: (few_files(me, 2), float(x[0])))
    files, first = run(flow, targets=["count"], keep="targets")["count"]
    assert first == 5
    assert files <= 2, "of six results, at most the last and the one that it was made of"


def test_a_worker_that_dies_with_a_half_written_file_leaves_nothing(flow: Flow) -> None:
    @flow.task
    def dies() -> Any:
        class Deadly:
            def __reduce__(self) -> Any:
                os.kill(os.getpid(), signal.SIGKILL)
                return (int, ())

        return [numbers(), Deadly()]

    done = run(flow, raise_on_failure=False)
    assert done.failures[0].cause == "worker_died"


def test_results_that_arrive_too_late_leave_nothing(flow: Flow) -> None:
    @flow.task(timeout=0.5)
    def late() -> Any:
        class Slow:
            def __reduce__(self) -> Any:
                time.sleep(77)
                return (int, ())

        return [numbers(), Slow()]

    assert run(flow, raise_on_failure=False).failures[0].state == "timed_out"


CRASH = """
    import os, pathlib, sys, numpy, flowdsl
    from flowdsl.executors import space
    space.SHARED_MEMORY = pathlib.Path("/nowhere")
    flow = flowdsl.Flow("crash", isolation="process", log_dir=sys.argv[1])
    flow.task(name="made")(lambda: numpy.zeros(1_000_000))
    flow.task(name="kills")(lambda made, parent=os.getpid(): os.kill(parent, 9))
    flow.run(display=None)
"""


def test_what_a_crash_leaves_behind_is_swept_away(log_dir: Path, tmp_path: Path) -> None:
    base = tmp_path / "shared"
    base.mkdir()
    command = [sys.executable, "-c", textwrap.dedent(CRASH), str(log_dir)]
    subprocess.run(command, timeout=60, check=False, env={**os.environ, "TMPDIR": str(base)})
    (left,) = base.iterdir()
    assert len(list(left.iterdir())) == 2, "a lock and an array: a dead process cannot tidy up"
    (base / "flowdsl-0-of-somebody-else").touch()
    sweep(base)
    assert [path.name for path in base.iterdir()] == ["flowdsl-0-of-somebody-else"]


def test_a_sweep_leaves_the_directories_of_the_living_alone() -> None:
    space = Space()
    command = [sys.executable, "-c", "from flowdsl.executors.space import Space; Space().close()"]
    subprocess.run(command, check=True, timeout=60)
    assert all(Path(place).is_dir() for place in space.places)
    space.close()


# ---- no room


def test_where_no_file_can_be_written_the_data_goes_through_the_pipe(flow: Flow) -> None:
    @flow.task
    def made() -> Any:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        return numbers()

    flow.task(name="total")(lambda made: float(made.sum()))
    done = run(flow)
    assert done["made"].flags.writeable
    assert done["total"] == SIZE * (SIZE - 1) / 2


def test_a_place_that_is_full_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, good = str(tmp_path / "full"), str(tmp_path)
    monkeypatch.setattr(buffers, "_has_room", lambda place, size: place != full)
    path, spans = buffers.write([full, good], [memoryview(b"abc"), memoryview(b"d")]) or ("", [])
    assert Path(path).parent == tmp_path
    assert spans == [(0, 3), (64, 65)]
    assert [bytes(one) for one in buffers.read(path, spans)] == [b"abc", b"d"]
    assert all(one.readonly for one in buffers.read(path, spans))
    assert buffers.write([full], [memoryview(b"abc")]) is None


@pytest.mark.parametrize(("total", "free", "room"), [(1_000, 20, True), (1_000, 4, False), (8, 3, True), (8, 2, False)])
def test_a_quarter_of_a_small_file_system_stays_free_and_4_gib_of_any_other(
    monkeypatch: pytest.MonkeyPatch, total: int, free: int, room: bool
) -> None:
    gib = 1 << 30
    there = SimpleNamespace(f_bavail=free * gib, f_blocks=total * gib, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda place: there)
    assert buffers._has_room("anywhere", 1000) is room


def test_without_any_place_the_data_goes_through_the_pipe(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl.executors.space._bases", lambda: [Path("/nowhere")])
    flow.task(name="made")(numbers)
    flow.task(name="total")(lambda made: float(made.sum()))
    assert run(flow)["total"] == SIZE * (SIZE - 1) / 2


# ---- nobody waits for it


def test_half_a_gigabyte_on_its_way_does_not_hold_up_the_others(
    flow: Flow, tmp_path: Path, through_pipes: List[int]
) -> None:
    @flow.task
    def large() -> Any:
        return [np.ones(500_000_000, dtype="u1"), gates.AtPickling(tmp_path)]

    flow.task(name="total")(lambda large: (int(large[0].sum(dtype="u8")), large[1]))
    gates.add_others(flow, tmp_path)
    done = run(flow, max_workers=2)
    assert done["total"] == (500_000_000, "passed"), "others began and ended between its packing and its end"
    assert max(through_pipes) < sharing.LARGE, "who hears the workers had next to nothing to read, copy or write"
