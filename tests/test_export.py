"""`flowdsl export`: a notebook's tasks as a module that does the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, List, Sequence

import pytest
from click.testing import CliRunner

from flowdsl.cli import main
from flowdsl.export import exported
from flowdsl.loading import load
from tests.notebooks.files import write_notebook

SHOP: Sequence[str] = (
    "%matplotlib inline\nfrom __future__ import annotations\nimport math, json\nimport os.path as osp\nimport flowdsl\n"
    "from flowdsl import Flow, Retry, task",
    "# what an article costs more\nfactor = 2\nsettings = {'round': 1}\nunused = 3",
    "settings['round'] = 2\n\n\ndef rounded(value):\n    return round(value, settings['round'])",
    "@task\ndef prices(first=1):\n    '''The prices.'''\n    return [first, math.pi]",
    "prices.graph()",
    "%%task total retries=Retry(1) timeout=5\n# all of them\ntext = '''two\nlines'''\nrounded(sum(prices) * factor)",
    "run = total.run()\nrun['total']",
    "print(unused, run)",
    "shop = Flow('shop')\n\n\n@shop.task(retries=1)\ndef open_(door='a'):\n    return door",
    "%%task shut flow=shop\nopen_ + 'b'",
)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "shop.ipynb", SHOP)


def command(*words: str) -> Any:
    return CliRunner().invoke(main, list(words))


def test_the_module_does_what_the_notebook_does(notebook: Path, tmp_path: Path) -> None:
    done = command("export", str(notebook), "-o", str(tmp_path / "pipeline.py"))
    assert (done.exit_code, done.output) == (0, f"{tmp_path / 'pipeline.py'}: 4 tasks\n")
    for file in (notebook, tmp_path / "pipeline.py"):
        words: List[str] = [sys.executable, "-m", "flowdsl", "run", str(file), "--target", "total", "-q"]
        ran = subprocess.run(words, cwd=str(tmp_path), capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr.decode()
    loaded = load(tmp_path / "pipeline.py")
    assert loaded.flow(targets=["total"]).run(targets="total", display="none")["total"] == 8.28
    assert loaded.flow(targets=["shut"]).run(display="none", door="x")["shut"] == "xb"
    assert loaded.flow(targets=["total"])["total"].spec.timeout == 5


def test_the_module_has_what_tasks_need_and_nothing_else(notebook: Path) -> None:
    text = exported(notebook, load(notebook)).text
    assert text.splitlines()[:3] == [
        '"""The tasks of shop.ipynb, written by `flowdsl export`."""',
        "",
        "from __future__ import annotations",
    ]
    for part in (
        "import math, json",
        "# what an article costs more\nfactor = 2",
        "settings['round'] = 2",
        "# all of them",
    ):
        assert part in text
    for part in ("matplotlib", "osp", "unused", ".run(", ".graph("):
        assert part not in text
    assert "@flowdsl.task(retries=Retry(1), timeout=5)\ndef total(prices):\n    # all of them" in text
    assert "@shop.task\ndef shut(open_):\n    return open_ + 'b'" in text


def test_without_a_file_it_is_printed(notebook: Path) -> None:
    done = command("export", str(notebook))
    assert done.exit_code == 0
    assert done.output == exported(notebook, load(notebook)).text


def test_a_file_that_is_there_is_kept(notebook: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("mine = 1\n")
    refused = command("export", str(notebook), "-o", str(tmp_path / "mine.py"))
    assert (refused.exit_code, (tmp_path / "mine.py").read_text()) == (2, "mine = 1\n")
    assert "--force writes over it" in refused.output
    assert command("export", str(notebook), "-o", str(tmp_path / "mine.py"), "--force").exit_code == 0


def test_what_needs_a_run_is_named(tmp_path: Path) -> None:
    cells = [
        "from flowdsl import task\n@task\ndef a():\n    return 1",
        "first = a.run()['a']",
        "def use():\n    return first\n@task\ndef b():\n    return use()",
    ]
    done = command("export", str(write_notebook(tmp_path / "n.ipynb", cells)), "-o", str(tmp_path / "n2.py"))
    assert done.exit_code == 0
    assert "left out because it starts a run, though tasks need it: cell 2" in done.output


def test_a_notebook_without_tasks_is_refused(tmp_path: Path) -> None:
    done = command("export", str(write_notebook(tmp_path / "n.ipynb", ["x = 1"])))
    assert (done.exit_code, "defines no tasks" in done.output) == (2, True)


def test_tasks_that_are_made_in_a_loop_come_along(tmp_path: Path) -> None:
    cells = [
        "from flowdsl import task\nnames = ['a', 'b']\nnames.append('c')",
        "for name in names:\n    @task(name=name)\n    def one(n=name):\n        return n",
    ]
    path = write_notebook(tmp_path / "n.ipynb", cells)
    done = command("export", str(path), "-o", str(tmp_path / "loop.py"))
    assert done.output == f"{tmp_path / 'loop.py'}: 3 tasks\n"


REDEFINED: Sequence[str] = (
    "import math\nfrom flowdsl import Flow, task\nshop = Flow('shop')",
    "only_then = 1\n\n\n@task\ndef rows():\n    return [only_then]",
    "rows.run(display='none')",
    "@task\ndef rows():\n    return [math.pi]",
    "%%task total\nmin(rows)",
    "@task(name='total')\ndef the_sum(rows):\n    return sum(rows)",
    "@task\ndef source():\n    return 1",
    "@task(depends_on={'x': source})\ndef taken(x):\n    return x",
    "@task\ndef source():\n    return 2",
    "@shop.task\ndef open_():\n    return 1",
    "@shop.task('open_')\ndef opened():\n    return 2",
    "def made(flow):\n    return flow\nother = Flow('a')",
    "@other.task\ndef both():\n    return 'a'",
    "other = Flow('b')",
    "@other.task\ndef both():\n    return 'b'",
)


def test_of_a_task_that_was_redefined_the_last_definition_is_kept(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "again.ipynb", REDEFINED)
    text = exported(path, load(path)).text
    assert "only_then" not in text and "math.pi" in text
    assert text.count("def rows") == 1
    assert "def total" not in text and "def the_sum" in text
    assert text.count("def open_()") == 0
    assert text.count("def source") == 2, "the first is named before the second stands there"
    assert text.count("def both") == 2, "they are tasks of two flows"
    (tmp_path / "module.py").write_text(text, encoding="utf-8")
    loaded = load(tmp_path / "module.py")
    assert loaded.flow(targets=["rows"]).run(display="none", log_dir=tmp_path)["total"] == pytest.approx(3.14, abs=0.01)
    assert loaded.flow(targets=["taken"]).run(display="none", log_dir=tmp_path)["taken"] == 2
    assert loaded.flow(targets=["open_"]).run(display="none", log_dir=tmp_path)["open_"] == 2
