"""From a notebook to a module: its tasks, and of everything else what they need; the rest stays in the notebook."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence, Set, Union

from flowdsl import cell_task
from flowdsl.cells import Piece, read_pieces
from flowdsl.errors import DefinitionError
from flowdsl.loading import Loaded

__all__ = ["Exported", "exported"]

STARTS_RUN = frozenset(("run", "start", "run_async", "rerun", "last_run"))
CHANGES = frozenset(("append", "extend", "add", "insert", "update", "setdefault", "register"))
DISPLAYS = frozenset(("display", "get_ipython"))


class Piecemeal(NamedTuple):
    """A statement at the top level of a cell, or a `%%task` cell as a whole."""

    cell: int
    text: str
    gives: Set[str]  # names that it gives a value to
    needs: Set[str]  # names that it uses, also in the functions in it
    changes: Set[str]  # names of what it changes: `config["a"] = 1`
    is_task: bool
    starts_run: bool


class Exported(NamedTuple):
    """The text of the module, and the cells of which something was needed that could not be taken along."""

    text: str
    left_out: Sequence[int]


def exported(path: Path, loaded: Loaded) -> Exported:
    """The module of the notebook at `path`; `loaded` is what it left behind when it was loaded.

    Taken along are tasks, and the imports, functions, classes and values that they name, and what those name. Raises
    DefinitionError where the file has no task.
    """
    pieces = [one for piece in read_pieces(path) for one in _statements(piece, loaded)]
    if not any(one.is_task for one in pieces):
        raise DefinitionError("%s defines no tasks" % path.name)
    taken = _needed(pieces)
    left_out = sorted({pieces[at].cell for at in taken if pieces[at].starts_run})
    kept = [one for at, one in enumerate(pieces) if at in taken and not one.starts_run]
    return Exported(_module(path.name, kept), left_out)


def _needed(pieces: Sequence[Piecemeal]) -> Set[int]:
    """The indices of the tasks and of all that they need, directly or not."""
    taken = {at for at, one in enumerate(pieces) if one.is_task or one.text.startswith("from __future__")}
    wanted: Set[str] = set()
    while True:
        names = set().union(*(pieces[at].needs for at in taken))
        if names == wanted:
            return taken
        wanted = names
        taken |= {at for at, one in enumerate(pieces) if one.gives & wanted or one.changes & wanted or "*" in one.gives}


def _module(name: str, kept: Sequence[Piecemeal]) -> str:
    futures = [one.text for one in kept if one.text.startswith("from __future__")]
    parts = ['"""The tasks of %s, written by `flowdsl export`."""' % name, *dict.fromkeys(futures)]
    if any("flowdsl" in one.needs for one in kept) and not any("flowdsl" in one.gives for one in kept):
        parts.append("import flowdsl")
    cell = 0
    for one in kept:
        if one.text not in futures:
            heading = "# ---- cell %d\n" % one.cell if one.cell != cell else ""
            cell = one.cell
            parts.append(heading + one.text)
    return "\n\n".join(parts) + "\n"


# ---- statements of a cell


def _statements(piece: Piece, loaded: Loaded) -> Iterator[Piecemeal]:
    if piece.task is not None:
        yield _of_cell_task(piece, loaded)
        return
    lines = piece.source.splitlines()
    end = 0
    for statement in ast.parse(piece.source).body:
        first = _first_line(statement)
        while first - 1 > end and lines[first - 2].lstrip().startswith("#"):  # a comment belongs to what follows
            first -= 1
        last: int = getattr(statement, "end_lineno", 0)
        yield _statement(piece.cell, "\n".join(lines[first - 1 : last]), statement)
        end = last


def _first_line(statement: ast.stmt) -> int:
    decorators: List[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(one.lineno for one in decorators)])


def _statement(cell: int, text: str, statement: ast.stmt) -> Piecemeal:
    nodes = list(ast.walk(statement))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    needs = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    is_task = any(_makes_task(node) for node in nodes)
    starts = _starts_run(statement) and not is_task
    return Piecemeal(cell, text, _given_by(statement), needs, _changed_by(statement), is_task, starts)


def _of_cell_task(piece: Piece, loaded: Loaded) -> Piecemeal:
    """The cell as a function below `@task`."""
    cell = cell_task.read(piece.task or "", piece.source)
    flow = loaded.flow_with(cell.name)
    task = flow[cell.name]
    function = cell_task.function_name(cell.name)
    taken = [parameter.name for parameter in task.spec.parameters]
    options = ["%s=%s" % (name, text) for name, text in cell.options.items() if name != "flow"]
    named = ([] if function == cell.name else [repr(cell.name)]) + options
    decorator = "%s.task" % cell.options["flow"] if "flow" in cell.options else "flowdsl.task"
    text = "@%s%s\n%s" % (
        decorator, "(%s)" % ", ".join(named) if named else "",
        cell_task.function_source(function, taken, piece.source).rstrip(),
    )  # fmt: skip
    statement = ast.parse(text)
    needs = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return Piecemeal(piece.cell, text, {function}, needs, set(), True, False)


def _makes_task(node: ast.AST) -> bool:
    """`@task`, `@task(...)`, `@flow.task(...)`, `flow.task(...)(function)`."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return any(_is_task(decorator) for decorator in node.decorator_list)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Call) and _is_task(node.func)


def _is_task(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    return (isinstance(node, ast.Name) and node.id == "task") or (
        isinstance(node, ast.Attribute) and node.attr == "task"
    )


def _starts_run(statement: ast.stmt) -> bool:
    """Whether it runs something as it stands, and not in a function that it only defines."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
    runs = any(isinstance(function, ast.Attribute) and function.attr in STARTS_RUN for function in calls)
    return runs or any(isinstance(function, ast.Name) and function.id in DISPLAYS for function in calls)


def _given_by(statement: ast.stmt) -> Set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    found: Set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
    return found


def _changed_by(statement: ast.stmt) -> Set[str]:
    """The roots of `config["a"] = 1`, `config.a = 1` and `names.append(1)`."""
    targets: List[Union[ast.expr, ast.AST]] = []
    if isinstance(statement, ast.Assign):
        targets += statement.targets
    elif isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
        targets.append(statement.target)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        method = statement.value.func
        targets += [method] if isinstance(method, ast.Attribute) and method.attr in CHANGES else []
    roots: Dict[str, None] = {}
    for target in targets:
        inner: ast.AST = target
        while isinstance(inner, (ast.Attribute, ast.Subscript)):
            inner = inner.value
        if isinstance(inner, ast.Name) and inner is not target:
            roots[inner.id] = None
    return set(roots)
