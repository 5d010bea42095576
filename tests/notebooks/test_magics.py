"""`%load_ext flowdsl` in a real kernel."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Iterator

import pytest

import flowdsl
from flowdsl.loading import load
from tests.notebooks.files import write_notebook

pytest.importorskip("ipykernel", reason="ipykernel is in the extra `test`")
from tests.notebooks.kernel import Kernel, kernel

pytestmark = pytest.mark.slow  # a kernel

OURS = str(Path(flowdsl.__file__).parent)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel(str(tmp_path_factory.mktemp("magics"))) as one:
        one.value("%load_ext flowdsl\nimport flowdsl\nfrom flowdsl import Flow, Retry, current_flow")
        yield one


@pytest.fixture
def cells(started: Kernel) -> Kernel:
    """A notebook without tasks."""
    started.value("for name in list(current_flow()): del current_flow()[name]")
    return started


def test_a_cell_becomes_a_task_with_edges_globals_and_inputs(cells: Kernel) -> None:
    cells.value("factor = 10")
    cells.value("%%task total retries=Retry(2) timeout=5\nall_of = sum(numbers)\nall_of * factor")
    cells.value("%%task numbers\nlist(range(upto))")
    assert cells.value("run = total.run(upto=4, display='none')\nrun['total']") == "60"
    assert cells.value("factor = 1\ntotal.run(upto=4, display='none')['total']") == "6"
    assert cells.value("total.spec.timeout, total.spec.place.file[:4], total.spec.place.line") == "(5.0, 'In [', 1)"


def test_a_cell_that_is_run_again_replaces_its_task(cells: Kernel) -> None:
    cells.value("%%task one\n1")
    cells.value("%%task one\n2")
    assert cells.value("one.run(display='none')['one']") == "2"


def test_an_error_in_the_cell_shows_its_line(cells: Kernel) -> None:
    cells.value("%%task broken\nx = 1\n\nraise ValueError('no')")
    reply = cells.run("%flow run broken display='none'")
    assert reply.error == "RunFailed"
    assert re.search(r"-> 4 +raise ValueError\('no'\)", reply.traceback)
    assert re.search(r"Cell In ?\[\d+\], line 4, in broken", reply.traceback)
    assert OURS not in reply.traceback


@pytest.mark.parametrize(
    ("cell", "error", "text"),
    [
        ("%%task\n1", "ConfigError", "a name comes first"),
        ("%%task x timout=1\n1", "ConfigError", "did you mean 'timeout'?"),
        ("%%task x\n1 +", "DefinitionError", "%%task x, line 2"),
        ("%flow run nothing", "KeyError", "flow '__main__' has no task 'nothing'"),
        ("%flow graph x=1", "ConfigError", "x= is of no use here"),
    ],
)
def test_what_is_written_wrongly_is_told_in_one_line(cell: str, error: str, text: str, cells: Kernel) -> None:
    reply = cells.run(cell)
    assert reply.error == error
    assert len(reply.traceback.splitlines()) == 1
    assert text in reply.traceback


def test_flow_shows_runs_and_looks_back(cells: Kernel) -> None:
    cells.value("%%task digits\nlist(range(upto))")
    cells.value("%%task checksum\nsum(digits)")
    assert "digits \u2192 checksum" in cells.value("%flow")
    assert "digits" in cells.value("%flow graph digits")
    assert cells.value("done = %flow run checksum upto=3 display='none'\ndone['checksum']") == "3"
    assert cells.value("later = %flow start upto=4 display='none'\nlater.wait(30), later['checksum']") == "(True, 6)"
    states = cells.value("logs = %flow logs\nlogs['state'].tolist()[-2:]")
    assert states == "['succeeded', 'succeeded']"
    assert cells.value("tries = %flow logs checksum\nset(tries['task'])") == "{'checksum'}"


def test_a_flow_of_ones_own_can_be_named(cells: Kernel) -> None:
    cells.value("shop = Flow('shop', fresh=True)")
    cells.value("%%task opened flow=shop isolation='process'\n'open'")
    assert cells.value("done = %flow run flow=shop display='none'\ndone['opened']") == "'open'"


def test_the_command_loads_such_cells_without_ipython(tmp_path: Path) -> None:
    cells = [
        "%load_ext flowdsl",
        "factor = 3",
        "%%task total timeout=5\nsum(numbers) * factor",
        "%%task numbers\n[1, 2]",
    ]
    path = write_notebook(tmp_path / "n.ipynb", cells)
    assert load(path).flow().run(display="none")["total"] == 9
    shown = write_notebook(tmp_path / "s.ipynb", [*cells, "%flow", "run = %flow run total\nprint(run['total'])"])
    loaded = load(shown)
    assert [one.cell for one in loaded.passed_over] == [6, 6]
    assert loaded.flow().run(display="none")["total"] == 9
    bad = json.loads(path.read_text())
    bad["cells"][-1]["source"] = ["%%task numbers\n", "[1,\n"]
    path.write_text(json.dumps(bad))
    with pytest.raises(flowdsl.DefinitionError, match=r"n\.ipynb, cell 4"):
        load(path)
