"""The statements of a notebook's cells, and of each what it gives, needs and changes: what an export chooses from."""

from __future__ import annotations

import ast
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Union

from flowdsl import cell_task
from flowdsl.cells import Piece
from flowdsl.loading import Loaded

__all__ = ["Piecemeal", "statements"]

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
    defines: str = ""  # the one task that it is there for: its flow as it is written, and its name; "" if there is none


def statements(piece: Piece, loaded: Loaded) -> Iterator[Piecemeal]:
    """The statements of a cell in their order; a `%%task` cell is one."""
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
    given, changed, defines = _given_by(statement), _changed_by(statement), _defined_by(statement)
    return Piecemeal(cell, text, given, needs, changed, is_task, starts, defines)


def _of_cell_task(piece: Piece, loaded: Loaded) -> Piecemeal:
    """The cell as a function below `@task`."""
    cell = cell_task.read(piece.task or "", piece.source)
    flow = loaded.flow(targets=[cell.name])
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
    return Piecemeal(piece.cell, text, {function}, needs, set(), True, False, "%s %s" % (decorator, cell.name))


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


def _defined_by(statement: ast.stmt) -> str:
    """`shop.task clean` of a function below `@shop.task`, where the task's name stands there as text."""
    if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return ""
    found = [one for one in statement.decorator_list if _is_task(one)]
    if len(found) != 1:
        return ""
    call = found[0]
    said = _name_said(call) if isinstance(call, ast.Call) else None
    name = statement.name if said is None else _text(said)
    return "%s %s" % (_flow(call.func if isinstance(call, ast.Call) else call), name) if name else ""


def _name_said(call: ast.Call) -> Optional[ast.expr]:
    """What the decorator is given as the task's name, or may be: `**options` may have one."""
    said = [*call.args, *(one.value for one in call.keywords if one.arg in ("name", None))]
    return said[0] if said else None


def _text(node: ast.expr) -> str:
    """The string that stands there; "" for anything else."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""


def _flow(node: ast.expr) -> str:
    """`shop.task` of `@shop.task`; `@task` is `flowdsl.task`."""
    if isinstance(node, ast.Name):
        return "flowdsl.task"
    home = node.value if isinstance(node, ast.Attribute) else node
    return "%s.task" % (home.id if isinstance(home, ast.Name) else ast.dump(home))


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
