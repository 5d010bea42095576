"""Notebooks executed in a real kernel, without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict


def execute(notebook: Any, directory: Path) -> Any:
    """The notebook with the outputs of its cells, which work in `directory`; raises for the first that fails."""
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(directory)}}
    client = NotebookClient(notebook, timeout=120, record_timing=False, resources=resources, store_widget_state=False)
    return client.execute()


def checked(notebook: Any) -> Dict[str, str]:
    """What the cells that are the same on every machine print; in how many pieces it comes is the kernel's affair."""
    marked = [cell for cell in notebook.cells if cell.source.startswith("# NBVAL_CHECK_OUTPUT")]
    return {cell.source: "".join(map(_text, cell.outputs)) for cell in marked}


def _text(output: Any) -> str:
    return str(output["text"] if "text" in output else output["data"]["text/plain"])
