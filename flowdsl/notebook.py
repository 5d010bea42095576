"""What `%load_ext flowdsl` brings into a notebook: `%%task`, and `%flow`; thin over `flowdsl.cell_task` and `Flow`."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from flowdsl import cell_task
from flowdsl.errors import ConfigError, DefinitionError
from flowdsl.flow import Flow
from flowdsl.modules import flow_of
from flowdsl.task import Task
from flowdsl.views.escape import clean_lines

__all__ = ["load"]

# Blanks in quotes and brackets part no words; a quote or bracket without its other half is a character as any other.
_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|\S)+""")
USAGE = "%flow [graph|run|start|logs] [TASK] [option=value ...]"


def load(shell: Any) -> None:
    """Register the magics with an IPython shell."""

    def task(line: str, cell: str) -> Task[Any, Any]:
        """%%task NAME [option=value ...]: make this cell a task."""
        __tracebackhide__ = True
        with _short_errors():
            return _define(shell, line, cell)

    def flow(line: str) -> Any:
        """%flow [graph|run|start|logs] [TASK] [option=value ...]: show, run or look back at the notebook's flow."""
        __tracebackhide__ = True
        with _short_errors():
            return _flow(shell, line)

    shell.register_magic_function(task, "cell")
    shell.register_magic_function(flow, "line")


@contextmanager
def _short_errors() -> Iterator[None]:
    """What is written wrongly in a magic's line is shown as one line: there is no code of the user's to show."""
    try:
        yield
    except (DefinitionError, KeyError) as exc:
        error: Any = exc
        text = str(exc.args[0]) if isinstance(exc, KeyError) and exc.args else str(exc)
        error._render_traceback_ = lambda: [f"{type(error).__name__}: {clean_lines(text)}"]
        raise


def _define(shell: Any, line: str, cell: str) -> Task[Any, Any]:
    """The task of the cell; its lines are those that the notebook shows."""
    __tracebackhide__ = True
    body = shell.transform_cell(cell) if cell.strip() else ""
    read = cell_task.read(line, body)
    return cell_task.define(read, shell.user_ns, _filename(shell, line, cell))


def _filename(shell: Any, line: str, cell: str) -> str:
    """A file name that IPython knows as this cell's."""
    text = "%%task " + line + "\n" + cell
    number = getattr(shell.compile, "_filename_map", {}).get(_cells_file(shell), shell.execution_count)
    name: str = shell.compile.cache(text, number)
    return name


def _cells_file(shell: Any) -> Optional[str]:
    frame: Optional[FrameType] = sys._getframe(1)
    while frame is not None and frame.f_globals is not shell.user_ns:
        frame = frame.f_back
    return None if frame is None else frame.f_code.co_filename


def _flow(shell: Any, line: str) -> Any:
    __tracebackhide__ = True
    words = _WORD.findall(line)
    what = words.pop(0) if words and words[0] in _COMMANDS else "graph"
    name = words.pop(0).strip("'\"") if words and "=" not in words[0] else None
    options = dict(_option(word, shell) for word in words)
    flow = options.pop("flow", None) or flow_of(str(shell.user_ns.get("__name__", "__main__")))
    if not isinstance(flow, Flow):
        raise ConfigError("%%flow: %r is not a flow; %s" % (flow, USAGE))
    return _COMMANDS[what](flow.newest, name, options)


def _option(word: str, shell: Any) -> Tuple[str, Any]:
    option, sign, text = word.partition("=")
    if not sign:
        raise ConfigError("%%flow: %r is no option; %s" % (word, USAGE))
    try:
        return option, _value(text, shell)
    except Exception as exc:  # whatever the user's expression raises
        raise ConfigError("%%flow: %s cannot be read: %s: %s" % (word, type(exc).__name__, exc)) from exc


def _value(text: str, shell: Any) -> Any:
    """A Python expression of the notebook, or the text itself where it is none; what an expression raises is told."""
    try:
        return eval(text, shell.user_ns)
    except (SyntaxError, NameError, AttributeError):  # jan.csv, data/jan.csv
        return text


def _target(flow: Flow, name: Optional[str]) -> Any:
    """The flow, or one task of it; KeyError with the nearest name."""
    return flow if name is None else flow[name]


def _graph(flow: Flow, name: Optional[str], options: Dict[str, Any]) -> Any:
    _nothing_more(options)
    return _target(flow, name).graph()


def _run(flow: Flow, name: Optional[str], options: Dict[str, Any]) -> Any:
    __tracebackhide__ = True
    return _target(flow, name).run(**options)


def _start(flow: Flow, name: Optional[str], options: Dict[str, Any]) -> Any:
    return _target(flow, name).start(**options)


def _logs(flow: Flow, name: Optional[str], options: Dict[str, Any]) -> Any:
    """The runs of the flow as a DataFrame, or with a task's name its attempts in all of them."""
    from flowdsl.runs import load_runs

    _nothing_more(options)
    runs = load_runs(flow.log_dir)
    frame = runs.attempts if name is not None else runs.summary
    own = frame[frame["flow"] == flow.name]
    if name is None:
        return own
    if name not in flow and name not in set(own["task"]):
        _target(flow, name)  # says which it has
    return own[own["task"] == name]


def _nothing_more(options: Dict[str, Any]) -> None:
    if options:
        raise ConfigError("%%flow: %s= is of no use here; %s" % (next(iter(options)), USAGE))


_COMMANDS: Dict[str, Callable[[Flow, Optional[str], Dict[str, Any]], Any]] = {
    "graph": _graph,
    "run": _run,
    "start": _start,
    "logs": _logs,
}
