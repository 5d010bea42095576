"""Large bytes, bytearrays and texts between processes: in files that one process writes and one reads."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List

import pytest
from hypothesis import given
from hypothesis import strategies as some

import flowdsl
from flowdsl import Flow
from flowdsl.executors import batch, buffers, letters, payload, sharing
from flowdsl.executors.outcome import Call
from flowdsl.executors.space import Space
from tests.executors import gates
from tests.executors.arrays import count_files
from tests.executors.left import shared_files

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left_in_the_end"),
    pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only"),
    pytest.mark.slow,
]

SIZE = 3_000_000


class MyBytes(bytes):
    pass


class MyText(str):
    __slots__ = ("note",)


class MyArray(bytearray):
    pass


@dataclass
class Holder:
    data: bytes
    more: Any


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return Flow("letters", log_dir=log_dir, isolation="process")


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    done = flow.run(display=None, **more)
    assert shared_files() == set(), "at the end of a run, not at that of the process"
    return done


def noise(size: int) -> bytes:
    return os.urandom(1000) * (size // 1000)


# ---- as they were

VALUES = {
    "bytes": noise(SIZE),
    "bytearray": bytearray(noise(SIZE)),
    "ascii": "flow" * SIZE,
    "text": "Fluß \U0001f30a \ud800" * 200_000,
    "list": [noise(SIZE), "x" * SIZE, bytearray(SIZE), 7, b"small"],
    "dict": {"a": {"b": (noise(SIZE), None)}, b"k" * SIZE: "key"},
    "many small ones": [b"%d" % number for number in range(300_000)],
    "subclasses": [MyBytes(noise(SIZE)), MyText("x" * SIZE), MyArray(SIZE)],
    "dataclass": Holder(noise(SIZE), ["y" * SIZE]),
}


@pytest.mark.parametrize("value", list(VALUES.values()), ids=list(VALUES))
def test_large_values_arrive_as_they_were_and_not_through_a_pipe(
    flow: Flow, value: Any, through_pipes: List[int]
) -> None:
    flow.task(name="there")(lambda value: value)
    flow.task(name="back")(lambda there: there)
    back = run(flow, value=value)["back"]
    assert same(back, value)
    assert max(through_pipes) < 100_000


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    return same(vars(one), vars(other)) if isinstance(one, Holder) else bool(one == other)


def test_what_was_one_object_is_one_and_what_may_be_changed_may_be(flow: Flow) -> None:
    @flow.task
    def made() -> Any:
        data, buffer = bytes(SIZE), bytearray(SIZE)
        return [data, buffer, {"data": data, "buffer": buffer}]

    @flow.task
    def looks(made: Any) -> Any:
        data, buffer, more = made
        buffer[0] = 7
        buffer += b"longer"
        return more["data"] is data, more["buffer"] is buffer, type(data) is bytes

    @flow.task
    def later(made: Any, looks: Any) -> Any:
        return made[1][0], len(made[1])

    done = run(flow)
    assert done["looks"] == (True, True, True)
    assert done["later"] == (0, SIZE), "each process has its own"
    assert done["made"][2]["data"] is done["made"][0]


def test_a_bytearray_goes_as_it_was_when_the_task_was_launched() -> None:
    value = bytearray(SIZE)
    pieces = sharing.NO_BOOK.pieces(value)
    value += b"it may grow: nobody looks at it any more"
    assert letters.seal(pieces, []).data == sharing.NO_BOOK.seal(bytearray(SIZE)).data


leaves = some.one_of(
    some.binary(max_size=20),
    some.builds(lambda one, many: one * many, some.binary(min_size=1, max_size=9), some.integers(1, 20_000)),
    some.builds(lambda one, many: bytearray(one * many), some.binary(min_size=1, max_size=9), some.integers(1, 20_000)),
    some.builds(lambda one, many: one * many, some.text(min_size=1, max_size=9), some.integers(1, 20_000)),
    some.integers(),
)
values = some.recursive(
    leaves, lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=3), inner, max_size=3)
)


@given(values, some.sampled_from([1000, letters.LARGE]))
def test_any_values_are_the_same_after_a_journey(value: Any, large: int) -> None:
    space = Space()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(letters, "LARGE", large)
        here, there = sharing.Book(space.places, buffers.remove), sharing.Book(space.places, sharing.nothing)
        sealed = here.seal([value, value])
        back = there.loads(sealed.data)
        assert not sealed.path or not buffers.exists(sealed.path), "who has read it removes it"
    space.close()
    assert sealed.path or len(sealed.data) < max(large, 1 << 18)
    assert same(back, [value, value])
    assert type(value) is int or back[0] is back[1]


def test_large_arguments_of_a_batch_arrive_too(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space()
    monkeypatch.setattr(sharing, "mine", sharing.Book(space.places, sharing.nothing))
    packer = batch.Packer(sharing.Book(space.places, buffers.remove))
    small, large = noise(1000), noise(SIZE)
    plain = [packer.add("t", number, Call(len, (data,), {})) for number, data in enumerate([small, large, [large]])]
    assert plain == [True, False, False]
    assert packer.is_large
    paths = packer.seal(space.places)
    assert list(paths) == [1, 2]
    assert all(map(buffers.exists, paths.values()))
    data = packer.data()
    assert len(data) < 10_000
    assert [opened()[2].args[0] for opened in batch.unpack(data)] == [small, large, [large]]
    assert not any(map(buffers.exists, paths.values()))
    space.close()


def test_members_of_a_batch_in_a_worker_get_theirs(flow: Flow, through_pipes: List[int]) -> None:
    flow.task(name="items")(lambda: [bytes([number]) * (SIZE if number % 10 == 0 else 10) for number in range(60)])
    flow.task(name="each", map="items")(lambda items: (items[:1], len(items)))
    done = run(flow, max_workers=2)
    expected = [(bytes([number]), SIZE if number % 10 == 0 else 10) for number in range(60)]
    assert list(done["each"]) == expected
    assert max(through_pipes) < 100_000


# ---- freed


def test_no_file_stays_while_a_run_goes_on(flow: Flow) -> None:
    me = os.getpid()
    flow.task(name="t0")(lambda: bytes(SIZE))
    for number in range(1, 4):
        flow.task(name="t%d" % number, depends_on={"x": "t%d" % (number - 1)})(lambda x: x + bytes(SIZE))
    flow.task(name="count", depends_on={"x": "t3"})(lambda x: (count_files(me), len(x)))
    assert run(flow)["count"] == (0, 4 * SIZE)


class Deadly:
    """Whoever opens its pickle dies."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __reduce__(self) -> Any:
        return _die_unless, (self.pid,)


