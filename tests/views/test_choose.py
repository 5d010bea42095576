"""Which view shows a run."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Flow
from flowdsl.engine.snapshot import Snapshot
from flowdsl.errors import ConfigError
from flowdsl.views.choose import choose_view
from tests.views.samples import small


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Shell:
    kernel = object()


def chosen(display: Any) -> str:
    return type(choose_view(display, small(), Snapshot)).__name__


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says where the code runs: what stderr is, and what shell IPython has (None: IPython is not loaded)."""

    def put(stderr: Any, shell: Any = None) -> None:
        monkeypatch.setattr("sys.stderr", stderr)
        fake = type(sys)("IPython")
        fake.get_ipython = lambda: shell  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", fake if shell else None)  # type: ignore[arg-type]

    return put


@pytest.mark.parametrize("display", ["auto", True, "notebook"])
def test_the_view_is_the_one_that_fits_where_the_code_runs(place: Any, display: Any) -> None:
    place(io.StringIO(), Shell())
    assert chosen(display) == "LiveView"
    place(Terminal())
    assert chosen(display) == "TerminalView"
    place(io.StringIO())
    assert chosen(display) == "LineView"


def test_with_stable_repr_a_notebook_without_a_page_shows_a_run_once(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(io.StringIO(), Shell())
    monkeypatch.setattr(flowdsl.options, "stable_repr", True)
    for session, view in (("", "StillView"), ("a.ipynb", "LiveView")):
        monkeypatch.setenv("JPY_SESSION_NAME", session)
        assert chosen("auto") == view


def test_ipython_in_a_terminal_is_a_terminal(place: Any) -> None:
    place(Terminal(), object())
    assert chosen("auto") == "TerminalView"


def test_a_view_can_be_asked_for(place: Any) -> None:
    place(io.StringIO(), Shell())
    assert (chosen("terminal"), chosen("lines")) == ("TerminalView", "LineView")


@pytest.mark.parametrize("display", ["none", None, False])
def test_none_is_no_view(display: Any) -> None:
    assert choose_view(display, small(), Snapshot) is None


@pytest.mark.parametrize("display", ["notbook", 3, "", ["auto"]])
def test_anything_else_is_refused_with_what_there_is(display: Any) -> None:
    with pytest.raises(ConfigError, match="none of 'auto', 'notebook', 'terminal', 'lines', 'none'"):
        choose_view(display, small(), Snapshot)


def test_choosing_a_view_loads_neither_ipython_nor_widgets_nor_graphviz(repository: Path) -> None:
    code = (
        "import sys\nfrom flowdsl.views.choose import choose_view\n"
        "class G: flow, tasks, edges, given, inputs = 'etl', {}, {}, (), {}\n"
        "view = choose_view('auto', G, lambda: None)\nview.open(); view.paint()\n"
        "heavy = {'IPython', 'ipywidgets', 'graphviz', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=repository)
    assert done.returncode == 0, done.stderr


class SlowToClose:
    """A view whose last picture takes its time."""

    closed = False

    def open(self) -> None: ...

    def paint(self) -> None: ...

    def close(self) -> None:
        threading.Event().wait(0.2)
        self.closed = True


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "threads"])
def test_the_last_picture_is_there_when_run_returns(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = SlowToClose()
    monkeypatch.setattr("flowdsl.views.choose.choose_view", lambda *args: view)
    flow = Flow("seen", log_dir=tmp_path)
    flow.task(name="one")(lambda: 1)
    flow.run(executor=executor)
    assert view.closed
