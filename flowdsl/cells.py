"""The pieces of a pipeline file as plain Python: the whole of a script, or each code cell of a notebook."""

from __future__ import annotations

import ast
import json
import re
import tokenize
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Tuple

from flowdsl.errors import DefinitionError

__all__ = ["Piece", "read_pieces"]

# `%magic`, `!command`, `name?`, and their results given to a name: what only IPython understands.
_MAGIC = re.compile(r"(?P<indent>\s*)(?P<names>[\w\s,]+=\s*)?(?:[%!?].*|[\w.]+\?{1,2})\s*$")
_TIMED = re.compile(r"\s*%time\s+(.*)")
_OF_FLOW = re.compile(r"[^%]*%flow\b")  # our own: what it gives a name to needs a run
_A_RUN = "__import__('flowdsl').last_run()"  # which is not there while a file is only loaded
_TASK = re.compile(r"\s*%%task\b(.*)(?:\n|$)")
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_OF_PYTHON = frozenset(("time", "timeit", "capture", "prun", "memit"))  # cell magics whose body is Python


class Piece(NamedTuple):
    """Code that is executed together, in a namespace that it shares with the other pieces of its file."""

    label: str  # for messages: "etl.py", "etl.ipynb, cell 3"
    filename: str  # in tracebacks
    source: str
    cell: int = 0  # its number, from 1, in a notebook
    may_raise: bool = False  # the cell shows an error on purpose
    task: Optional[str] = None  # what stood after `%%task`: the source is the body of a task


def read_pieces(path: Path) -> Tuple[Piece, ...]:
    """The pieces of `path`, a ``.py`` or an ``.ipynb`` file.

    Raises DefinitionError where it is neither, or cannot be read.
    """
    kinds = {".py": _script, ".ipynb": _notebook}
    if path.suffix not in kinds:
        raise DefinitionError("%s is neither a .py nor an .ipynb file" % path)
    try:
        return tuple(kinds[path.suffix](path))
    except OSError as exc:
        raise DefinitionError("%s cannot be read: %s" % (path, exc.strerror or exc)) from exc
    except (SyntaxError, ValueError) as exc:
        raise DefinitionError("%s cannot be read: %s" % (path, exc)) from exc


def _script(path: Path) -> List[Piece]:
    with tokenize.open(str(path)) as file:
        return [Piece(path.name, str(path.resolve()), file.read())]


def _notebook(path: Path) -> List[Piece]:
    """The code cells; numbered as Jupyter numbers them when all are run, from 1."""
    cells = _cells(json.loads(path.read_text(encoding="utf-8")))
    code = [cell for cell in cells if cell.get("cell_type") == "code" and _text(cell.get("source")).strip()]
    return [_piece(path, number, cell) for number, cell in enumerate(code, 1)]


def _cells(notebook: Any) -> List[Any]:
    """The cells of a notebook in format 4, or of the worksheets of format 3."""
    if not isinstance(notebook, dict) or not ("cells" in notebook or "worksheets" in notebook):
        raise ValueError("it is not a notebook")
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    return [{"source": cell.get("input"), **cell} for sheet in sheets for cell in sheet["cells"]]


def _piece(path: Path, number: int, cell: Any) -> Piece:
    # A name in <> is "typed in": a task that a later cell defines again is not one that two files define.
    tags = cell.get("metadata", {}).get("tags", ())
    label = "%s, cell %d" % (path.name, number)
    source, may_raise = _text(cell["source"]), "raises-exception" in tags
    task = _TASK.match(source)
    if task:
        return Piece(label, "<%s>" % label, without_magics(source[task.end() :]), number, may_raise, task.group(1))
    return Piece(label, "<%s>" % label, without_magics(source), number, may_raise)


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source or ())


def without_magics(source: str) -> str:
    """The cell with blanks where IPython's magics were; line numbers stay.

    Nothing is executed for them: a notebook must load the same with and without IPython, and what `!pip install` does
    is no part of a pipeline. A line is taken for a magic only where Python finds fault with it.

    >>> without_magics("%matplotlib inline\\nx = 7 \\\\\\n % 4")
    'pass\\nx = 7 \\\\\\n % 4'
    """
    magic = _CELL_MAGIC.match(source)
    if magic:
        _, newline, body = source.lstrip().partition("\n")
        source = newline + body if magic.group(1) in _OF_PYTHON else ""
    lines = source.split("\n")
    for _ in lines:
        at = _fault(lines)
        found = _MAGIC.match(lines[at]) if 0 <= at < len(lines) else None
        if found is None:
            break
        for later in range(at + 1, _end_of_continued(lines, at)):
            lines[later] = ""
        asks = found.group("names") and _OF_FLOW.match(lines[at])
        lines[at] = found.group("indent") + (found.group("names") + _A_RUN if asks else _timed(lines[at]))
    return "\n".join(lines)


def _end_of_continued(lines: List[str], at: int) -> int:
    """The index behind the last line of a magic: it goes on for as long as its lines end with a backslash."""
    while at + 1 < len(lines) and lines[at].endswith("\\"):
        at += 1
    return at + 1


def _timed(line: str) -> str:
    """What `%time x = load()` gives a value, without the timing; "pass" for any other magic."""
    found = _TIMED.match(line)
    try:
        statements = ast.parse(found.group(1)).body if found else []
    except SyntaxError:
        statements = []
    given = statements and isinstance(statements[0], (ast.Assign, ast.AugAssign, ast.AnnAssign))
    return found.group(1) if found and given else "pass"


def _fault(lines: List[str]) -> int:
    """The index of the line that Python cannot read, -1 where it can read all."""
    try:
        ast.parse("\n".join(lines))
    except SyntaxError as exc:
        return (exc.lineno or 0) - 1
    return -1
