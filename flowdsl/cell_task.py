"""A cell that is a task: `%%task clean timeout=60` above plain code, made into a function and put into a flow.

Its free names become parameters or stay globals by one rule, see `parameters`. IPython is not needed, so that a
notebook loads the same in the command `flowdsl`.
"""

from __future__ import annotations

import ast
import builtins
import dis
import io
import keyword
import linecache
import re
import tokenize
from types import CodeType
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Set, Tuple

from flowdsl.errors import ConfigError, DefinitionError
from flowdsl.flow import Flow
from flowdsl.modules import flow_of
from flowdsl.task import Task

__all__ = ["CellTask", "define", "function_source", "parameters", "read"]

_DEPTH = {**dict.fromkeys("([{", 1), **dict.fromkeys(")]}", -1)}
_NAME = re.compile(r"""\s*(?:(['"])(.+?)\1|([^\s='"]+))(?=\s|$)""")  # in quotes where there are blanks in it
USAGE = "%%task NAME [option=value ...], such as %%task clean depends_on=audit timeout=60"


class CellTask(NamedTuple):
    """What such a cell says: the name, the options as they are written, and the code below."""

    name: str
    options: Mapping[str, str]
    body: str


def read(line: str, body: str) -> CellTask:
    """The cell whose first line goes on with `line` after ``%%task``; ConfigError where that cannot be read."""
    found = _NAME.match(line)
    if found is None:
        raise ConfigError("%%%%task: a name comes first: %s" % USAGE)
    return CellTask(found.group(2) or found.group(3), _options(line[found.end() :]), body)


def _options(text: str) -> Dict[str, str]:
    """`a=1 b=Retry(3, delay=1)` by name; a new option begins where `name =` stands outside of brackets."""
    starts: List[Tuple[int, str, int]] = []  # where it begins, its name, where its value begins
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text.strip()).readline))
    except (tokenize.TokenError, SyntaxError) as exc:
        raise ConfigError("%%%%task: the options %r cannot be read: %s" % (text.strip(), exc.args[0])) from exc
    depth = 0
    for token, following in zip(tokens, tokens[1:]):
        depth += _DEPTH.get(token.string, 0)
        if depth == 0 and token.type == tokenize.NAME and following.string == "=":
            starts.append((token.start[1], token.string, following.end[1]))
    text = text.strip()
    if text and (not starts or starts[0][0] != 0):
        raise ConfigError("%%%%task: %r is no option: %s" % (text, USAGE))
    ends = [start for start, _, _ in starts[1:]] + [len(text)]
    return {name: text[value:end].strip().rstrip(",") for (_, name, value), end in zip(starts, ends)}


# ---- what a cell takes


def parameters(cell: CellTask, flow: Flow, space: Mapping[str, Any], named: Iterable[str] = ()) -> List[str]:
    """The names that the cell takes as parameters, in the order in which it uses them.

    A name that the code reads and does not give a value itself is a parameter when it is a task of the flow, or one of
    `named` (said by `depends_on` or `map`), or when nothing has that name: then a task may have it later, else it is an
    input of the run. What the notebook or Python has under that name stays a global.
    """
    wanted = set(named)
    return [name for name in free_names(cell.body) if name in wanted or _is_parameter(name, flow, space)]


def _is_parameter(name: str, flow: Flow, space: Mapping[str, Any]) -> bool:
    if name in flow:
        return True
    if name in space:
        value = space[name]
        return isinstance(value, Task) and value.flow is flow.newest and value.name == name
    return not hasattr(builtins, name)


def free_names(body: str) -> List[str]:
    """The names that the code reads from outside, as the compiler sees it; those of functions in it too."""
    code = compile(function_source("cell", (), body), "<cell>", "exec")
    found: Dict[str, None] = {}
    given: Set[str] = set()  # below `global`
    waiting = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    while waiting:
        inner = waiting.pop(0)
        for step in dis.get_instructions(inner):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                found.setdefault(step.argval)
            elif step.opname == "STORE_GLOBAL":
                given.add(step.argval)
        waiting += [constant for constant in inner.co_consts if isinstance(constant, CodeType)]
    return [name for name in found if name not in given]


