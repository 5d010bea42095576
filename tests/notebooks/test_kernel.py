"""Pipelines in a real kernel: cells in any order, cells run again, interrupts, tracebacks."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path
from typing import Dict, Iterator, List

import pytest

import flowdsl

pytest.importorskip("ipykernel", reason="ipykernel is in the extra `test`")
from tests.notebooks.kernel import PATIENCE, Kernel, kernel

EMPTY = "for name in list(flowdsl.current_flow()): del flowdsl.current_flow()[name]"


@pytest.fixture(scope="module")
def shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel(str(tmp_path_factory.mktemp("kernel"))) as started:
        yield started


@pytest.fixture
def cells(shared_kernel: Kernel) -> Kernel:
    """A kernel whose notebook has no tasks yet."""
    shared_kernel.value("import flowdsl, time\nfrom flowdsl import Flow, Retry, task\n" + EMPTY)
    return shared_kernel


# ---- cells in any order

PLAIN = {
    "start": ((), "{n}"),
    "left": (("start",), "start + {n}"),
    "right": (("start",), "start * {n}"),
    "both": (("left", "right"), "left - {n} * right"),
    "total": (("both", "start"), "[both, start, {n}]"),
}


def source(name: str, n: int) -> str:
    needs, formula = PLAIN[name]
    return f"@task\ndef {name}({', '.join(needs)}):\n    return {formula.format(n=n)}"


def expected(numbers: Dict[str, int]) -> str:
    """What plain functions in the right order give."""
    values: Dict[str, object] = {}
    for name, (_, formula) in PLAIN.items():
        values[name] = eval(formula.format(n=numbers[name]), {}, dict(values))
    return repr(values["total"])


@pytest.mark.parametrize("seed", range(8))
def test_cells_in_a_shuffled_order_with_one_redefined_give_the_results_of_the_new_definition(
    seed: int, cells: Kernel
) -> None:
    dice = random.Random(seed)
    numbers = {name: dice.randint(2, 9) for name in PLAIN}
    order: List[str] = dice.sample(sorted(PLAIN), len(PLAIN))
    changed = dice.choice(order)
    run_early = dice.random() < 0.5  # a run between the old definition and the new one

    for name in order:
        cells.value(source(name, numbers[name]))
    if run_early:
        assert cells.value("total.run(display='none')['total']") == expected(numbers)
    numbers[changed] += 10
    cells.value(source(changed, numbers[changed]))
    for name in dice.sample([name for name in order if name != changed], 2):  # cells that did not change, once more
        cells.value(source(name, numbers[name]))
    assert cells.value("flowdsl.current_flow()['total'].run(display='none')['total']") == expected(numbers)
    assert cells.value("total.run(display='none')['total']") == expected(numbers)


def test_a_task_object_from_before_the_change_means_the_new_definition(cells: Kernel) -> None:
    cells.value("@task\ndef one(): return 1\nheld = one")
    cells.value("@task(depends_on={'x': held})\ndef two(x): return 2 * x")
    cells.value("@task\ndef one(): return 21")
    assert cells.value("two.run(display='none')['two']") == "42"


def test_bare_tasks_of_a_notebook_are_one_flow(cells: Kernel) -> None:
    cells.value("@task\ndef one(): return 1")
    cells.value("@task\ndef two(one): return 2")
    assert cells.value("print(list(flowdsl.current_flow()), one.flow is two.flow)") == "['one', 'two'] True"


def test_the_cell_that_makes_a_flow_can_be_run_again_and_keeps_the_tasks(cells: Kernel) -> None:
    make = "etl = Flow('etl', retries={n})"
    cells.value(make.format(n=0))
    cells.value("@etl.task\ndef one(): return 1")
    cells.value(make.format(n=2))
    assert cells.value("print(list(etl), etl.retries.retries, one.flow is etl)") == "['one'] 2 True"
    assert cells.value("etl.run(display='none')['one']") == "1"


def test_a_cell_that_is_run_again_says_nothing(cells: Kernel) -> None:
    for _ in range(3):
        assert cells.run("@task\ndef one(): return 1").outputs == []


def test_tasks_of_a_loop_without_names_of_their_own_are_warned_of(cells: Kernel) -> None:
    reply = cells.run("for n in range(3):\n    @task\n    def one(): return n")
    assert "in a loop, give each its own name with name=" in reply.text


# ---- errors


def test_an_error_in_a_task_shows_the_line_of_the_cell(cells: Kernel) -> None:
    cells.value("@task\ndef table(): return {}")
    cells.value("@task\ndef broken(table):\n    wanted = 'nobody'\n    return table[wanted]")
    cells.value("@task\ndef after(broken): return 1")
    reply = cells.run("after.run(display='none')")
    assert reply.error == "RunFailed"
    assert re.search(r"-> 4 +return table\[wanted\]", reply.traceback)
    assert "task broken failed" in reply.traceback
    assert "KeyError: 'nobody'" in reply.traceback
    assert "not run: after" in reply.traceback
    assert "run = flowdsl.last_run().rerun(failed=True)" in reply.traceback
    assert f"{flowdsl_folder()}" not in reply.traceback, "only lines of the user are shown"


def flowdsl_folder() -> str:
    return str(Path(flowdsl.__file__).parent)


def test_a_result_that_is_not_there_shows_the_line_of_the_task_that_failed(cells: Kernel) -> None:
    cells.value("@task(retries=1)\ndef broken():\n    raise ValueError('no rows')")
    cells.value("@task\ndef after(broken): return 1")
    cells.value("run = after.run(display='none', raise_on_failure=False, executor='processes')")
    reply = cells.run("run['after']")
    assert reply.error == "TaskResultError"
    assert "because of task 'broken'" in reply.traceback
    assert "task broken failed, attempt 2 of 2" in reply.traceback
    assert re.search(r"-> 3 +raise ValueError", reply.traceback)
    assert f"{flowdsl_folder()}" not in reply.traceback


def test_the_results_of_a_failed_run_can_still_be_had(cells: Kernel) -> None:
    cells.value("@task\ndef table(): return {'x': 1}")
    cells.value("@task\ndef broken(table): return table['y']")
    assert cells.run("broken.run(display='none')").error == "RunFailed"
    assert cells.value("flowdsl.last_run()['table']") == "{'x': 1}"


def test_a_misspelt_name_is_answered_in_the_cell(cells: Kernel) -> None:
    cells.value("@task\ndef flights(): return 1")
    cells.value("@task(depends_on='fligths')\ndef clean(): return 1")
    reply = cells.run("clean.run()")
    assert reply.error == "GraphError"
    assert "did you mean 'flights'?" in reply.traceback
    assert "In [" in cells.run("@task(retries=-1)\ndef clean(): return 1").traceback.splitlines()[-1]


# ---- the stop button

LONG = """
from pathlib import Path
@task
def long():
    Path("begun").touch()
    for _ in range(1200):
        time.sleep(0.05)
