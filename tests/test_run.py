"""What a run says when it is asked for what it does not have, and what its records hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, List

import pytest

from flowdsl import Flow, Run, Skip, load_runs
from flowdsl.facts import facts


@pytest.fixture
def run() -> Run:
    flow = Flow("fan")

    @flow.task
    def numbers() -> List[int]:
        return [1, 2, 3]

    @flow.task(map="numbers")
    def tens(numbers: int) -> int:
        if numbers == 2:
            raise Skip("no two")
        return numbers * 10

    return flow.run(display=None)


@pytest.mark.parametrize("ask", [Run.__getitem__, Run.call, Run.cancel])
@pytest.mark.parametrize("name", [5, ("tens", 0), b"tens", ["tens"]])
def test_what_is_no_name_is_a_key_error_and_no_fault_of_ours(run: Run, ask: Callable[..., Any], name: Any) -> None:
    with pytest.raises(KeyError, match="has no task"):
        ask(run, name)
    assert name not in run


def test_a_task_object_is_no_name_and_the_error_shows_the_name(run: Run) -> None:
    task = run.origin.flow["tens"]
    with pytest.raises(KeyError, match=r"has no task <task 'tens' of flow 'fan'>.*run\['tens'\]"):
        run[task]  # type: ignore[index]


@pytest.mark.parametrize("name", ["tens[²]", "tens[٣]", "tens[00]", "tens[+0]", "tens[ 0]", "tens[0_0]"])
def test_an_item_has_one_name_only(run: Run, name: str) -> None:
    assert name not in run
    with pytest.raises(KeyError, match="has no task"):
        run[name]


def test_the_record_of_an_item_has_its_result(run: Run, tmp_path: Any) -> None:
    records = [json.loads(path.read_text()) for path in run.records(tmp_path)]
    results = {record["taskId"]: record["result"] for record in records}
    assert [results["tens[%d]" % index]["output"] for index in range(3)] == [10, None, 30]
    assert results["tens[1]"] == {"success": False, "output": None, "error": "no two"}


def test_the_records_of_a_past_run_are_those_of_the_run_without_its_results(run: Run, tmp_path: Any) -> None:
    live = [json.loads(path.read_text()) for path in run.records(tmp_path / "live")]
    (past,) = load_runs(run.dir.parent)
    again = [json.loads(path.read_text()) for path in past.records(str(tmp_path / "past"))]
    for record in live:
        record["result"]["output"] = None
    assert again == live and len(again) == 5


def test_a_list_with_gaps_is_no_result_of_a_mapped_task_whose_items_failed() -> None:
    flow = Flow("gaps")

    @flow.task(map="numbers")
    def halves(numbers: int) -> int:
        assert numbers % 2 == 0
        return numbers // 2

    @flow.task(run_when="all_done")
    def there(halves: List[Any]) -> int:
        return sum(1 for half in halves if half)

    run = flow.run(numbers=[2, 3, 4], raise_on_failure=False, display=None)
    assert run["there"] == 2
    asked = ["halves", "halves[0]", "halves[1]", "halves[2]", "halves[3]", "there", "nobody"]
    assert [name for name in asked if run.has_result(name)] == ["halves[0]", "halves[2]", "there"]
    taken = dict(facts(run, "there").arguments)
    assert taken["halves"] == "halves: no result so far"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"a": 1}, "the result of task 'split' has no item ['train']"),
        ([1, 2], "the result of task 'split' has no item ['train']: list indices must be integers"),
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_an_item_that_a_result_does_not_have_is_told_with_whose_result_it_is(
    log_dir: Path, value: Any, error: str, mapped: bool
) -> None:
    flow = Flow("items", log_dir=log_dir)
    split = flow.task("split")(lambda: value)
    flow.task("fit", depends_on={"rows": split["train"]}, **({"map": "rows"} if mapped else {}))(lambda rows: rows)
    run = flow.run(display=None, raise_on_failure=False)
    assert error in str(run.failures[0])
    assert run.tasks.set_index("task")["state"]["fit"] == "failed"
