"""An attempt done again: the same inputs or others, a debugger at the user's frame, a profile."""

from __future__ import annotations

import asyncio
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any, List

import pytest

import flowdsl
from flowdsl import Flow, FlowError, InputError, PickleRefused, ResultReleased, TaskResultError, load_runs
from flowdsl.orchestrator import DebugOrchestrator
from flowdsl.orchestrator.debug_post_mortem import debug_here, steps_up


def rows() -> List[int]:
    return [1, 2, 0]


def ratios(rows: List[int], top: float = 6.0) -> List[float]:
    found = []
    for row in rows:
        found.append(top / row)
    return found


def define(log_dir: Path, **options: Any) -> Flow:
    flow = Flow("again", log_dir=log_dir)
    flow.task(rows)
    flow.task(**options)(ratios)
    return flow


@pytest.fixture
def flow(log_dir: Path) -> Flow:
    return define(log_dir)


def run(flow: Flow, **more: Any) -> flowdsl.Run:
    return flow.run(display=None, raise_on_failure=False, **more)


def test_a_replay_raises_what_the_attempt_raised_from_the_users_code(flow: Flow) -> None:
    debug = DebugOrchestrator(run(flow))
    with pytest.raises(ZeroDivisionError) as caught:
        debug.replay("ratios")
    assert caught.traceback[-1].name == "ratios"


def test_a_replay_takes_other_inputs_and_the_rest_as_it_was(flow: Flow) -> None:
    debug = DebugOrchestrator(run(flow, top=12.0))
    assert debug.replay("ratios", rows=[3]) == [4.0]
    assert debug.replay("ratios", {"rows": [3], "top": 3.0}) == [1.0]
    with pytest.raises(InputError, match="did you mean 'rows'"):
        debug.replay("ratios", rwos=[3])


def test_a_replay_of_a_process_task_runs_in_this_process(log_dir: Path) -> None:
    debug = DebugOrchestrator(run(define(log_dir, isolation="process")))
    seen: List[int] = []

    class Spy(list):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            seen.append(1)
            return super().__iter__()

    assert debug.replay("ratios", rows=Spy([2])) == [3.0] and seen == [1]


def test_a_task_that_went_well_can_be_replayed(flow: Flow) -> None:
    assert DebugOrchestrator(run(flow)).replay("rows") == [1, 2, 0]


def test_a_replay_is_an_attempt_to_the_code_in_it(log_dir: Path) -> None:
    flow = Flow("inside", log_dir=log_dir)

    @flow.task(verify=lambda value: value == ("who", 1))
    def who(x: int = 1) -> Any:
        return flowdsl.current().task, x

    debug = DebugOrchestrator(run(flow))
    assert debug.replay(flow["who"]) == ("who", 1)
    with pytest.raises(FlowError, match="verify returned False"):
        debug.replay("who", x=2)
    with pytest.raises(FlowError, match="no task is running"):
        flowdsl.current()


def test_arguments_by_place_and_of_star_can_be_replayed(log_dir: Path) -> None:
    flow = Flow("star", log_dir=log_dir)
    flow.task(name="a")(lambda: 1)
    flow.task(name="b")(lambda: 2)

    @flow.task(depends_on=["a", "b"])
    def both(first: int = 0, /, *rest: int) -> Any:
        return first, rest

    debug = DebugOrchestrator(run(flow))
    assert debug.replay("both") == (0, (1, 2))
    assert debug.replay("both", first=9) == (9, (1, 2))


def test_a_coroutine_is_replayed_with_and_without_a_running_loop(log_dir: Path) -> None:
    flow = Flow("later", log_dir=log_dir)

    @flow.task
    async def later(n: int = 1) -> int:
        await asyncio.sleep(0)
        return 6 // n

    debug = DebugOrchestrator(run(flow))

    async def inside() -> Any:
        return debug.replay("later", n=3)

    assert debug.replay("later", n=2) == 3 and asyncio.run(inside()) == 2
    with pytest.raises(ZeroDivisionError):
        debug.replay("later", n=0)