@task
def after(long): return 1
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["after.run()", "after.run(executor='inline')", "await after.run_async()"])
def test_an_interrupt_cancels_the_run_and_leaves_the_kernel_usable(how: str, cells: Kernel) -> None:
    directory = Path(cells.value("import os; print(os.getcwd())"))
    cells.value(LONG)
    going = cells.begin(how)
    until = time.monotonic() + PATIENCE
    while not (directory / "begun").exists() and time.monotonic() < until:
        time.sleep(0.05)
    (directory / "begun").unlink()
    cells.interrupt()
    reply = cells.finish(going)
    assert reply.error in ("KeyboardInterrupt", "CancelledError"), reply.traceback
    run = "run = flowdsl.last_run(); print(run.wait(30), run.state, dict(zip(run.tasks.task, run.tasks.state)))"
    assert cells.value(run) == "True cancelled {'long': 'cancelled', 'after': 'cancelled'}"
    cells.value("@task\ndef long(): return 20")
    assert cells.value("after.run(display='none')['after']") == "1"


def test_a_run_that_was_left_behind_goes_on_while_other_cells_run(cells: Kernel) -> None:
    cells.value("import threading\ngate = threading.Event()\n@task\ndef waits(): return gate.wait(30)")
    cells.value("run = waits.start(display='none')")
    assert cells.value("print(run.state)") == "running"
    assert cells.value("gate.set(); print(run.wait(30), run['waits'])") == "True True"
