"""Where something is defined: a line of a file or of a notebook cell; and in which execution of it.

IPython is never imported here: a notebook's own namespace holds `get_ipython`, and that is how it is known.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any, NamedTuple, Optional

__all__ = ["Place", "execution", "place_of", "shell_of"]


class Place(NamedTuple):
    """A line; `file` is ``In [3]`` for a notebook cell."""

    file: str
    line: int

    def __str__(self) -> str:
        return "%s, line %d" % (self.file, self.line)

    @property
    def source(self) -> str:
        """The file, or one word for whatever is typed in: the cells of a notebook are one source."""
        return "typed in" if self.file.startswith(("In [", "<")) else self.file


def place_of(frame: FrameType, function: Any = None) -> Place:
    """The place of `function` where it stands in the code of `frame`, else the line that `frame` is at."""
    code = frame.f_code
    own = getattr(function, "__code__", None)
    here = isinstance(own, CodeType) and own.co_filename == code.co_filename
    line = own.co_firstlineno if isinstance(own, CodeType) and here else frame.f_lineno
    return Place(_file(frame, code.co_filename), line or 0)


def _file(frame: FrameType, filename: str) -> str:
    shell = shell_of(frame)
    if shell is None or not (filename.startswith("<") or "ipykernel_" in filename):
        return filename
    return sys.intern("In [%d]" % shell.execution_count)


def shell_of(frame: FrameType) -> Optional[Any]:
    """The IPython shell in whose namespace this code runs, or None elsewhere."""
    ask = frame.f_globals.get("get_ipython")
    shell = ask() if callable(ask) else None
    return shell if getattr(shell, "user_ns", None) is frame.f_globals else None


class _Executions:
    """Counts the executions of cells; the count of IPython itself stands still where no history is kept."""

    def __init__(self) -> None:
        self.count = 0
        self.shell: Optional[Any] = None

    def of(self, shell: Any) -> int:
        if shell is not self.shell:
            shell.events.register("pre_execute", self.begin)
            self.shell = shell
        return self.count

    def begin(self) -> None:
        self.count += 1


_executions = _Executions()


def execution(frame: FrameType) -> Optional[object]:
    """What is equal for all code of one execution of a cell, or of one import of a module; None where nobody knows."""
    shell = shell_of(frame)
    if shell is not None:
        return _executions.of(shell)
    space = frame.f_globals
    module = sys.modules.get(space.get("__name__", ""))
    if module is None or module.__dict__ is not space or frame.f_code.co_filename.startswith("<"):
        return None
    return (space.get("__spec__"),)