def test_the_recorded_function_runs_unless_the_newest_is_asked_for(flow: Flow) -> None:
    debug = DebugOrchestrator(run(flow))
    flow.task(name="ratios")(lambda rows: "new")
    with pytest.raises(ZeroDivisionError):
        debug.replay("ratios")
    assert debug.replay("ratios", code="newest") == "new"
    with pytest.raises(flowdsl.ConfigError, match='is not "recorded" or "newest"'):
        debug.replay("ratios", code="old")


def test_a_result_that_was_let_go_is_named(log_dir: Path) -> None:
    flow = define(log_dir)
    flow.task(name="last")(lambda ratios: ratios)
    debug = DebugOrchestrator(run(flow, keep="targets"))
    with pytest.raises(ResultReleased, match="keep='all'"):
        debug.replay("ratios")


def test_of_a_mapped_task_the_item_that_failed_is_done_again(log_dir: Path) -> None:
    flow = Flow("map", log_dir=log_dir)
    flow.task(rows)

    @flow.task(map="rows", isolation="process")
    def share(rows: int) -> float:
        return 1 / rows

    debug, frames = DebugOrchestrator(run(flow)), Frames()
    assert debug.inspect("share").task == "share[2]" and debug.inspect("share[2]").arguments[0].path == "[2]"
    assert debug.replay("share[1]") == 0.5 and debug.replay("share", rows=4) == 0.25
    debug.post_mortem("share", debugger=frames)
    assert frames.seen[-1] == ("share", {"rows": 0})
    with pytest.raises(TaskResultError):
        debug.inspect("share[0]")


# ---- runs read back


def test_a_run_read_back_is_replayed_with_the_inputs_that_were_kept(flow: Flow, log_dir: Path) -> None:
    with DebugOrchestrator(flow, inputs="pickle"):
        run(flow, top=12.0)
    debug = DebugOrchestrator(load_runs(log_dir), flow=flow)
    with pytest.raises(ZeroDivisionError):
        debug.replay("ratios")
    assert debug.replay("ratios", rows=[3]) == [4.0]


def test_inputs_that_were_not_kept_have_to_be_given(flow: Flow, log_dir: Path) -> None:
    with DebugOrchestrator(flow):
        run(flow)
    debug = DebugOrchestrator(load_runs(log_dir), flow=flow)
    with pytest.raises(TaskResultError, match="were not kept; give rows="):
        debug.replay("ratios")
    assert debug.replay("ratios", rows=[3]) == [2.0]
    with pytest.raises(TaskResultError, match=r"give DebugOrchestrator\(\.\.\., flow="):
        DebugOrchestrator(load_runs(log_dir)).replay("ratios")


def test_other_code_than_that_of_the_run_is_not_replayed_unasked(flow: Flow, log_dir: Path) -> None:
    with DebugOrchestrator(flow, inputs="pickle"):
        run(flow)
    flow.task(name="ratios")(lambda rows, top=6.0: "new")
    debug = DebugOrchestrator(load_runs(log_dir), flow=flow)
    with pytest.raises(TaskResultError, match="code='newest'"):
        debug.replay("ratios")
    assert debug.replay("ratios", code="newest") == "new"


class Trap:
    def __reduce__(self) -> Any:
        return (Path.mkdir, (Path("sprung"),))


def test_inputs_that_somebody_else_kept_are_not_unpickled(flow: Flow, log_dir: Path) -> None:
    with DebugOrchestrator(flow, inputs="pickle"):
        done = run(flow)
    (kept,) = (done.dir / "debug").glob("*.pickle")
    content = kept.read_bytes()
    kept.write_bytes(content[: content.index(b"\n", 20) + 1] + pickle.dumps(((), {"rows": Trap()})))
    debug = DebugOrchestrator(load_runs(log_dir), flow=flow)
    debug.inspect("ratios")
    debug.failures()
    with pytest.raises(PickleRefused):
        debug.replay("ratios")
    assert not Path("sprung").exists()


