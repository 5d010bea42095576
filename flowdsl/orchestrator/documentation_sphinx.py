"""A Sphinx extension: the directive `flowdsl`, which puts the page of a flow into a page of the documentation.

In `conf.py`: ``extensions = ["flowdsl.orchestrator.documentation_sphinx"]``; in a page: ``.. flowdsl:: module:flow``.
Nothing else of flowdsl imports this file, or Sphinx.
"""

from __future__ import annotations

import importlib
import os
from hashlib import sha256
from operator import attrgetter
from typing import Any, Callable, Dict, Iterable, List, Type

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.addnodes import only

import flowdsl
from flowdsl.modules import flow_of
from flowdsl.orchestrator import documentation_blocks as doc
from flowdsl.orchestrator.documentation_blocks import Block, Line, Word
from flowdsl.orchestrator.documentation_orchestrator import DocumentationOrchestrator
from flowdsl.orchestrator.documentation_picture import linked_svg
from flowdsl.runs import load_runs
from flowdsl.views.escape import clean, clean_lines
from flowdsl.views.palette import look
from flowdsl.views.text import tree

__all__ = ["FlowDirective", "setup"]

_WIDE = '<div style="overflow-x:auto;margin:1em 0">%s</div>'


def setup(app: Any) -> Dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("flowdsl", FlowDirective)
    return {"version": flowdsl.__version__, "parallel_read_safe": True, "parallel_write_safe": True}


class FlowDirective(Directive):  # type: ignore[misc]
    """``.. flowdsl:: module:flow``: graph, inputs, tasks and states of a flow; its module is imported.

    Without ``:flow`` it is the flow of the module's bare ``@task``. ``:log-dir: logs/tasks`` adds the statistics of the
    runs that left their journals there.
    """

    required_arguments = 1
    option_spec = {"log-dir": directives.path}  # noqa: RUF012 - docutils wants it so

    def run(self) -> List[Any]:
        """The nodes; a flow that cannot be had is an error of the page."""
        name, _, attribute = self.arguments[0].partition(":")
        try:
            module = importlib.import_module(name)
            subject = attrgetter(attribute)(module) if attribute else flow_of(name)
            runs = load_runs(self.options["log-dir"]) if "log-dir" in self.options else ()
            found = DocumentationOrchestrator(subject, runs=list(runs)).blocks()
        except Exception as exc:  # whatever the user's module does
            raise self.error("flowdsl: %s: %s: %s" % (self.arguments[0], type(exc).__name__, exc)) from exc
        self._note(module)
        return _Writer(self.arguments[0]).nodes(found)

    def _note(self, module: Any) -> None:
        """The page is built again when the module has changed."""
        file, environment = getattr(module, "__file__", None), getattr(self.state.document.settings, "env", None)
        if isinstance(file, str) and environment is not None:
            environment.note_dependency(os.path.realpath(file))


class _Writer:
    """Blocks as nodes of docutils, which escape what they show; ids are apart from those of other flows."""

    def __init__(self, name: str) -> None:
        self._prefix = "flow-%s-" % sha256(name.encode()).hexdigest()[:6]
        self._writers: Dict[Type[Any], Callable[[Any], List[Any]]] = {
            doc.Paragraph: lambda block: [nodes.paragraph("", "", *self._line(block.line))],
            doc.Code: self._code,
            doc.Facts: self._facts,
            doc.Table: self._table,
            doc.Picture: self._picture,
        }

    def nodes(self, blocks: Iterable[Block]) -> List[Any]:
        """Sections for headings; that of level 1 is the page's own."""
        top = nodes.section()
        open_sections = [(1, top)]
        for block in _flat(blocks):
            if not isinstance(block, doc.Heading):
                open_sections[-1][1].extend(self._writers[type(block)](block))
            elif block.level > 1:
                while open_sections[-1][0] >= block.level:
                    open_sections.pop()
                section = nodes.section(ids=[self._prefix + block.anchor], names=[])
                section += nodes.title("", "", *self._line(block.line))
                open_sections[-1][1].append(section)
                open_sections.append((block.level, section))
        return list(top.children)

    def _code(self, block: doc.Code) -> List[Any]:
        text = clean_lines(block.text)
        return [nodes.literal_block(text, text, language="python" if block.language else "text")]

    def _facts(self, block: doc.Facts) -> List[Any]:
        items = []
        for name, line in block.pairs:
            said = nodes.paragraph("", "", nodes.strong("", clean(name)), nodes.Text(": "), *self._line(line))
            items.append(nodes.list_item("", said))
        return [nodes.bullet_list("", *items)]

    def _table(self, block: doc.Table) -> List[Any]:
        group = nodes.tgroup(cols=len(block.heads))
        columns = zip(*[block.heads, *(["".join(word.text for word in cell) for cell in row] for row in block.rows)])
        group.extend(nodes.colspec(colwidth=max(map(len, column))) for column in columns)
        group += nodes.thead("", _row([[nodes.Text(clean(head))] for head in block.heads]))
        group += nodes.tbody("", *(_row([self._line(cell) for cell in row]) for row in block.rows))
        return [nodes.table("", group, classes=["colwidths-auto"])]

    def _picture(self, block: doc.Picture) -> List[Any]:
        """SVG for HTML, a tree of text for everything else."""
        own = block._replace(targets=tuple((ident, self._prefix + anchor) for ident, anchor in block.targets))
        svg = nodes.raw("", _WIDE % linked_svg(own, self._prefix), format="html")
        text = nodes.literal_block("", tree(block.graph), language="text")
        return [only("", svg, expr="html"), only("", text, expr="not html")]

    def _line(self, line: Line) -> List[Any]:
        return [self._word(word) for word in line]

    def _word(self, word: Word) -> Any:
        said = clean(word.text)
        if word.kind == "code":
            return nodes.literal(said, said)
        if word.kind == "link":
            return nodes.reference("", said, refid=self._prefix + word.target, internal=True)
        if word.kind == "strong":
            return nodes.strong(said, said)
        if word.kind == "state":
            text = "%s\u00a0%s" % (look(said).icon, said)  # on one line
            return nodes.literal(text, text)
        return nodes.Text(said)


def _flat(blocks: Iterable[Block]) -> Iterable[Block]:
    for block in blocks:
        if isinstance(block, doc.Region):
            yield from _flat(block.blocks)
        else:
            yield block


def _row(cells: Iterable[List[Any]]) -> Any:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))
