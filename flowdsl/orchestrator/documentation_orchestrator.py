"""DocumentationOrchestrator: a page on a flow, written from its definition and journals, and checked against it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, List, Optional, Sequence, Union

from flowdsl.definition.checks import refuse
from flowdsl.definition.counted import counted
from flowdsl.errors import FlowError
from flowdsl.orchestrator import documentation_blocks as doc
from flowdsl.orchestrator.documentation_check import DocumentationOutdated, differences
from flowdsl.orchestrator.documentation_html import html_page
from flowdsl.orchestrator.documentation_markdown import markdown
from flowdsl.orchestrator.documentation_page import blocks_of
from flowdsl.orchestrator.documentation_picture import plain_svg
from flowdsl.orchestrator.documentation_subject import Documented, documented
from flowdsl.storage.atomic import write_atomically
from flowdsl.storage.names import file_name
from flowdsl.views.escape import clean

__all__ = ["DocumentationOrchestrator", "DocumentationOutdated"]

Target = Union[str, "os.PathLike[str]"]
PUBLIC = 0o666  # before the umask: a page is for everybody who may read the directory


class DocumentationOrchestrator:
    """Writes the page of a flow, and says when a page that was written does not match it any more.

    Args:
        subject: a Flow, a Task (with everything upstream), a Graph, a Run, or a TaskOrchestrator.
        runs: past runs for the statistics, as `load_runs` gives them; None takes the latest of the flow's own
            `log_dir`, and an empty list leaves the statistics out.
    """

    def __init__(self, subject: Any, *, runs: Optional[Sequence[Any]] = None) -> None:
        self._subject = subject
        self._runs = runs
        self._documented()  # what cannot be documented is refused now

    def blocks(self) -> List[doc.Block]:
        """What the page is made of, as it should be now; for other formats."""
        found = self._documented()
        return blocks_of(found.graph, found.defaults, found.runs())

    def markdown(self) -> str:
        """The page as Markdown; its picture is in the file `picture_name`, beside it."""
        return markdown(self.blocks(), self.picture_name)

    def html(self) -> str:
        """The page as one HTML document, its picture inside, each box a link to the section of its task."""
        return html_page(self.blocks(), "Flow " + clean(self._documented().graph.flow))

    @property
    def picture_name(self) -> str:
        """The name of the picture's file beside a page of Markdown."""
        return self._stem + ".svg"

    @property
    def _stem(self) -> str:
        """The flow's name as that of a file, which is never a path."""
        name = self._documented().graph.flow
        return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60] or file_name(name)

    def generate(self, target: Target) -> List[Path]:
        """Write the page, and return the files.

        `target` is a directory (made where it is missing), which gets `<flow>.html`, `<flow>.md` and `<flow>.svg`, or
        a file that ends with `.html` or `.md`. A reader never sees half of a file. OSError where it cannot be written.
        """
        written = []
        for path in self._files(target):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".md":
                write_atomically(path.with_name(self.picture_name), self._picture(), PUBLIC)
                written.append(path.with_name(self.picture_name))
            write_atomically(path, self._page(path).encode("utf-8", "replace"), PUBLIC)
            written.append(path)
        return written

    def check(self, target: Target) -> None:
        """Raise DocumentationOutdated, which names what differs, where a page is missing or does not match the flow.

        The statistics of past runs and the coordinates of the picture may differ: they do so after every run, and on
        every machine.
        """
        found: List[str] = []
        for path in self._files(target):
            try:
                before = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as exc:
                found.append("%s cannot be read: %s" % (path, getattr(exc, "strerror", None) or exc))
                continue
            found += ["%s: %s" % (path.name, one) for one in differences(before, self._page(path))]
        if found:
            flow = self._documented().graph.flow
            lines = "\n".join("  " + clean(one) for one in found)
            text = "the documentation of flow %r does not match it; generate(%r) writes it anew\n%s"
            raise DocumentationOutdated(text % (flow, str(target), lines), found)

    def _documented(self) -> Documented:
        return documented(self._subject, self._runs)

    def _files(self, target: Target) -> List[Path]:
        path = Path(target)
        if path.suffix in (".html", ".md") and not path.is_dir():
            return [path]
        if path.is_file():
            refuse("DocumentationOrchestrator", "target", str(target), "is neither a directory nor a .html or .md file")
        return [path / (self._stem + suffix) for suffix in (".html", ".md")]

    def _page(self, path: Path) -> str:
        return self.html() if path.suffix == ".html" else self.markdown()

    def _picture(self) -> bytes:
        for block in self.blocks():
            if isinstance(block, doc.Region):
                for inner in block.blocks:
                    if isinstance(inner, doc.Picture):
                        return plain_svg(inner).encode("utf-8", "replace")
        raise FlowError("the page has no picture")

    def _repr_html_(self) -> str:
        from flowdsl.orchestrator.documentation_html import body_html

        return body_html(self.blocks())

    def __repr__(self) -> str:
        graph = self._documented().graph
        return "<DocumentationOrchestrator of flow %r: %s>" % (graph.flow, counted(len(graph), "task"))