# ---- the function


def function_source(name: str, taken: Sequence[str], body: str) -> str:
    """The cell as the source of a function, line for line: its first line stands where `%%task` stood."""
    tree = ast.parse(body)
    lines = _indented(body)
    if not tree.body:
        lines = ["    pass", *lines]
    elif isinstance(tree.body[-1], ast.Expr) and not isinstance(tree.body[-1].value, (ast.Yield, ast.YieldFrom)):
        last = tree.body[-1]
        line, before = lines[last.lineno - 1], body.split("\n")[last.lineno - 1]
        at = len(line) - len(before) + len(before.encode()[: last.col_offset].decode())
        lines[last.lineno - 1] = line[:at] + "return " + line[at:]
    head = "async def" if _awaits(tree) else "def"
    return "%s %s(%s):\n%s\n" % (head, name, ", ".join(taken), "\n".join(lines))


def _indented(body: str) -> List[str]:
    """The lines, four columns to the right, but for those that begin inside a string."""
    lines = body.split("\n")
    inside: Set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(body).readline):
        if token.type == tokenize.STRING or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
    return [line if number in inside or not line.strip() else "    " + line for number, line in enumerate(lines, 1)]


def _awaits(tree: ast.Module) -> bool:
    waiting: List[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            return True
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)) and any(one.is_async for one in node.generators):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting += ast.iter_child_nodes(node)
    return False


def function_name(name: str) -> str:
    """The name of the function: the task's, where Python can bear it."""
    slug = re.sub(r"\W", "_", name)
    return slug if slug.isidentifier() and not keyword.iskeyword(slug) else "task_" + slug


# ---- the task


def define(cell: CellTask, space: Dict[str, Any], filename: str) -> Task[Any, Any]:
    """Put the cell into its flow, and its task under its name into `space`, the namespace that its code runs in.

    Its flow is the option `flow`, else that of the namespace. Raises DefinitionError for what cannot be a task.
    """
    if "name" in cell.options:
        raise ConfigError("%%%%task %s: there is no option 'name' here, the name comes first: %s" % (cell.name, USAGE))
    options = {name: _value(name, text, space) for name, text in cell.options.items()}
    flow = options.pop("flow", None) or flow_of(str(space.get("__name__", "__main__")))
    if not isinstance(flow, Flow):
        raise ConfigError("%%%%task %s: flow=%s is not a flow" % (cell.name, cell.options["flow"]))
    if isinstance(options.get("depends_on"), tuple):
        options["depends_on"] = list(options["depends_on"])
    try:
        taken = parameters(cell, flow, space, _named(options))
        source = function_source(function_name(cell.name), taken, cell.body)
        code = compile(source, filename, "exec")
    except SyntaxError as exc:
        line = (exc.lineno or 1) if exc.filename == filename else (exc.lineno or 0) + 1
        raise DefinitionError("%%%%task %s, line %d: %s" % (cell.name, line, exc.msg)) from exc
    linecache.cache[filename] = (len(source), None, [line + "\n" for line in source.splitlines()], filename)
    made: Dict[str, Any] = {}
    exec(code, space, made)
    # Called from the cell's own namespace and file: that is how a task knows where it stands.
    made = {"make": flow.task, "name": cell.name, "options": options, "function": made[function_name(cell.name)]}
    task: Task[Any, Any] = eval(compile("make(name, **options)(function)", filename, "eval"), space, made)
    if cell.name.isidentifier():
        space[cell.name] = task
    return task


def _value(option: str, text: str, space: Dict[str, Any]) -> Any:
    try:
        return eval(text, space)
    except Exception as exc:
        what = "%s: %s" % (type(exc).__name__, exc)
        raise ConfigError("%%%%task: %s=%s cannot be read: %s" % (option, text, what)) from exc


def _named(options: Mapping[str, Any]) -> List[str]:
    """The names that `depends_on` and `map` say."""
    found: List[str] = []
    for option in ("depends_on", "map"):
        said = options.get(option)
        listed = list(said) if isinstance(said, (list, tuple, dict)) else [said]
        found += [str(getattr(one, "name", one)) for one in listed]
    return found
