"""Files loaded without their runs: what is executed, what is passed over, what is refused, which flow is meant."""

from __future__ import annotations

import itertools
import os
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import flowdsl
from flowdsl.errors import DefinitionError
from flowdsl.hold import HeldBack, runs_held_back
from flowdsl.loading import Loaded, load
from tests.notebooks.files import write_notebook

Save = Callable[..., Path]
_numbers = itertools.count()


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Save]:
    """Writes a script, or a notebook of several cells, under a name that no other test uses."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules = set(sys.modules)

    def write(*sources: str, suffix: str = ".py") -> Path:
        path = tmp_path / f"pipeline_{next(_numbers)}{suffix}"
        plain = [textwrap.dedent(source) for source in sources]
        if suffix == ".ipynb":
            return write_notebook(path, plain)
        path.write_text("\n".join(plain), encoding="utf-8")
        return path

    yield write
    for name in set(sys.modules) - modules:  # not our own: a second copy of those would not know what the first does
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def value(loaded: Loaded, name: str) -> Any:
    return loaded.namespace[name]


# ---- what is executed


def test_bare_tasks_land_in_the_flow_that_is_named_after_the_file(save: Save) -> None:
    path = save("from flowdsl import task\n@task\ndef one(): return 1\n")
    flow = load(path).flow()
    assert (flow.name, list(flow)) == (path.stem, ["one"])


def test_tasks_that_a_function_defines_are_found(save: Save) -> None:
    path = save(
        """
        from flowdsl import task
        def make(n):
            @task(name=f"task {n}")
            def made(): return n
        for n in range(3): make(n)
        """
    )
    assert list(load(path).flow()) == ["task 0", "task 1", "task 2"]


@pytest.mark.skipif(os.name != "posix", reason="there are worker processes on POSIX only")
@pytest.mark.parametrize("suffix", [".py", ".ipynb"])
def test_its_tasks_run_in_worker_processes_which_do_not_execute_it_again(suffix: str, save: Save) -> None:
    path = save(
        "import os\nfrom pathlib import Path\nfrom flowdsl import Flow\nhere = Path(%r)" % str(save().parent),
        "(here / ('executed by %d' % os.getpid())).touch()\nclass Box:\n    def __init__(self, v): self.v = v",
        "flow = Flow('boxes', isolation='process')",
        "@flow.task\ndef box(n=1): return Box(n)",
        "@flow.task\ndef opened(box):\n    assert type(box) is Box\n    return box.v, os.getpid()",
        "run = flow.run()",
        suffix=suffix,
    )
    loaded = load(path)
    run = loaded.flow().run(n=7, display=None)
    assert type(run["box"]) is value(loaded, "Box")
    number, pid = run["opened"]
    assert (number, pid != os.getpid()) == (7, True)
    assert [file.name for file in path.parent.glob("executed by *")] == ["executed by %d" % os.getpid()]


def test_the_part_for_scripts_is_not_executed(save: Save) -> None:
    path = save("import sys\nran = False\nif __name__ == '__main__':\n    ran = True\n")
    assert value(load(path), "ran") is False


def test_modules_beside_the_file_can_be_imported(save: Save, tmp_path: Path) -> None:
    (tmp_path / "helper_of_loading.py").write_text("SEVEN = 7\n", encoding="utf-8")
    assert value(load(save("from helper_of_loading import SEVEN\n")), "SEVEN") == 7


def test_the_file_is_a_module_that_other_modules_find(save: Save) -> None:
    path = save("from dataclasses import dataclass\n@dataclass\nclass Row:\n    x: 'int' = 0\nrow = Row(3)\n")
    loaded = load(path)
    assert value(loaded, "row").x == 3
    assert sys.modules[path.stem].__dict__ is loaded.namespace
    assert value(loaded, "__file__") == str(path)


def test_a_file_with_the_name_of_a_module_does_not_stand_in_its_way(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text("from flowdsl import task\n@task\ndef one(): return 1\n", encoding="utf-8")
    save()
    import json

    assert load(path).flow().name == "json_"
    assert sys.modules["json"] is json


def test_a_future_import_holds_for_the_statements_after_it(save: Save) -> None:
    path = save("from __future__ import annotations\ndef f(x: nobody_knows): pass\n")
    assert value(load(path), "f").__annotations__ == {"x": "nobody_knows"}


def test_the_cells_of_a_notebook_share_a_namespace_and_may_await(save: Save) -> None:
    path = save("import asyncio", "async def f(): return 5", "x = await f()\nawait asyncio.sleep(0)", suffix=".ipynb")
    assert value(load(path), "x") == 5


def test_what_a_notebook_displays_is_shown_nowhere(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    load(save("display({'text/plain': 'x'}, raw=True)\n5\n%matplotlib inline", suffix=".ipynb"))
    assert capsys.readouterr().out == ""


def test_a_task_that_a_later_cell_defines_again_is_replaced_without_a_warning(save: Save) -> None:
    one = "from flowdsl import task\n@task\ndef one(): return {}"
    path = save(one.format(1), one.format(2), suffix=".ipynb")
    assert load(path).flow()["one"]() == 2


def test_a_traceback_shows_the_lines_of_a_cell(save: Save) -> None:
    path = save("x = 1", "def fails():\n    return {}['nobody']", suffix=".ipynb")
    fails = value(load(path), "fails")
    with pytest.raises(KeyError) as caught:
        fails()
    last = caught.traceback[-1]
    assert str(last.statement).strip() == "return {}['nobody']"
    assert str(last.frame.code.raw.co_filename) == f"<{path.name}, cell 2>"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tracebacks point at columns from Python 3.11 on")
@pytest.mark.parametrize("magic", ["", "%%task fails\n"])
def test_a_traceback_points_at_the_right_column_of_a_last_line(save: Save, magic: str) -> None:
    source = "1 / 0" if magic else "def fails():\n    return 1 / 0"
    fails = value(load(save("import flowdsl", magic + source, suffix=".ipynb")), "fails")
    with pytest.raises(ZeroDivisionError) as caught:
        fails()
    *_, line, carets, _ = "".join(traceback.format_exception(*caught._excinfo)).splitlines()
    assert carets.index("~") == line.index("1 / 0")


def test_a_script_that_ends_itself_has_been_loaded(save: Save) -> None:
    path = save("from flowdsl import task\n@task\ndef one(): return 1\nraise SystemExit(3)\nnever = 1\n")
    loaded = load(path)
    assert list(loaded.flow()) == ["one"]
    assert "never" not in loaded.namespace


# ---- what is passed over

RUNS = """
    from flowdsl import task, last_run, load_runs

    @task
    def one():
        return 1

    run = {call}
    print(run["one"])
    doubled = run["one"] * 2

    @task
    def two(one):
        return 2 * one
