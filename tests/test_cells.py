"""The pieces of a file: whole scripts, code cells, and cells without what only IPython understands."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from flowdsl.cells import read_pieces, without_magics
from flowdsl.errors import DefinitionError
from tests.notebooks.files import write_notebook


@pytest.mark.parametrize(
    "line",
    [
        "%matplotlib inline",
        "!pip install 'x",
        "!echo (",
        "frame?",
        "frame.head??",
        "?frame",
        "x = !ls",
        "a, b = %magic c",
        "%time f(1)",
        "    !ls",
    ],
)
def test_a_line_that_only_ipython_understands_is_passed_over(line: str) -> None:
    indent = line[: len(line) - len(line.lstrip())]
    before = "if True:\n    pass\n" if indent else "pass\n"
    assert without_magics(f"{before}{line}\ny = 2") == f"{before}{indent}pass\ny = 2"


@pytest.mark.parametrize(
    "magic", ["!pip install a \\\n    b \\\n    c", "%run it \\\n --fast \\\n", "x = !ls \\\n -l\n"]
)
def test_a_magic_goes_on_behind_a_backslash(magic: str) -> None:
    kept = without_magics(f"{magic}\ny = 2")
    ast.parse(kept)
    assert kept.split() == ["pass", "y", "=", "2"]
    assert kept.count("\n") == magic.count("\n") + 1


@pytest.mark.parametrize("line", ["%time rows = load(1)", "%time a, b = 1, 2", "%time  rows += [1]"])
def test_what_is_given_a_value_while_it_is_timed_is_given_it(line: str) -> None:
    statement = line.partition(" ")[2].strip()
    assert without_magics(f"{line}\ny = 2") == f"{statement}\ny = 2"
    assert without_magics(f"if True:\n    {line}") == f"if True:\n    {statement}"


@pytest.mark.parametrize("source", ["x = 7 \\\n % 4", 'text = """\n%no magic\n!none\nnone?\n"""', "y = 8 % 3", ""])
def test_what_python_understands_is_left_alone(source: str) -> None:
    assert without_magics(source) == source


@pytest.mark.parametrize("magic", ["time", "capture out", "timeit -n 1"])
def test_the_body_of_a_cell_magic_that_runs_python_is_kept_on_its_lines(magic: str) -> None:
    kept = without_magics(f"%%{magic}\nx = 1\n!ls\ny = 2")
    assert kept.splitlines() == ["", "x = 1", "pass", "y = 2"]


@pytest.mark.parametrize("magic", ["bash", "html", "writefile x.py"])
def test_the_body_of_any_other_cell_magic_is_dropped(magic: str) -> None:
    assert without_magics(f"%%{magic}\nx = 1").strip() == ""


def test_a_fault_that_is_no_magic_stays_where_it_is() -> None:
    kept = without_magics("%load_ext x\nx = = 1\n%more")
    with pytest.raises(SyntaxError) as caught:
        ast.parse(kept)
    assert caught.value.lineno == 2


def test_the_code_cells_of_a_notebook_are_numbered_from_one_and_empty_ones_left_out(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "etl.ipynb", ["x = 1", "  \n", ("1 / 0", ["raises-exception"])])
    first, second = read_pieces(path)
    assert (first.label, first.source, first.may_raise) == ("etl.ipynb, cell 1", "x = 1", False)
    assert (second.label, second.cell, second.may_raise) == ("etl.ipynb, cell 2", 2, True)


def test_a_notebook_of_the_old_format_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "old.ipynb"
    cell = {"cell_type": "code", "input": ["x = 1\n", "y = 2"], "outputs": []}
    path.write_text(json.dumps({"worksheets": [{"cells": [cell]}], "nbformat": 3}), encoding="utf-8")
    assert [piece.source for piece in read_pieces(path)] == ["x = 1\ny = 2"]


def test_a_script_is_read_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "etl.py"
    path.write_bytes("# -*- coding: latin-1 -*-\nname = 'Zürich'\n".encode("latin-1"))
    (piece,) = read_pieces(path)
    assert "Zürich" in piece.source
    assert (piece.label, piece.filename, piece.cell) == ("etl.py", str(path.resolve()), 0)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("etl.txt", b"x = 1", "neither a .py nor an .ipynb file"),
        ("etl.ipynb", b"not json", "cannot be read"),
        ("etl.ipynb", b"[]", "it is not a notebook"),
        ("etl.py", b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_holds_no_code_is_refused(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DefinitionError, match=says):
        read_pieces(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"nobody\.py cannot be read: No such file"):
        read_pieces(tmp_path / "nobody.py")
