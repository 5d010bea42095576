"""Reading the tables of columns back from docstrings and pages, to hold them against the frames."""

from __future__ import annotations

import re
from typing import List, Tuple

# The dtypes as the tables write them, by the kind of column that has it.
_KINDS = {
    "string": "string", "Int64": "integer", "float64": "float", "bool": "bool", "datetime64[us, UTC]": "time",
}  # fmt: skip


def _kind(name: str, dtype: str) -> Tuple[str, str]:
    return (name, name if dtype == "category" else _KINDS[dtype])


def rst_columns(text: str) -> List[Tuple[str, str]]:
    """(name, kind) of each row of the one simple RST table in a docstring."""
    lines = [line.strip() for line in text.splitlines()]
    rules = [place for place, line in enumerate(lines) if line.startswith("====")]
    begins = [found.start() for found in re.finditer("=+", lines[rules[0]])]
    indent = len(text.splitlines()[rules[0]]) - len(lines[rules[0]])
    rows = [line[indent:] for line in text.splitlines()[rules[1] + 1 : rules[2]]]
    cut = [(row[: begins[1]].strip(), row[begins[1] : begins[2]].strip()) for row in rows]
    return [_kind(name, dtype) for name, dtype in cut if name]


def markdown_columns(text: str, heading: str) -> List[Tuple[str, str]]:
    """(name, kind) of each row of the first table under a heading of a Markdown page."""
    section = re.split(r"\n##+ ", text.partition(f"## {heading}\n")[2])[0]
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", section, re.MULTILINE)
    return [_kind(name, dtype) for name, dtype in rows]
