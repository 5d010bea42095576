"""The notebook of the four orchestrators: it runs in a kernel and prints what is saved with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.notebooks.executing import checked, execute

nbformat = pytest.importorskip("nbformat", reason="nbformat is in the extra `test`")


@pytest.fixture(scope="module")
def notebook() -> Path:
    return Path(__file__).resolve().parents[2] / "notebooks" / "orchestrator.ipynb"


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.timeout(300)
def test_the_notebook_runs_in_a_kernel_and_prints_what_is_saved_with_it(notebook: Path, tmp_path: Path) -> None:
    saved = nbformat.read(str(notebook), as_version=4)
    executed = execute(nbformat.read(str(notebook), as_version=4), tmp_path)
    assert len(checked(saved)) >= 10
    assert checked(executed) == checked(saved)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert (tmp_path / "orchestrator-demo" / "pages" / "index.md").is_file()
    assert "<svg" in (tmp_path / "orchestrator-demo" / "queue.html").read_text(encoding="utf-8")


def test_what_is_saved_with_the_notebook_tells_nothing_of_the_machine(notebook: Path) -> None:
    text = notebook.read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code"), "saved without its outputs"
    assert "site-packages" not in text
    assert "/root" not in text and "/home/" not in text and "/tmp/" not in text