"""


@pytest.mark.parametrize(
    "call", ["one.run()", "one.start()", "one.flow.run(targets=['one'])", "last_run()", "load_runs()[-1]"]
)
def test_what_starts_a_run_and_what_needs_it_are_passed_over(call: str, save: Save, tmp_path: Path) -> None:
    loaded = load(save(RUNS.format(call=call)))
    assert list(loaded.flow()) == ["one", "two"]
    assert [passed.line for passed in loaded.passed_over] == [8, 9, 10]
    assert not {"run", "doubled"} & set(loaded.namespace)
    assert not (tmp_path / "logs").exists()


def test_a_run_that_is_awaited_is_passed_over(save: Save) -> None:
    define = "from flowdsl import task\n@task\ndef one(): return 1"
    loaded = load(save(define, "run = await one.run_async()\nrun['one']", "x = 3", suffix=".ipynb"))
    assert [(passed.cell, passed.line) for passed in loaded.passed_over] == [(2, 1), (2, 2)]
    assert value(loaded, "x") == 3


def test_an_earlier_value_of_a_name_is_not_taken_for_that_of_a_run(save: Save) -> None:
    path = save(
        """
        from flowdsl import task
        @task
        def one(): return 1
        run = None
        run = one.run()
        assert run.state == "succeeded"
        """
    )
    assert [passed.line for passed in load(path).passed_over] == [6, 7]


@pytest.mark.parametrize(
    "use", ["runs['a']", "len(runs['a'].graph)", "for run in [runs['a']]: print(run)", "print(f\"{runs['a']}\")"]
)
def test_what_needs_an_entry_that_a_run_would_have_made_is_passed_over(use: str, save: Save) -> None:
    path = save(f"from flowdsl import task\n@task\ndef one(): return 1\nruns = {{}}\nruns['a'] = one.run()\n{use}\n")
    loaded = load(path)
    assert [passed.line for passed in loaded.passed_over] == [5, 6]
    assert value(loaded, "runs") == {}


def test_a_run_inside_a_try_is_passed_over_and_not_caught(save: Save) -> None:
    path = save(
        """
        from flowdsl import task
        caught = []
        @task
        def one(): return 1
        try:
            one.run()
        except Exception as exc:
            caught.append(exc)
        """
    )
    loaded = load(path)
    assert value(loaded, "caught") == []
    assert len(loaded.passed_over) == 1


def test_a_cell_that_raises_on_purpose_is_no_fault_and_ends_there(save: Save) -> None:
    path = save("", suffix=".ipynb")
    write_notebook(path, [("1 / 0\nx = 1", ["raises-exception"]), "y = 2"])
    loaded = load(path)
    assert "x" not in loaded.namespace
    assert value(loaded, "y") == 2


def test_runs_are_held_back_only_while_a_file_is_loaded(save: Save) -> None:
    flow = load(save("from flowdsl import task\n@task\ndef one(): return 1\nrun = one.run()\n")).flow()
    assert flow.run(display="none")["one"] == 1


def test_nothing_of_a_run_happens_where_runs_are_held_back(tmp_path: Path) -> None:
    flow = flowdsl.Flow("held")
    with runs_held_back(), pytest.raises(HeldBack):
        flow.run()
    assert not (tmp_path / "logs").exists()


# ---- what is refused


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x = 1\nx = = 2\n", r"pipeline_\d+\.py, line 2: invalid syntax"),
        ("\ny = 1 / 0\n", r"pipeline_\d+\.py, line 2: ZeroDivisionError: division by zero"),
        ("def f():\n    return nobody\nf()\n", r"pipeline_\d+\.py, line 2: NameError: .*nobody"),
        ("import nobody_has_this\n", r"pipeline_\d+\.py, line 1: ModuleNotFoundError: "),
        ("from flowdsl import task\n@task(retrys=1)\ndef f(): pass\n", r"line 2: .*did you mean 'retries'"),
        ("return 5\n", r"pipeline_\d+\.py, line 1: 'return' outside function"),
    ],
)
def test_a_file_that_fails_is_refused_with_its_line(source: str, says: str, save: Save) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        load(save(source))
    assert "\n" not in str(caught.value)


def test_a_cell_that_fails_is_named(save: Save) -> None:
    path = save("x = 1", "pass\ny = x / 0", suffix=".ipynb")
    with pytest.raises(DefinitionError, match=rf"{path.name}, cell 2, line 2: ZeroDivisionError"):
        load(path)


def test_a_failure_that_has_nothing_to_do_with_a_run_is_not_passed_over(save: Save) -> None:
    path = save("from flowdsl import task\n@task\ndef one(): return 1\nrun = one.run()\nnobody\n")
    with pytest.raises(DefinitionError, match="line 5: NameError"):
        load(path)


# ---- which flow is meant

TWO = """
    from flowdsl import Flow
    etl, train = Flow("etl"), Flow("train")
    empty = Flow("empty")

    @etl.task
    def fetch(): return 1

    @train.task
    def fit(): return 2

    @train.task
    def report(): return 2

    @etl.task(name="report")
    def report_of_etl(): return 2
