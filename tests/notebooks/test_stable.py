"""With `options.stable_repr` a notebook has the same outputs each time, so that nbval can check it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tests.notebooks.executing import execute

nbformat = pytest.importorskip("nbformat", reason="nbformat is in the extra `test`")
pytest.importorskip("ipykernel", reason="ipykernel is in the extra `test`")

pytestmark = pytest.mark.slow  # two kernels, and tasks that sleep

FLOW = [
    "import random, time, flowdsl\nfrom flowdsl import Flow, Retry, Skip, current\nflow = Flow('bakery')",
    "@flow.task(tags='ingest')\ndef orders(days=7):\n    'All orders.'\n    time.sleep(random.random() / 20)\n"
    "    return [12] * days",
    "@flow.task(retries=Retry(2, delay=0.01))\ndef price():\n"
    "    if current().attempt == 1: raise ConnectionError('no answer')\n    time.sleep(random.random() / 20)",
    "@flow.task\ndef audit(orders):\n    time.sleep(random.random() / 20)\n    raise ValueError('too small')",
    "@flow.task\ndef second_audit(orders):\n    time.sleep(random.random() / 20)\n    raise ValueError('too large')",
    "@flow.task\ndef nothing(orders):\n    raise Skip('nothing to do')",
    "@flow.task(depends_on=['audit', 'price'])\ndef report(orders): ...",
]
SHOWN = [
    "flow",
    "flow['orders']",
    "flow.graph()",
    "print(flow.graph())",
    "flow.graph().to_mermaid()",
    "run = flow.run(raise_on_failure=False, display='none')",
    "run",
    "print(run)",
    "run.failures",
    "run.timeline()",
    "print(run.timeline())",
    "flow.history()",
    "print(flow.history(), run.what_if(2))",
    "run.rerun(failed=True, dry_run=True)",
    "runs = flowdsl.load_runs()",
    "runs",
    "runs[-1]",
    "print(runs, runs[-1])",
    "runs[-1].timeline()",
    "from flowdsl.views.summary import summary\nprint(summary(run.snapshot(), str(run.dir)))",
    "try:\n    flow.run(display='none')\nexcept flowdsl.RunFailed as exc:\n    print(exc)",
]
LIVE = ["flow.run(raise_on_failure=False)", "flow.run(raise_on_failure=False, display='lines')"]


def notebook(*cells: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])


def outputs(made: Any) -> Dict[str, List[Any]]:
    """What each cell shows, by its source."""
    return {
        cell.source: [
            output.get("data") or output.get("text") or (output.get("ename"), output.get("evalue"))
            for output in cell.outputs
        ]
        for cell in made.cells
    }


def test_two_executions_show_the_same(tmp_path: Path) -> None:
    cells = ["import flowdsl\nflowdsl.options.stable_repr = True", *FLOW, *SHOWN, *LIVE]
    first, second = (outputs(execute(notebook(*cells), directory)) for directory in two_directories(tmp_path))
    assert first == second
    assert all(shown for source, shown in first.items() if source in SHOWN and not source.startswith("run"))
    assert sum("text/html" in data for shown in first.values() for data in shown) >= 7


def two_directories(tmp_path: Path) -> List[Path]:
    made = [tmp_path / "one", tmp_path / "two"]
    for directory in made:
        directory.mkdir()
    return made


def test_nbval_is_content_and_without_the_switch_it_is_not(tmp_path: Path) -> None:
    pytest.importorskip("nbval", reason="nbval is in the extra `test`")
    cells = [*FLOW, *SHOWN]
    answers = {}
    for switch in ("1", "0"):
        path = tmp_path / f"stable{switch}.ipynb"
        environment = {**os.environ, "FLOWDSL_STABLE_REPR": switch}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FLOWDSL_STABLE_REPR", switch)
            nbformat.write(execute(notebook(*cells), tmp_path), str(path))
        shutil.rmtree(tmp_path / "logs")
        command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
        done = subprocess.run([*command, path.name], cwd=tmp_path, env=environment, capture_output=True, text=True)
        answers[switch] = (done.returncode, done.stdout)
    assert answers["1"][0] == 0, answers["1"][1]
    assert answers["0"][0] == 1, answers["0"][1]
