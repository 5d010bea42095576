"""Executing tasks: alone, with what they need, all; what is run again, what is waited for, what is refused."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any, List

import pytest

from flowdsl import ConfigError, FlowError, GraphError, RunFailed, Skip, TaskResultError, load_runs
from flowdsl.orchestrator import TaskOrchestrator, task_records
from tests.orchestrator.making import Unwalked, make, status, statuses


def test_a_task_whose_dependency_is_not_completed_never_runs_early(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    second = orchestrator.add_task(action="add", dependencies=[first])
    with pytest.raises(GraphError, match=r"'task_001' is pending; execute_with_dependencies\('task_002'\)"):
        orchestrator.execute_task(second)
    assert statuses(orchestrator) == {first: "pending", second: "pending"}
    orchestrator.execute_task(first)
    assert orchestrator.execute_task(second) == 1


def test_a_completed_task_gives_its_result_and_does_not_run_again(orchestrator: TaskOrchestrator) -> None:
    calls: List[int] = []
    orchestrator.handler("count", lambda: calls.append(1) or len(calls))
    task = orchestrator.add_task(action="count")
    assert [orchestrator.execute_task(task) for _ in range(3)] == [1, 1, 1]
    assert orchestrator.execute_task(task, start=True)[task] == 1
    assert orchestrator.execute_task(task, force=True) == 2
    assert orchestrator.get_task_status(task)["runs"] == 2


def test_dependencies_run_first_and_in_parallel(orchestrator: TaskOrchestrator) -> None:
    both = threading.Barrier(2, timeout=20)
    orchestrator.handler("meet", lambda: both.wait() >= 0)
    parts = [orchestrator.add_task(action="meet") for _ in range(2)]
    whole = orchestrator.add_task(action="add", dependencies=parts)
    assert orchestrator.execute_with_dependencies(whole) == 2


def test_a_completed_dependency_is_not_run_again(orchestrator: TaskOrchestrator) -> None:
    calls: List[int] = []
    orchestrator.handler("count", lambda: calls.append(1))
    first = orchestrator.add_task(action="count")
    for _ in range(2):
        orchestrator.execute_with_dependencies(orchestrator.add_task(action="echo", target=1, dependencies=[first]))
    assert len(calls) == 1


def test_a_dependency_that_failed_is_retried_and_only_its_final_failure_fails_the_dependents(log_dir: Path) -> None:
    tries: List[int] = []

    def flaky() -> int:
        tries.append(1)
        if len(tries) < 5:
            raise OSError("try %d" % len(tries))
        return len(tries)

    with make(log_dir, retry_attempts=1) as orchestrator:
        orchestrator.handler("flaky", flaky)
        first = orchestrator.add_task(action="flaky")
        second = orchestrator.add_task(action="add", dependencies=[first])
        for attempts in (2, 4):
            with pytest.raises(RunFailed, match="task 'task_001' failed after 2 attempts"):
                orchestrator.execute_with_dependencies(second)
            assert len(tries) == attempts
            found = orchestrator.get_task_status(second)
            assert (found["status"], found["causeTask"]) == ("blocked", first)
        record = orchestrator.logs(status="blocked").iloc[0]
        assert (record["success"], record["error"]) == (False, "task 'task_001': upstream_failed")
        assert orchestrator.execute_with_dependencies(second) == 5
        assert statuses(orchestrator) == {first: "completed", second: "completed"}


def test_a_failed_task_keeps_its_inputs_attempts_message_and_error(log_dir: Path) -> None:
    with make(log_dir, retry_attempts=2) as orchestrator:
        task = orchestrator.add_task(action="fail", target="luck", parameters={"x": 1})
        with pytest.raises(RunFailed) as caught:
            orchestrator.execute_task(task)
    assert isinstance(caught.value.__cause__, ValueError)
    with make(log_dir) as later:
        found = later.get_task_status(task)
        assert (found["status"], found["attempts"], found["error"]) == ("failed", 3, "no luck")
        assert found["target"] == "luck"


def test_all_is_executed_once_and_given_back_by_id(orchestrator: TaskOrchestrator) -> None:
    a, b, c = orchestrator.add_tasks(
        [
            {"action": "one", "taskId": "a"},
            {"action": "add", "taskId": "b", "dependencies": ["a"]},
            {"action": "echo", "taskId": "c", "target": "x"},
        ]
    )
    assert orchestrator.execute_all() == {a: 1, b: 1, c: "x"}
    assert orchestrator.execute_all() == {}


def test_execute_all_leaves_alone_what_was_cancelled_or_ended_by_hand(orchestrator: TaskOrchestrator) -> None:
    ids = [orchestrator.add_task(action="one", task_id=name) for name in "abcd"]
    after = orchestrator.add_task(action="add", dependencies=["b"])
    orchestrator.cancel("a")
    orchestrator.update_task_state("b", {"status": "failed"})
    orchestrator.update_task_state("c", {"status": "in-progress"})
    assert orchestrator.execute_all() == {"d": 1}
    assert statuses(orchestrator) == {
        **dict(zip(ids, ["cancelled", "failed", "in-progress", "completed"])),
        after: "blocked",
    }


def test_a_task_that_a_run_has_in_hand_is_waited_for(orchestrator: TaskOrchestrator) -> None:
    go_on = threading.Event()
    calls: List[int] = []
    orchestrator.handler("wait", lambda: calls.append(1) or go_on.wait(20))
    task = orchestrator.add_task(action="wait")
    run = orchestrator.execute_task(task, start=True)
    assert orchestrator.execute_task(task, start=True) is run
    after = orchestrator.add_task(action="add", dependencies=[task])
    with pytest.raises(ConfigError, match="belong to runs that go on"):
        orchestrator.execute_with_dependencies(after, start=True)
    threading.Timer(0.1, go_on.set).start()
    assert orchestrator.execute_with_dependencies(after) == 1
    assert (len(calls), run[task]) == (1, True)


def test_a_skipped_task_gives_nothing_and_skips_what_follows(orchestrator: TaskOrchestrator) -> None:
    def nothing_to_do() -> None:
        raise Skip("nothing to do")

    orchestrator.handler("skip", nothing_to_do)
    first = orchestrator.add_task(action="skip")
    second = orchestrator.add_task(action="add", dependencies=[first])
    assert orchestrator.execute_with_dependencies(second) is None
    assert statuses(orchestrator) == {first: "skipped", second: "skipped"}
    assert orchestrator.logs()["error"].iloc[0] == "nothing to do"


def test_the_awaited_forms_give_the_same(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    second = orchestrator.add_task(action="add", dependencies=[first])
    third = orchestrator.add_task(action="echo", target=3)

    async def main() -> Any:
        one = await orchestrator.execute_task_async(first)
        both = await asyncio.gather(
            orchestrator.execute_with_dependencies_async(second), orchestrator.execute_task_async(third)
        )
        return one, both, await orchestrator.execute_all_async()

    assert asyncio.run(main()) == (1, [1, 3], {})


def test_cancelling_the_await_cancels_the_run_and_waits_for_its_end(orchestrator: TaskOrchestrator) -> None:
    orchestrator.handler("endless", lambda context: context.sleep(1000))
    task = orchestrator.add_task(action="endless")

    async def main() -> None:
        waiting = asyncio.ensure_future(orchestrator.execute_task_async(task))
        while status(orchestrator, task) != "in-progress":
            await asyncio.sleep(0.005)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert status(orchestrator, task) == "cancelled"


def test_cancelling_an_await_leaves_a_run_that_somebody_else_began(orchestrator: TaskOrchestrator) -> None:
    begun, go_on = threading.Event(), threading.Event()
    orchestrator.handler("wait", lambda: begun.set() or go_on.wait(20))
    task = orchestrator.add_task(action="wait")
    run = orchestrator.execute_task(task, start=True)

    async def main() -> None:
        waiting = asyncio.ensure_future(orchestrator.execute_task_async(task))
        assert await asyncio.get_running_loop().run_in_executor(None, begun.wait, 20)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    go_on.set()
    assert run.wait(20)
    assert run[task] is True


def test_it_is_opened_by_an_await_too(log_dir: Path) -> None:
    orchestrator = TaskOrchestrator(task_log_dir=log_dir)
    assert asyncio.run(orchestrator.initialize_async()) is orchestrator
    assert len(orchestrator) == 0
    orchestrator.close()


def test_the_async_context_manager_opens_and_closes(log_dir: Path) -> None:
    async def main() -> Any:
        async with TaskOrchestrator(task_log_dir=log_dir) as orchestrator:
            orchestrator.handler("one", lambda: 1)
            return await orchestrator.execute_task_async(orchestrator.add_task(action="one"))

    assert asyncio.run(main()) == 1
    with make(log_dir) as later:
        assert statuses(later) == {"task_001": "completed"}


def test_a_time_out_is_told_and_the_task_is_timed_out(log_dir: Path) -> None:
    with make(log_dir, task_timeout=0.1) as orchestrator:
        orchestrator.handler("endless", lambda context: context.sleep(1000))
        task = orchestrator.add_task(action="endless")
        with pytest.raises(RunFailed, match="timed out after 0"):
            orchestrator.execute_task(task)
        assert status(orchestrator, task) == "timed-out"
        assert "timed out after 0.1 s" in orchestrator.logs()["error"].iloc[0]


@pytest.mark.slow
def test_a_time_out_in_a_process_is_retried(log_dir: Path) -> None:
    with make(log_dir, retry_attempts=1, isolation="process", max_concurrent_tasks=1) as orchestrator:

        def late(target: str) -> str:  # it travels by value: nothing has to be imported there
            import time
            from pathlib import Path

            if not Path(target).exists():
                Path(target).write_text("seen")
                time.sleep(1000)
            return "in time"

        orchestrator.handler("late", late)
        task = orchestrator.add_task(action="late", target=str(log_dir / "seen"), timeout=4.0)
        assert orchestrator.execute_task(task) == "in time"
        assert orchestrator.get_task_status(task)["attempts"] == 2


def test_no_more_tasks_run_at_once_than_allowed_over_all_runs(log_dir: Path) -> None:
    with make(log_dir, max_concurrent_tasks=2) as orchestrator:
        guard, at_once, most = threading.Lock(), [0], [0]

        def work() -> None:
            with guard:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
            time.sleep(0.01)
            with guard:
                at_once[0] -= 1

        orchestrator.handler("work", work)
        for _ in range(3):
            orchestrator.add_task(action="work")
        orchestrator.execute_all(start=True)
        for _ in range(6):
            orchestrator.execute_task(orchestrator.add_task(action="work"), start=True)
        assert orchestrator.wait(20)
        assert most[0] == 2
        assert set(statuses(orchestrator).values()) == {"completed"}


def test_a_task_may_have_another_one_executed_even_where_one_runs_at_a_time(log_dir: Path) -> None:
    with make(log_dir, max_concurrent_tasks=1) as orchestrator:
        inner = orchestrator.add_task(action="one")
        orchestrator.handler("outer", lambda: orchestrator.execute_task(inner) + 1)
        assert orchestrator.execute_task(orchestrator.add_task(action="outer")) == 2


def test_a_cancelled_target_is_an_error(orchestrator: TaskOrchestrator) -> None:
    orchestrator.handler("cancels", lambda context: orchestrator.cancel(context.task_id) and context.sleep(1000))
    task = orchestrator.add_task(action="cancels")
    with pytest.raises(TaskResultError, match="task_cancelled"):
        orchestrator.execute_task(task)
    assert status(orchestrator, task) == "cancelled"


def test_each_execution_is_a_run_of_its_own(orchestrator: TaskOrchestrator, log_dir: Path) -> None:
    tasks = [orchestrator.add_task(action="one") for _ in range(2)]
    for task in tasks:
        orchestrator.execute_task(task)
    runs = load_runs(log_dir)
    assert [list(run.snapshot().tasks) for run in runs] == [[task] for task in tasks]
    assert [run.id for run in runs] == orchestrator.queue()["runId"].tolist()


def test_what_is_not_open_says_so(log_dir: Path) -> None:
    with pytest.raises(FlowError, match="call initialize"):
        TaskOrchestrator(task_log_dir=log_dir).add_task(action="one")
    closed = make(log_dir)
    closed.close()
    closed.close()
    with pytest.raises(FlowError, match="call initialize"):
        closed.queue()


def test_an_unknown_id_is_named_with_the_nearest(orchestrator: TaskOrchestrator) -> None:
    orchestrator.add_task(action="one")
    for ask in (orchestrator.execute_task, orchestrator.get_task_status, orchestrator.cancel, orchestrator.remove):
        with pytest.raises(KeyError, match="did you mean 'task_001'"):
            ask("task_01")


def test_executing_one_task_does_not_walk_through_the_others(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    second = orchestrator.add_task(action="add", dependencies=[first])
    queue = orchestrator._parts.book.queue
    queue.entries = Unwalked(queue.entries)
    assert orchestrator.execute_with_dependencies(second) == 1
    assert orchestrator.execute_task(first, force=True) == 1
    queue.entries = dict(dict.items(queue.entries))


def test_changes_that_come_faster_than_they_are_written_are_written_together(
    orchestrator: TaskOrchestrator, log_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = orchestrator.add_tasks([{"action": "one"}] * 30)
    written: List[Path] = []
    write = task_records.write_record
    monkeypatch.setattr(task_records, "write_record", lambda told, path: written.append(path) or write(told, path))
    with orchestrator._parts.book.lock:  # nothing can be written
        run = orchestrator.execute_all(start=True)
        assert run.wait(20)
    assert orchestrator.wait(20)
    assert 30 <= len(written) <= 32
    assert {one["status"] for one in task_records.read_records(log_dir)} == {"completed"}
    assert len(tasks) == 30


def test_what_a_completed_task_needed_may_be_gone_when_others_are_executed(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    second = orchestrator.add_task(action="add", dependencies=[first])
    orchestrator.execute_all()
    orchestrator.remove(first)
    third = orchestrator.add_task(action="add", dependencies=[second])
    assert orchestrator.validate().ok
    assert orchestrator.execute_with_dependencies(third) == 1
    fourth = orchestrator.add_task(action="add", dependencies=[third])
    assert orchestrator.execute_all() == {fourth: 1}
    for ask in (orchestrator.execute_task, orchestrator.execute_with_dependencies):
        with pytest.raises(GraphError, match="depends on 'task_001', which was removed"):
            ask(second, force=True)


def test_what_only_completed_tasks_need_may_be_anything(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    second = orchestrator.add_task(action="add", dependencies=[first])
    orchestrator.update_task_state(second, {"status": "completed", "result": 5})
    orchestrator.update_task_state(first, {"status": "failed"})
    third = orchestrator.add_task(action="add", dependencies=[second])
    assert orchestrator.execute_with_dependencies(third) == 5
