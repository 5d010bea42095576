"""Notebooks executed in a real kernel, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def execute(notebook: Any, directory: Path) -> Any:
    """The notebook with the outputs of its cells, which work in `directory`; raises for the first that fails."""
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(directory)}}
    client = NotebookClient(notebook, timeout=120, record_timing=False, resources=resources, store_widget_state=False)
    return client.execute()
