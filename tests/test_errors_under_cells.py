"""How an error of definition looks under a cell: the user's lines and the message, whatever mode IPython is in."""

from __future__ import annotations

import re
from typing import Any, Callable, Iterator

import pytest

import flowdsl

Look = Callable[[str], str]

SETUP = """
import flowdsl
from flowdsl import Flow, Retry, task
etl = Flow("etl")
@etl.task(depends_on="nope")
def lost(): pass
def draw():
    return etl.graph()
"""


@pytest.fixture
def look(capsys: pytest.CaptureFixture[str]) -> Iterator[Look]:
    """What a shell shows under a cell of that source."""
    pytest.importorskip("IPython", reason="IPython is in the extra `test`")
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))

    def run(cell: str) -> str:
        capsys.readouterr()
        shell.run_cell(cell, store_history=True)
        return re.sub(r"\x1b\[[\d;]*m", "", "".join(capsys.readouterr()))

    run(SETUP)
    yield run
    InteractiveShell.clear_instance()


WRONG = [
    ("draw()", "task 'lost' depends on 'nope'"),
    ("etl.run()", "task 'lost' depends on 'nope'"),
    ("etl.run(max_workers=0)", "max_workers=0"),
    ("etl.start()", "task 'lost' depends on 'nope'"),
    ("await etl.run_async()", "task 'lost' depends on 'nope'"),
    ("etl.what_if(0)", "max_workers=0"),
    ("etl.history(last=0)", "last=0"),
    ("Flow('a/b')", "name='a/b'"),
    ("Retry(-1)", "retries=-1"),
    ("@task(timeout=0)\ndef f(): pass", "timeout=0"),
    ("@task(depends_on='f')\ndef f(): pass", "task 'f' depends on itself"),
    ("task('x', name='y')", "the name is given twice"),
]


@pytest.mark.parametrize(("cell", "says"), WRONG)
def test_only_the_lines_of_the_user_and_the_message_are_shown(cell: str, says: str, look: Look) -> None:
    shown = look(cell)
    assert cell.splitlines()[0] in shown
    assert re.search(r"(Config|Graph|Cycle)Error: .*%s" % re.escape(says), shown)
    assert flowdsl.__path__[0] not in shown
    assert "hidden" not in shown and "flowdsl/" not in shown


def test_the_way_there_through_the_users_functions_is_shown(look: Look) -> None:
    shown = look("draw()")
    assert "draw()" in shown and "return etl.graph()" in shown


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose", "Minimal"])
def test_the_mode_of_the_shell_is_kept(mode: str, look: Look) -> None:
    look("%xmode " + mode)
    shown = look("draw()")
    assert "GraphError: task 'lost' depends on 'nope'" in shown
    assert ("return etl.graph()" in shown) == (mode != "Minimal")
    assert flowdsl.__path__[0] not in shown


def test_an_error_of_the_user_that_led_to_it_is_shown_too(look: Look) -> None:
    look("def chained():\n    try:\n        1 / 0\n    except ZeroDivisionError as exc:\n        draw()")
    shown = look("chained()")
    assert shown.index("1 / 0") < shown.index("GraphError: task 'lost'")


def test_without_a_shell_the_lines_are_those_of_python() -> None:
    def wrong() -> Any:
        return flowdsl.Retry(-1)

    with pytest.raises(flowdsl.ConfigError) as caught:
        wrong()
    shown = "".join(caught.value._render_traceback_())
    assert "in wrong" in shown and "ConfigError: Retry: retries=-1" in shown
    assert flowdsl.__path__[0] not in shown
    assert flowdsl.ConfigError("x")._render_traceback_()[-1].endswith("ConfigError: x\n")
