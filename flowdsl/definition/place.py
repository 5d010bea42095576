"""Where something is defined: a line of a file or of a notebook cell; and in which execution of it.

IPython is never imported here: a notebook's own namespace holds `get_ipython`, and that is how it is known.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Dict, NamedTuple, Optional, Tuple

__all__ = ["Here", "Place", "shell_of", "whereabouts"]


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


_place = lru_cache(maxsize=128)(Place)  # the tasks that a loop defines share theirs


class Here:
    """The place of `frame`, looked up when somebody reads it."""

    __slots__ = ("frame", "function")

    def __init__(self, frame: FrameType, function: Any = None) -> None:
        self.frame = frame
        self.function = function

    def __str__(self) -> str:
        return str(whereabouts(self.frame, self.function)[0])


def whereabouts(frame: FrameType, function: Any = None) -> Tuple[Place, Optional[object]]:
    """The place of `function` where it stands in the code of `frame`, else the line that `frame` is at.

    With it comes an object that is the same for all code of one execution of a cell, or of one import of a module;
    None where nobody can tell.
    """
    filename = frame.f_code.co_filename
    own: Any = getattr(function, "__code__", None)
    here = type(own) is CodeType and own.co_filename == filename
    line: int = own.co_firstlineno if here else frame.f_lineno or 0
    shell = shell_of(frame)
    if shell is None:
        return _place(filename, line), _import_of(frame.f_globals, filename)
    return _place(_cell(shell, filename), line), _executions.of(shell)


def _cell(shell: Any, filename: str) -> str:
    """What a notebook shows beside the cell, from the file name that IPython made up for it.

    Its `execution_count` does not tell: some versions count before the cell runs, some afterwards.
    """
    known = getattr(shell.compile, "format_code_name", lambda filename: None)(filename)
    return sys.intern(known[1].replace("In[", "In [")) if known else filename


def _import_of(space: Dict[str, Any], filename: str) -> Optional[object]:
    name = space.get("__name__", "")
    module = sys.modules.get(name)
    if module is None or module.__dict__ is not space or filename.startswith("<"):
        return None
    return space.get("__spec__") or str(name)  # a reload brings a new spec; a script has none, and runs once


def shell_of(frame: FrameType) -> Optional[Any]:
    """The IPython shell in whose namespace this code runs, or None elsewhere."""
    ask = frame.f_globals.get("get_ipython")
    shell = ask() if callable(ask) else None
    return shell if getattr(shell, "user_ns", None) is frame.f_globals else None


class _Executions:
    """Tells executions of cells apart; IPython's own count stands still where no history is kept."""

    def __init__(self) -> None:
        self.now = object()
        self.shell: Optional[Any] = None

    def of(self, shell: Any) -> object:
        """An object that is the same for all code of the execution that goes on."""
        if shell is not self.shell:
            shell.events.register("pre_execute", self.begin)  # twice is once
            self.shell = shell
        return self.now

    def begin(self) -> None:
        self.now = object()


_executions = _Executions()
