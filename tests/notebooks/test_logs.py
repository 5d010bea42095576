"""The notebook on logs: in a kernel it prints what is saved with it, and what is saved needs no kernel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.notebooks.executing import checked, execute

nbformat = pytest.importorskip("nbformat", reason="nbformat is in the extra `test`")

MISSING = [name for name in ("matplotlib", "ipykernel") if importlib.util.find_spec(name) is None]


@pytest.fixture(scope="module")
def logs() -> Path:
    return Path(__file__).resolve().parents[2] / "notebooks" / "logs.ipynb"


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.skipif(bool(MISSING), reason=f"the extra `data` brings {' and '.join(MISSING)}")
def test_the_notebook_runs_in_a_kernel_and_prints_what_is_saved_with_it(logs: Path, tmp_path: Path) -> None:
    saved = nbformat.read(str(logs), as_version=4)
    executed = execute(nbformat.read(str(logs), as_version=4), tmp_path)
    assert len(checked(saved)) >= 10
    assert checked(executed) == checked(saved)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_saved_with_it_needs_no_kernel_and_tells_nothing_of_the_machine(logs: Path) -> None:
    notebook = nbformat.read(str(logs), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "saved without its outputs"
    kinds = {kind for cell in code for output in cell.outputs for kind in output.get("data", ())}
    assert {"image/svg+xml", "image/png"} <= kinds
    assert not [kind for kind in kinds if "widget" in kind]
    assert logs.stat().st_size < 500_000
    text = logs.read_text(encoding="utf-8")
    assert "site-packages" not in text
    assert "/root" not in text and "/home/" not in text and "/tmp/" not in text
