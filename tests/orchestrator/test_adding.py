"""Adding tasks: ids, dependencies, every fault at once, and nothing changed where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest

from flowdsl import ConfigError, CycleError, Flow, GraphError
from flowdsl.orchestrator import TaskOrchestrator
from tests.orchestrator.making import Unwalked, make, statuses


def test_ids_count_on(orchestrator: TaskOrchestrator) -> None:
    assert orchestrator.add_task({"action": "one"}) == "task_001"
    assert orchestrator.add_task(action="one", type="number") == "task_002"
    assert orchestrator.add_task(action="one", task_id="task_010") == "task_010"
    assert orchestrator.add_task(action="one") == "task_011"


def test_a_dependency_is_an_id_or_the_action_of_a_task_that_is_there(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    by_id = orchestrator.add_task(action="add", dependencies=[first, first])
    by_action = orchestrator.add_task(action="echo", dependencies="one")
    assert orchestrator.get_task_status(by_id)["dependencies"] == [first]
    assert orchestrator.get_task_status(by_action)["dependencies"] == [first]


def test_an_ambiguous_action_is_refused_with_the_ids(orchestrator: TaskOrchestrator) -> None:
    orchestrator.add_tasks([{"action": "one"}, {"action": "one"}])
    with pytest.raises(GraphError, match="'one' is ambiguous: task_001, task_002"):
        orchestrator.add_task(action="add", dependencies=["one"])


def test_an_unknown_dependency_is_refused_with_the_nearest(orchestrator: TaskOrchestrator) -> None:
    orchestrator.add_task(action="echo")
    with pytest.raises(GraphError, match="'ehco', which is no task; did you mean 'echo'"):
        orchestrator.add_task(action="add", dependencies=["ehco"])
    with pytest.raises(GraphError, match="'task_010', which is no task; did you mean 'task_001'"):
        orchestrator.add_task(action="add", dependencies=["task_010"])


def test_a_task_that_depends_on_itself_is_refused(orchestrator: TaskOrchestrator) -> None:
    with pytest.raises(GraphError, match="it depends on itself"):
        orchestrator.add_task(action="one", task_id="me", dependencies=["me"])
    with pytest.raises(GraphError, match="it depends on itself: 'one' is its own action"):
        orchestrator.add_task(action="one", dependencies=["one"])
    assert len(orchestrator) == 0


def test_a_second_task_of_one_id_is_refused_and_the_first_stays(orchestrator: TaskOrchestrator) -> None:
    orchestrator.add_task(action="echo", target="first", task_id="only")
    with pytest.raises(ConfigError, match="'only' is taken"):
        orchestrator.add_task(action="echo", target="second", task_id="only")
    assert orchestrator.execute_task("only") == "first"


def test_every_fault_is_listed_and_nothing_is_added(orchestrator: TaskOrchestrator, log_dir: Path) -> None:
    before = (log_dir / "orchestrator" / "events.jsonl").read_bytes()
    wrong: Dict[str, Any] = {
        "taskId": "../../etc/passwd",
        "type": 7,
        "action": "ehco",
        "dependencies": ["nobody"],
        "parameters": [1],
        "priority": "high",
        "timeout": -1,
        "retries": 1.5,
        "verify": 3,
        "retrys": 3,
    }
    with pytest.raises(ConfigError) as caught:
        orchestrator.add_task(wrong)
    text = str(caught.value)
    assert "nothing was added: 10 faults" in text
    for word in (
        "passwd",
        "type=7",
        "'echo'",
        "'nobody'",
        "parameters=[1]",
        "priority",
        "timeout",
        "retries",
        "verify",
    ):
        assert word in text
    assert "'retrys'; did you mean 'retries'?" in text
    assert len(orchestrator) == 0
    assert (log_dir / "orchestrator" / "events.jsonl").read_bytes() == before
    assert list(log_dir.glob("*.json")) == []


def test_of_several_tasks_all_are_added_or_none(orchestrator: TaskOrchestrator) -> None:
    with pytest.raises(ConfigError, match="task 'task_002': there is no handler"):
        orchestrator.add_tasks([{"action": "one"}, {"action": "nothing"}])
    assert len(orchestrator) == 0
    first, second = orchestrator.add_tasks([{"action": "add", "dependencies": ["b"]}, {"action": "one", "taskId": "b"}])
    assert (orchestrator.execute_with_dependencies(first), second) == (1, "b")


def test_tasks_that_wait_for_each_other_are_refused_with_the_cycle(orchestrator: TaskOrchestrator) -> None:
    ring = [{"action": "add", "taskId": name, "dependencies": [other]} for name, other in ("ab", "bc", "ca")]
    with pytest.raises(CycleError, match="cycle: a -> b -> c -> a") as caught:
        orchestrator.add_tasks(ring)
    assert caught.value.cycle == ("a", "b", "c", "a")
    assert len(orchestrator) == 0


@pytest.mark.parametrize("task_id", ["../../etc/passwd", "a/b", "a\\b", "", "x" * 201, "a\nb", "a[0]", 7])
def test_an_id_that_could_leave_the_directory_or_break_a_line_is_refused(
    orchestrator: TaskOrchestrator, task_id: Any, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="taskId"):
        orchestrator.add_task(action="one", task_id=task_id)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_id_that_is_a_strange_file_name_stays_in_the_directory(
    orchestrator: TaskOrchestrator, log_dir: Path
) -> None:
    ids = [
        orchestrator.add_task(action="one", task_id=name) for name in ("..", "Upper", "upper", "con", "a b:c", "ünï")
    ]
    names = {path.name.lower() for path in log_dir.glob("*.json")}
    assert len(names) == len(ids)
    assert set(orchestrator.logs()["taskId"]) == set(ids)


def test_a_task_without_a_handler_is_refused_when_it_is_added(orchestrator: TaskOrchestrator) -> None:
    with pytest.raises(ConfigError, match="no handler for action 'ech' of type 'task'; did you mean 'echo'"):
        orchestrator.add_task(action="ech")


def test_a_parameter_that_nothing_fills_is_refused_when_the_task_is_added(orchestrator: TaskOrchestrator) -> None:
    orchestrator.handler("join", lambda left, right: left + right)
    with pytest.raises(ConfigError, match="takes 'right', which nothing gives"):
        orchestrator.add_task(action="join", parameters={"left": 1})


def test_a_dict_and_keywords_at_once_are_refused(orchestrator: TaskOrchestrator) -> None:
    with pytest.raises(ConfigError, match="not both"):
        orchestrator.add_task({"action": "one"}, type="x")
    with pytest.raises(ConfigError, match="is not a dict of a task"):
        orchestrator.add_task(["one"])  # type: ignore[arg-type]


def test_times_are_milliseconds_in_the_dict_and_seconds_by_keyword(log_dir: Path) -> None:
    with make(log_dir) as orchestrator:
        for name, config in (("ms", {"timeout": 2500}), ("s", {})):
            orchestrator.add_task({"action": "one", "taskId": name, **config})
        orchestrator.add_task(action="one", task_id="keyword", timeout=2.5)
        entries = orchestrator._parts.book.queue.entries
        assert entries["ms"].definition.timeout == entries["keyword"].definition.timeout == 2.5


def test_tasks_are_added_while_others_run(orchestrator: TaskOrchestrator) -> None:
    orchestrator.handler("more", lambda: orchestrator.add_task(action="one"))
    first = orchestrator.add_task(action="more")
    added = orchestrator.execute_task(first)
    assert statuses(orchestrator) == {first: "completed", added: "pending"}


def test_a_function_and_a_task_of_a_flow_are_actions_too(orchestrator: TaskOrchestrator, log_dir: Path) -> None:
    flow = Flow("of_the_user", log_dir=log_dir)

    @flow.task(retries=2)
    def twice(number: int) -> int:
        return 2 * number

    assert orchestrator.execute_task(orchestrator.add_task(action=twice, parameters={"number": 4})) == 8
    function = orchestrator.add_task(action=sum_of, parameters={"a": 1})
    assert orchestrator.get_task_status(function)["action"] == "sum_of"
    assert orchestrator.execute_task(function) == 3
    with pytest.raises(ConfigError, match="neither a word nor a function"):
        orchestrator.add_task(action=3)


def sum_of(a: int, b: int = 2) -> int:
    return a + b


def test_adding_a_task_does_not_walk_through_those_that_are_there(orchestrator: TaskOrchestrator) -> None:
    first = orchestrator.add_task(action="one")
    queue = orchestrator._parts.book.queue
    queue.entries, whole = Unwalked(queue.entries), queue.entries
    orchestrator.add_task(action="add", dependencies=[first, "one"])
    orchestrator.add_tasks([{"action": "echo", "taskId": "a"}, {"action": "add", "dependencies": ["a", first]}])
    with pytest.raises(AssertionError, match="walked"):
        orchestrator.queue()
    assert (len(whole), len(queue.entries)) == (1, 4)
    queue.entries = dict(dict.items(queue.entries))
    assert len(orchestrator.queue()) == 4


def test_a_wrong_time_out_is_shown_as_it_was_given_in_its_own_unit(orchestrator: TaskOrchestrator) -> None:
    with pytest.raises(ConfigError, match="timeout=-5 is not more than 0; give seconds"):
        orchestrator.add_task(action="one", timeout=-5)
    with pytest.raises(ConfigError, match="timeout='5' is not a number; give seconds"):
        orchestrator.add_task(action="one", timeout="5")
    with pytest.raises(ConfigError, match="timeout=-5 is not more than 0; give milliseconds"):
        orchestrator.add_task({"action": "one", "timeout": -5})
    task = orchestrator.add_task(action="one", timeout=None)
    assert orchestrator._parts.book.queue.entries[task].definition.timeout is None


def test_what_is_no_dict_is_told_that_alone(orchestrator: TaskOrchestrator) -> None:
    with pytest.raises(ConfigError, match=r"^nothing was added: 'one' is not a dict of a task$"):
        orchestrator.add_task("one")  # type: ignore[arg-type]
