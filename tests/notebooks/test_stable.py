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

pytestmark = [pytest.mark.slow, pytest.mark.once]  # two kernels, and tasks that sleep

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
    *(
        f"@flow.task\ndef {side}():\n    time.sleep(random.random() / 20)\n    return [1, 2, 3]\n"
        f"@flow.task(map='{side}')\ndef of_{side}({side}):\n    time.sleep(random.random() / 50)\n"
        f"    print('item', {side})\n    if {side} > 1: raise ValueError({side})"
        for side in ("left", "right")
    ),
    "@flow.task\ndef both(of_left, of_right): ...",
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
LIVE = [
    "flow.run(raise_on_failure=False)",
    "flow.run(raise_on_failure=False, display='lines')",
    "going = flow.start(raise_on_failure=False)",
    "going.wait(60)",
    "going",
    "awaited = await flow.run_async(raise_on_failure=False)",
    "again = going.rerun(failed=True, raise_on_failure=False)",
    "later = going.rerun(failed=True, wait=False, raise_on_failure=False)",
    "later.wait(60), later.state",
]


def notebook(*cells: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])


def outputs(made: Any) -> Dict[str, List[Any]]:
    """What each cell shows, by its source; in how many pieces a stream comes is the kernel's affair."""
    return {cell.source: [*_shown(cell.outputs), *_printed(cell.outputs)] for cell in made.cells}


def _shown(found: List[Any]) -> List[Any]:
    others = (output for output in found if output["output_type"] != "stream")
    return [output.get("data") or (output.get("ename"), output.get("evalue")) for output in others]


def _printed(found: List[Any]) -> List[str]:
    streams: Dict[str, str] = {}
    for output in found:
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + output["text"]
    return [text for _, text in sorted(streams.items())]


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


def nbval(path: Path, switch: str) -> Any:
    """What nbval says of a notebook, every output of which it compares."""
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
    environment = {**os.environ, "FLOWDSL_STABLE_REPR": switch}
    environment.pop("JPY_SESSION_NAME", None)
    return subprocess.run([*command, path.name], cwd=path.parent, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("page", ["", "a.ipynb"], ids=["executed", "saved from a page"])
def test_nbval_is_content_with_runs_that_are_shown_while_they_go_on(tmp_path: Path, page: str) -> None:
    pytest.importorskip("nbval", reason="nbval is in the extra `test`")
    path = tmp_path / "stable.ipynb"
    slow = "@flow.task\ndef slow():\n    time.sleep(0.7)  # long enough to be painted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOWDSL_STABLE_REPR", "1")
        patch.setenv("JPY_SESSION_NAME", page)
        made = execute(notebook(*FLOW, slow, *LIVE), tmp_path)
    nbformat.write(made, str(path))
    shown = outputs(made)
    assert "\u2717 failed" in shown[LIVE[0]][0]["text/html"]
    assert "started here" in shown["going = flow.start(raise_on_failure=False)"][0]["text/html"]
    done = nbval(path, "1")
    assert done.returncode == 0, done.stdout


def test_without_the_switch_nbval_is_not_content(tmp_path: Path) -> None:
    pytest.importorskip("nbval", reason="nbval is in the extra `test`")
    answers = {}
    for switch in ("1", "0"):
        path = tmp_path / f"stable{switch}.ipynb"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FLOWDSL_STABLE_REPR", switch)
            nbformat.write(execute(notebook(*FLOW, *SHOWN), tmp_path), str(path))
        shutil.rmtree(tmp_path / "logs")
        answers[switch] = nbval(path, switch)
    assert answers["1"].returncode == 0, answers["1"].stdout
    assert answers["0"].returncode == 1, answers["0"].stdout
