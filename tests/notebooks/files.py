"""Notebook files written from the sources of their cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple, Union

Cell = Union[str, Tuple[str, Sequence[str]]]  # a source, or a source and tags


def write_notebook(path: Path, cells: Sequence[Cell]) -> Path:
    """A notebook of format 4 with these code cells, a heading before them."""
    code = [_code(*((cell, ()) if isinstance(cell, str) else cell)) for cell in cells]
    heading = {"cell_type": "markdown", "metadata": {}, "source": ["# A heading, ", "which is no code"]}
    notebook = {"cells": [heading, *code], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def _code(source: str, tags: Sequence[str]) -> Dict[str, Any]:
    lines = source.splitlines(True)
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "outputs": [], "source": lines}
