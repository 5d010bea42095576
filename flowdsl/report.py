"""A run's report as a file: the findings of the analysis put together with the pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Union

__all__ = ["write_report"]


def write_report(run: Any, graph: Any, path: Union[str, os.PathLike[str]]) -> Path:
    """Write the report of a run, live or past, to `path`, and return the path."""
    from flowdsl.views.report import Findings, report_html

    path_rows = run.critical_path()
    findings = Findings(run.timeline().svg(), _records(path_rows[path_rows.on_path]), _records(run.utilisation()))
    target = Path(path)
    target.write_bytes(report_html(graph, run.snapshot(), findings, run.output).encode("utf-8", "replace"))
    return target


def _records(frame: Any) -> Any:
    rows = frame.astype(object)
    return rows.where(rows.notna(), None).to_dict("records")
