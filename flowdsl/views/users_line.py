"""Where in the user's own code something went wrong, found in the text of a traceback."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path
from typing import Optional

__all__ = ["users_line"]

_FRAME = re.compile(
    r'^ +File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<where>.+)(?:\n    (?P<code>.*))?', re.MULTILINE
)
_FOLDERS = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
_FOREIGN = (str(Path(__file__).resolve().parents[1]) + os.sep, *(folder + os.sep for folder in _FOLDERS if folder))
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]")  # on the machine that wrote a log, wherever that was
# A cell's file has a name that says nothing to anybody, unless its notebook was loaded from a file.
_CELL = re.compile(r"[\\/]ipykernel_\d+[\\/]|^<(?!.*, cell \d+>$)")


def users_line(traceback: Optional[str]) -> str:
    """The deepest line that is not a library's: `etl.py, line 12, in clean: frame["x"]`; "" where there is none.

    In a notebook's cell it is `line 12 in clean: frame["x"]`.
    """
    frames = [frame for frame in _FRAME.finditer(traceback or "") if not _is_foreign(frame["file"])]
    if not frames:
        return ""
    last = frames[-1]
    place = f"line {last['line']} in {last['where']}"
    if not _CELL.search(last["file"]):
        name = re.split(r"[/\\]", last["file"])[-1].strip("<>")  # of either system
        place = f"{name}, line {last['line']}, in {last['where']}"
    code = (last["code"] or "").strip()
    return f"{place}: {code}" if code and not code.startswith("File ") else place


def _is_foreign(file: str) -> bool:
    return file.startswith(_FOREIGN) or _INSTALLED.search(file) is not None
