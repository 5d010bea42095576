"""A flow whose tasks are defined in cells of a notebook, which may be run again and in any order."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from flowdsl import Retry


class Notebook:
    """An IPython shell whose cells are given as text."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell

    def __call__(self, cell: str) -> None:
        result = self.shell.run_cell(cell, store_history=True)
        result.raise_error()

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


@pytest.fixture
def cell() -> Iterator[Notebook]:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    without_history = Config(HistoryManager={"enabled": False, "hist_file": ":memory:"})
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=without_history)
    notebook = Notebook(shell)
    notebook("from flowdsl import Flow, task, current_flow\nfor name in list(current_flow()): del current_flow()[name]")
    yield notebook
    notebook("for name in list(current_flow()): del current_flow()[name]")
    InteractiveShell.clear_instance()


def test_a_flow_made_again_by_its_cell_takes_over_what_was_defined(cell: Notebook) -> None:
    cell('etl = Flow("taken over")')
    cell("@etl.task\ndef a(): return 1")
    first = cell["etl"]
    cell('etl = Flow("taken over", retries=2)')
    assert cell["etl"] is not first
    assert list(cell["etl"]) == ["a"]
    assert cell["a"].flow is cell["etl"]
    assert cell["a"].flow.retries == Retry(2)


def test_tasks_defined_before_and_after_their_flow_was_made_again_are_one_flow(cell: Notebook) -> None:
    cell('etl = Flow("one flow")')
    cell("@etl.task\ndef a(): return 1")
    cell("@etl.task\ndef b(a): return a")
    cell('etl = Flow("one flow")')
    cell("@etl.task\ndef a(): return 2")
    assert cell["b"].graph()["a"].function() == 2
    cell("@etl.task(depends_on=b)\ndef c(b): return b")
    assert list(cell["c"].graph()) == ["a", "b", "c"]


def test_a_flow_that_was_taken_over_means_the_new_one(cell: Notebook) -> None:
    cell('etl = Flow("handle")')
    cell("@etl.task(uses='db')\ndef a(): return 1")
    first = cell["etl"]
    cell('etl = Flow("handle", limits={"db": 1})')
    assert first.newest is cell["etl"]
    assert first.graph().limits == {"db": 1}
    cell("@etl.task\ndef b(a): return 2")
    assert list(first) == ["a", "b"]


def test_another_flow_sees_a_flow_that_was_made_again(cell: Notebook) -> None:
    cell('etl = Flow("seen")\nother = Flow("seeing")')
    cell("@etl.task\ndef a(): return 1")
    cell("@other.task(depends_on=a)\ndef b(a): return a")
    cell('etl = Flow("seen", retries=7)')
    cell("@etl.task\ndef a(): return 2")
    graph = cell["b"].graph()
    assert graph["a"].function() == 2
    assert graph["a"].retries == Retry(7)


def test_fresh_starts_empty(cell: Notebook) -> None:
    cell('etl = Flow("fresh")')
    cell("@etl.task\ndef a(): return 1")
    cell('etl = Flow("fresh", fresh=True)')
    assert list(cell["etl"]) == []
    assert list(cell["a"].flow) == ["a"]


def test_two_flows_of_one_name_made_in_one_execution_are_two(cell: Notebook) -> None:
    cell('one = Flow("twin")\none.task("a")(lambda: 1)\ntwo = Flow("twin")')
    assert list(cell["two"]) == []
    assert list(cell["one"]) == ["a"]


def test_a_flow_made_inside_a_function_of_a_cell_is_always_empty(cell: Notebook) -> None:
    cell('def make():\n    flow = Flow("inner")\n    flow.task("a")(lambda: 1)\n    return flow')
    cell("one = make()")
    cell("two = make()")
    assert list(cell["two"]) == ["a"]
    assert cell["two"]["a"].flow is cell["two"]
    assert cell["one"]["a"].flow is cell["one"]


def test_a_cell_that_is_run_again_replaces_its_task_without_a_warning(cell: Notebook) -> None:
    source = "@task\ndef clean(): return 1"
    cell(source)
    first = cell["clean"]
    cell(source)
    cell("@task\ndef clean(): return 2")
    assert cell["clean"] is not first
    assert first.flow["clean"] is cell["clean"]
    assert list(cell["clean"].flow) == ["clean"]


def test_cells_that_keep_no_history_are_told_apart_too(cell: Notebook) -> None:
    for _ in range(3):
        cell.shell.run_cell("@task\ndef clean(): return 1", store_history=False).raise_error()
    assert cell["clean"]() == 1


def test_a_loop_in_a_cell_that_defines_one_name_warns(cell: Notebook) -> None:
    with pytest.warns(UserWarning, match="task 'clean' .* in a loop, give each its own name with name="):
        cell("for i in range(2):\n    @task\n    def clean(): return i")


def test_a_place_in_a_notebook_is_the_cell_as_the_reader_knows_it(cell: Notebook) -> None:
    result = cell.shell.run_cell("1 + 1\n@task\ndef clean(): return 1", store_history=True)
    assert result.execution_count > 1
    assert str(cell["clean"].spec.place) == f"In [{result.execution_count}], line 2"


def test_bare_task_in_a_notebook_goes_into_the_flow_of_main(cell: Notebook) -> None:
    cell("@task\ndef clean(): return 1")
    cell("flow = current_flow()")
    assert cell["flow"].name == "__main__"
    assert cell["clean"].flow is cell["flow"]


def test_cells_in_any_order_with_one_redefined_give_the_graph_of_the_new_definition(cell: Notebook) -> None:
    cell("@task\ndef report(clean): return clean")
    cell("@task\ndef flights(): return 1")
    cell("@task\ndef clean(flights): return flights")
    cell("@task\ndef flights(path): return path")
    graph = cell["report"].graph()
    assert list(graph) == ["flights", "clean", "report"]
    assert list(graph.inputs) == ["path"]


def test_a_flow_that_was_taken_over_runs_the_tasks_of_the_new_one(cell: Notebook) -> None:
    cell('etl = Flow("kept")\nearlier = etl')
    cell("@etl.task\ndef a(): return 1")
    cell('etl = Flow("kept")')
    assert cell["earlier"].run(targets=cell["a"], display=None)["a"] == 1


def test_what_another_flow_took_is_stale_only_where_it_was_defined_again(cell: Notebook) -> None:
    cell("from flowdsl import Flow\nmill = Flow('mill', retries=1)\nbakery = Flow('bakery')")
    cell("@mill.task\ndef grain(): return 1\n@mill.task\ndef flour(grain): return 2")
    cell("@bakery.task(depends_on=flour)\ndef bread(flour): return 3")
    bakery = cell["bakery"]
    run = bakery.run(display="none")
    assert bakery.graph().stale == frozenset()
    cell("@mill.task\ndef other(): return 1")
    assert bakery.graph().stale == frozenset()
    cell("@mill.task\ndef flour(grain): return 2")
    assert bakery.graph().stale == {"flour", "bread"}
    run = bakery.run(display="none")
    cell("mill = Flow('mill', retries=1)")
    assert bakery.graph().stale == frozenset()
    cell("mill = Flow('mill', retries=2)")
    assert bakery.graph()["grain"].retries.retries == 2
    assert run.graph["grain"].retries.retries == 1