"""


def test_a_flow_is_chosen_by_its_name(save: Save) -> None:
    assert load(save(TWO)).flow("train").name == "train"


def test_a_flow_is_chosen_by_targets_that_it_alone_has(save: Save) -> None:
    assert load(save(TWO)).flow(targets=["fit", "report"]).name == "train"


@pytest.mark.parametrize("targets", [(), ("report",), ("fetch", "fit")])
def test_flows_are_listed_where_it_is_not_clear_which_is_meant(targets: Any, save: Save) -> None:
    with pytest.raises(DefinitionError, match="has 2 flows: 'etl', 'train'; write FILE:FLOW"):
        load(save(TWO)).flow(targets=targets)


def test_a_misspelt_flow_is_answered_with_the_nearest_name(save: Save) -> None:
    with pytest.raises(DefinitionError, match="has no flow 'trian'; did you mean 'train'"):
        load(save(TWO)).flow("trian")


def test_two_flows_of_one_name_are_refused(save: Save) -> None:
    path = save(
        """
        from flowdsl import Flow
        a, b = Flow("etl"), Flow("etl")
        @a.task
        def one(): return 1
        @b.task
        def two(): return 2
        """
    )
    with pytest.raises(DefinitionError, match="has 2 flows named 'etl'"):
        load(path).flow("etl")


def test_a_flow_that_is_held_under_two_names_is_one(save: Save) -> None:
    path = save("from flowdsl import Flow\na = b = Flow('etl')\n@a.task\ndef one(): return 1\n")
    assert len(load(path).flows()) == 1


def test_a_file_without_tasks_is_refused(save: Save) -> None:
    with pytest.raises(DefinitionError, match="defines no tasks; put @task above"):
        load(save("x = 1\n")).flow()
