"""Where in the user's own code something went wrong, found in the text of a traceback."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path
from typing import Match, Optional

__all__ = ["is_foreign", "users_line", "users_line_of_stacks"]

_FRAME = re.compile(
    r'^ +File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<where>.+)(?:\n    (?P<code>.*))?', re.MULTILINE
)
_FOLDERS = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_FOREIGN = (str(Path(__file__).resolve().parents[1]) + os.sep, *(folder + os.sep for folder in _FOLDERS if folder))
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]")  # on the machine that wrote a log, wherever that was
# Cython knows its files by where they were when the package was built, which is below no folder of this machine.
_COMPILED = re.compile(r"(?![\\/]|[A-Za-z]:).*\.(?:pyx|pxi|pxd)$")
_STACK_FRAME = re.compile(r'^ +File "(?P<file>[^"\n]+)", line (?P<line>\d+),? in (?P<where>.+)', re.MULTILINE)
# A cell's file has a name that says nothing to anybody, unless its notebook was loaded from a file.
_CELL = re.compile(r"[\\/]ipykernel_\d+[\\/]|^<(?!.*, cell \d+>$)")


def users_line(traceback: Optional[str]) -> str:
    """The deepest line that is not a library's: `etl.py, line 12, in clean: frame["x"]`; "" where there is none.

    In a notebook's cell it is `line 12 in clean: frame["x"]`.
    """
    frames = [frame for frame in _FRAME.finditer(traceback or "") if not is_foreign(frame["file"])]
    if not frames:
        return ""
    last = frames[-1]
    place = _told(last)
    code = (last["code"] or "").strip()
    return f"{place}: {code}" if code and not code.startswith("File ") else place


def users_line_of_stacks(stacks: Optional[str]) -> str:
    """The user's deepest line in the stacks of a worker's threads, as faulthandler writes them, or in one traceback."""
    text = stacks or ""
    current, order = text.find("Current thread"), -1
    if current >= 0 or text.startswith("Thread"):  # the latest call comes first, the thread that was hit last
        text, order = text[max(current, 0) :], 0
    frames = [frame for frame in _STACK_FRAME.finditer(text) if not is_foreign(frame["file"])]
    return _told(frames[order]) if frames else ""


def _told(frame: Match[str]) -> str:
    """The place of a frame, named as its user knows it."""
    place = f"line {frame['line']} in {frame['where']}"
    if _CELL.search(frame["file"]):
        return place
    name = re.split(r"[/\\]", frame["file"])[-1].strip("<>")  # of either system
    return f"{name}, line {frame['line']}, in {frame['where']}"


def is_foreign(file: str) -> bool:
    """Whether a file belongs to the standard library, to an installed package or to flowdsl."""
    return bool(file.startswith(_FOREIGN) or _INSTALLED.search(file) or _COMPILED.match(file))