def test_inputs_that_cannot_be_pickled_are_left_out_and_said(log_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    flow = Flow("locks", log_dir=log_dir)
    flow.task(name="lock")(lambda: __import__("threading").Lock())
    flow.task(name="use")(lambda lock: 1 / 0)
    with DebugOrchestrator(flow, inputs="pickle") as debug:
        run(flow)
    assert "the inputs of task 'use'" in caplog.text
    assert debug.inspect("use").arguments is not None


# ---- the debugger


class Frames:
    """Stands for a debugger: notes the frames that it is shown."""

    def __init__(self) -> None:
        self.seen: List[Any] = []

    def __call__(self, trace: Any) -> None:
        self.seen = [(frame.f_code.co_name, dict(frame.f_locals)) for frame, _ in traceback.walk_tb(trace)]


def test_the_debugger_sees_the_variables_of_a_thread_that_failed(flow: Flow) -> None:
    frames = Frames()
    DebugOrchestrator(run(flow)).post_mortem("ratios", debugger=frames)
    ((name, variables),) = frames.seen
    assert name == "ratios" and variables["row"] == 0 and variables["found"] == [6.0, 3.0]


def test_the_debugger_sees_the_variables_of_a_process_by_replay(log_dir: Path) -> None:
    frames = Frames()
    DebugOrchestrator(run(define(log_dir, isolation="process"))).post_mortem("ratios", debugger=frames)
    assert frames.seen[-1][0] == "ratios" and frames.seen[-1][1]["row"] == 0


def test_a_post_mortem_with_other_inputs_runs_again_and_may_not_fail(flow: Flow) -> None:
    frames, debug = Frames(), DebugOrchestrator(run(flow))
    debug.post_mortem("ratios", rows=[5, 0], debugger=frames)
    assert frames.seen[-1][1]["found"] == [1.2]
    with pytest.raises(FlowError, match="did not fail when it was run again"):
        debug.post_mortem("ratios", rows=[5], debugger=frames)


def in_a_library(rows: List[int]) -> Any:
    import json

    return json.loads("{")


def test_pdb_opens_at_the_deepest_frame_of_the_user(
    log_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flow = Flow("deep", log_dir=log_dir)
    flow.task(rows)
    flow.task(in_a_library)
    monkeypatch.setattr(sys, "stdin", __import__("io").StringIO("p 'here ' + str(rows)\nq\n"))
    DebugOrchestrator(run(flow)).post_mortem("in_a_library")
    assert "here [1, 2, 0]" in capsys.readouterr().out


def test_a_traceback_without_frames_of_the_user_is_shown_where_it_ends() -> None:
    assert steps_up(None) == 0
    assert callable(debug_here)


# ---- the profile


def slow_part(n: int) -> int:
    return sum(at * at for at in range(n))


def test_a_trace_says_where_the_time_goes(log_dir: Path) -> None:
    flow = Flow("slow", log_dir=log_dir)

    @flow.task
    def work(n: int = 200_000) -> int:
        return slow_part(n) + slow_part(10)

    frame = DebugOrchestrator(run(flow)).trace("work")
    row = frame.set_index("function").loc["slow_part"]
    assert row["file"] == __file__
    if sys.version_info < (3, 12):  # later ones may lose a call while another thread is at work
        assert row["calls"] == 2 and row["total_s"] > 0
    assert list(frame.columns) == ["function", "file", "line", "calls", "own_s", "total_s", "share"]
    assert frame["share"].sum() == pytest.approx(1.0) and frame["own_s"].is_monotonic_decreasing
    assert frame.attrs["error"] == "" and not frame["file"].str.contains("debug_replay", na=False).any()


def test_a_trace_of_what_fails_says_so_and_shows_the_way_there(flow: Flow) -> None:
    frame = DebugOrchestrator(run(flow)).trace("ratios")
    assert frame.attrs["error"] == "ZeroDivisionError: float division by zero"
    assert "ratios" in list(frame["function"])
