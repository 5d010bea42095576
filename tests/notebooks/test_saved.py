"""What a saved notebook keeps of a live view: static pictures, and no widget that needs a kernel."""

from __future__ import annotations

from typing import Any, List

import pytest

from tests.notebooks.executing import execute

nbformat = pytest.importorskip("nbformat", reason="nbformat is in the extra `test`")
pytest.importorskip("ipykernel", reason="ipykernel is in the extra `test`")

pytestmark = [pytest.mark.slow, pytest.mark.once]  # a kernel, and tasks that sleep

CELLS = [
    "import time\nfrom flowdsl import Retry, current, task",
    "@task\ndef first():\n    time.sleep(0.6)\n    return 1",
    "@task(retries=Retry(1, delay=0.3))\ndef second(first):\n"
    "    if current().attempt == 1: raise ConnectionError('no answer')\n    return first + 1",
    "second.graph()",
    "run = second.run()",
    "run.timeline()",
    "going = second.start()",
    "going.wait(30)",
]


def data_of(cell: Any) -> List[Any]:
    return [output["data"] for output in cell["outputs"] if "data" in output]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook, executed in a real kernel while it shows its runs live, saved and read again."""
    directory = tmp_path_factory.mktemp("saved")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    nbformat.write(execute(notebook, directory), str(directory / "saved.ipynb"))
    return nbformat.read(str(directory / "saved.ipynb"), as_version=4)


def test_a_graph_is_kept_as_a_picture_and_as_text(saved: Any) -> None:
    (data,) = data_of(saved.cells[3])
    assert data["image/svg+xml"].startswith("<svg")
    assert "first \u2192 second" in data["text/plain"]


@pytest.mark.parametrize("cell", [4, 6])
def test_a_live_view_ends_as_a_static_picture_of_the_end(cell: int, saved: Any) -> None:
    (data,) = data_of(saved.cells[cell])
    assert sorted(data) == ["text/html", "text/plain"]
    assert "data:image/svg+xml;base64," in data["text/html"]
    assert "\u2713 2 succeeded" in data["text/html"]
    assert "\u2713 first \u2192 \u2713 second" in data["text/plain"]


def test_no_widget_is_left_in_any_output(saved: Any) -> None:
    kinds = {kind for cell in saved.cells for data in data_of(cell) for kind in data}
    assert not [kind for kind in kinds if "widget" in kind]


def test_a_timeline_is_kept_as_a_picture(saved: Any) -> None:
    (data,) = data_of(saved.cells[5])
    assert data["image/svg+xml"].startswith("<svg")


def test_nothing_is_written_to_a_stream(saved: Any) -> None:
    assert [output for cell in saved.cells for output in cell["outputs"] if output["output_type"] == "stream"] == []