def _die_unless(pid: int) -> None:
    if os.getpid() != pid:
        os.kill(os.getpid(), signal.SIGKILL)


def test_the_file_of_a_worker_that_dies_before_it_reads_goes_with_the_attempt(flow: Flow) -> None:
    me = os.getpid()
    deadly = Deadly(me)

    def dies(data: bytes) -> Any:
        return deadly

    flow.task(name="dies")(dies)
    flow.task(name="count", depends_on=["dies"], run_when="all_done")(lambda: count_files(me))
    done = run(flow, data=bytes(SIZE), raise_on_failure=False)
    assert done.failures[0].cause == "worker_died"
    assert done["count"] == 0


def test_a_cancel_while_the_file_is_written_ends_the_attempt(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_up_writing(monkeypatch, tmp_path)
    flow.task(name="takes")(lambda data: len(data))
    going = flow.start(display=None, data=bytes(SIZE))
    gates.wait_for(tmp_path / "there")
    going.cancel()
    (tmp_path / "open").touch()
    going.wait()
    assert going.tasks["state"].tolist() == ["cancelled"]
    assert shared_files() == set()


# ---- no room


def test_where_no_file_can_be_written_the_data_goes_through_the_pipe(flow: Flow, through_pipes: List[int]) -> None:
    @flow.task
    def made() -> Any:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        return [b"x" * SIZE, bytearray(SIZE)]

    done = run(flow)
    assert same(done["made"], [b"x" * SIZE, bytearray(SIZE)])
    assert max(through_pipes) > SIZE


def test_without_any_place_the_data_goes_through_the_pipe(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl.executors.space._bases", lambda: [Path("/nowhere")])
    flow.task(name="there")(lambda value: value)
    flow.task(name="each", map="value")(lambda value: value)
    value = [b"x" * SIZE, "y" * SIZE]
    done = run(flow, value=value)
    assert same(done["there"], value)
    assert same(list(done["each"]), value)


def test_where_there_is_not_even_memory_the_attempt_fails(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any) -> Any:
        raise MemoryError("none left")

    monkeypatch.setattr(letters, "seal", none_left)
    flow.task(name="takes")(lambda data: len(data))
    done = run(flow, data=bytes(SIZE), raise_on_failure=False)
    assert [(failure.task, failure.error) for failure in done.failures] == [("takes", "none left")]


def test_an_answer_says_of_itself_that_it_takes_long() -> None:
    small, large = payload.pack("t", 1, Call(bytes, (10_000,), {})), payload.pack("t", 1, Call(bytes, (SIZE,), {}))
    assert [payload.takes_long(payload.work(data)) for data in (small, large)] == [False, True]


# ---- nobody waits for it


def hold_up_writing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Whoever writes a file in this process stands at the gate first."""
    write = buffers.write

    def slow(*args: Any, **more: Any) -> Any:
        gates.stand(folder)
        return write(*args, **more)

    monkeypatch.setattr(buffers, "write", slow)


def test_others_begin_and_end_while_large_arguments_are_written(
    flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_up_writing(monkeypatch, tmp_path)
    flow.task(name="first")(lambda: None)  # who hears of its end launches the next
    flow.task(name="takes", depends_on=["first"])(lambda data: len(data))
    gates.add_others(flow, tmp_path)
    assert run(flow, data=bytes(SIZE), max_workers=2)["takes"] == SIZE


def test_others_begin_and_end_while_a_large_result_is_opened(flow: Flow, tmp_path: Path) -> None:
    flow.task(name="large")(lambda: [bytes(SIZE), gates.AtUnpickling(tmp_path)])
    gates.add_others(flow, tmp_path)
    assert run(flow, max_workers=2)["large"] == [bytes(SIZE), "passed"]
