"""A notebook in JupyterLab as a test handles it: open, run, look, press, save."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any, List, NamedTuple, Optional, Sequence

import nbformat

PATIENCE = 40.0  # seconds; a page that takes longer has failed


class Lab(NamedTuple):
    """A server."""

    url: str
    token: str
    root: Path

    def set_theme(self, name: str) -> None:
        """The theme of pages that are opened from now on."""
        url = f"{self.url}/lab/api/settings/@jupyterlab/apputils-extension:themes?token={self.token}"
        body = json.dumps({"raw": json.dumps({"theme": name})}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="PUT")
        with urllib.request.urlopen(request, timeout=20):
            return


class Notebook:
    """One notebook in one page; `page` is Playwright's."""

    def __init__(self, page: Any, lab: Lab, name: str) -> None:
        self.page = page
        self.console: List[str] = []  # what the page complained of
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.lab = lab
        self.path = lab.root / f"{name}.ipynb"

    def open(self, cells: Sequence[str]) -> None:
        """A new notebook of these cells, with its kernel ready."""
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(made, str(self.path))
        self.show()
        # Before a kernel is connected "run" opens a dialog over everything.
        self.page.wait_for_function(r"() => /\(ipykernel\) \| Idle/.test(document.body.innerText)")

    def show(self) -> None:
        """Open the file as it is on disk, in a workspace of its own."""
        name = self.path.name
        space = name.replace(".", "-") + str(time.monotonic_ns())
        self.page.goto(f"{self.lab.url}/lab/workspaces/{space}/tree/{name}?reset&token={self.lab.token}")
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")

    def run_all(self) -> None:
        """Set all cells going."""
        self.menu("Run", "Run All Cells")

    def menu(self, *path: str) -> None:
        """Choose from the menu bar."""
        for name in path:
            self.page.get_by_role("menuitem", name=name, exact=True).click()

    def cell(self, number: int) -> Any:
        """The locator of a cell, from 0."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def prompt(self, number: int) -> str:
        """`[*]:` while the cell runs, `[1]:` afterwards."""
        return str(self.cell(number).locator(".jp-InputPrompt").inner_text())

    def wait_until(self, look: Any, patience: float = PATIENCE) -> Any:
        """What `look()` returns once that is true."""
        until = time.monotonic() + patience
        found = look()
        while not found:
            assert time.monotonic() < until, "it did not come about"
            self.page.wait_for_timeout(50)  # `time.sleep` would stop the page too
            found = look()
        return found

    def done(self, number: int) -> None:
        """Wait until the cell has been executed."""
        self.wait_until(lambda: self.prompt(number).strip("[]: ").isdigit())

    def button(self, name: str) -> Any:
        """The widget of this name."""
        return self.page.get_by_role("button", name=name)

    def picture(self, number: int) -> str:
        """The source of the picture that stands in the outputs of a cell, "" where there is none."""
        images = self.cell(number).locator(".jp-OutputArea img")
        source: Optional[str] = images.first.get_attribute("src") if images.count() else None
        return source or ""

    def text(self, number: int) -> str:
        """The text of a cell's outputs."""
        return "\n".join(self.cell(number).locator(".jp-OutputArea-output").all_inner_texts())

    def save(self) -> Any:
        """The notebook as it is saved."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        self.wait_until(lambda: self.path.stat().st_mtime_ns != before and self._read() is not None)
        return self._read()

    def _read(self) -> Any:
        """The file; None while it is being written."""
        try:
            return nbformat.read(str(self.path), as_version=4)
        except nbformat.reader.NotJSONError:
            return None

    def choose(self, task: str) -> bool:
        """Choose a task in the menu below a run; again where it is chosen already."""
        menu = self.page.locator(".jp-Notebook select")
        if menu.input_value() == task:
            menu.select_option(index=0)
        menu.select_option(task)
        self.page.wait_for_timeout(500)
        return True


def kinds(notebook: Any) -> List[str]:
    """The MIME types of all outputs."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [kind for output in outputs for kind in output.get("data", {})]
