"""What tasks print in a notebook: below the run that printed it, in no other cell, and never too much of it."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tests.notebooks.executing import execute

nbformat = pytest.importorskip("nbformat", reason="nbformat is in the extra `test`")
pytest.importorskip("ipykernel", reason="ipykernel is in the extra `test`")

pytestmark = pytest.mark.slow  # kernels, and a hundred megabytes

SAYS = """
import logging, os, subprocess, sys, time, warnings
from flowdsl import Flow, last_run, progress

flow = Flow("talk")

@flow.task
def in_a_thread():
    print("a thread's word")
    logging.getLogger("users").warning("a thread's record")
    warnings.warn("a thread's warning")

@flow.task
async def in_a_coroutine():
    print("a coroutine's word")

@flow.task(isolation="process")
def in_a_process():
    print("a process's word")
    subprocess.run(["echo", "a program's word"])
"""

BEHIND = """
going = Flow("behind")

@going.task
def speaks():
    for number in range(20):
        print("word", number)
        print("to stderr", number, file=sys.stderr)
        time.sleep(0.05)

@going.task(isolation="process")
def speaks_too():
    for number in range(20):
        print("far word", number, flush=True)
        time.sleep(0.05)

run = going.start()
"""

FLOODS = """
from flowdsl import Flow

flow = Flow("flood")
line = "x" * 99_999

@flow.task(isolation=%r)
def floods():
    for number in range(1000):
        print(line)
    raise ValueError("a hundred megabytes later")

run = flow.run(executor=%r, raise_on_failure=False)
"""


def saved(directory: Path, *cells: str) -> Any:
    """The notebook of these cells, executed in a real kernel, saved and read again."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbformat.write(execute(notebook, directory), str(directory / "saved.ipynb"))
    return nbformat.read(str(directory / "saved.ipynb"), as_version=4)


def streams(cell: Any) -> List[Dict[str, Any]]:
    return [output for output in cell["outputs"] if output["output_type"] == "stream"]


def shown(cell: Any) -> str:
    """The text of all HTML of a cell."""
    pages = [output["data"].get("text/html", "") for output in cell["outputs"] if "data" in output]
    return html.unescape("".join(pages))


def test_what_tasks_say_is_below_their_run_and_nowhere_else(tmp_path: Path) -> None:
    notebook = saved(tmp_path, SAYS, "run = flow.run()", "print('mine')", "print(run.output('in_a_process'))")
    assert [streams(cell) for cell in notebook.cells[:2]] == [[], []]
    page = shown(notebook.cells[1])
    for word in ("a thread's word", "a thread's record", "a thread's warning", "a coroutine's word"):
        assert word in page
    assert "a process's word\na program's word" in page
    assert [out["text"] for out in streams(notebook.cells[2])] == ["mine\n"]
    assert [out["text"] for out in streams(notebook.cells[3])] == ["a process's word\na program's word\n\n"]


def test_what_a_run_says_that_was_left_behind_is_not_lost_into_other_cells(tmp_path: Path) -> None:
    other = "time.sleep(0.3); print('other', end='')"
    notebook = saved(tmp_path, SAYS, BEHIND, *[other] * 3, "run.wait()", "print(run.output('speaks'))")
    assert [streams(cell) for cell in notebook.cells[:2]] == [[], []]
    for cell in notebook.cells[2:5]:
        assert [out["text"] for out in streams(cell)] == ["other"]
    assert "word 19\nto stderr 19" in shown(notebook.cells[1])
    assert "far word 19" in shown(notebook.cells[1])
    (printed,) = streams(notebook.cells[6])
    assert printed["text"].splitlines()[:3] == ["word 0", "to stderr 0", "word 1"]


@pytest.mark.parametrize("kind", ["thread", "process", "inline"])
def test_a_hundred_megabytes_make_no_large_notebook(tmp_path: Path, kind: str) -> None:
    cells = FLOODS % ("process" if kind == "process" else "thread", "inline" if kind == "inline" else "threads")
    size = "from pathlib import Path\nprint([path.stat().st_size for path in Path(run.dir, 'output').iterdir()])"
    notebook = saved(tmp_path, cells, size, "print(run.attempts.output_bytes[0], run.output('floods')[-70:])")
    assert (tmp_path / "saved.ipynb").stat().st_size < 1_000_000
    assert "[flowdsl: the output is cut off here, after 10000000 bytes]" in shown(notebook.cells[0])
    (size_on_disk,) = streams(notebook.cells[1])
    assert 10_000_000 <= int(size_on_disk["text"].strip("[]\n")) < 10_000_100
    (printed,) = streams(notebook.cells[2])
    assert printed["text"].startswith("100000000 ")
    assert "[flowdsl: the output is cut off here, after 10000000 bytes]" in printed["text"]
