"""A documentation page as Markdown (CommonMark with GitHub's tables), in which every user's string is only text."""

from __future__ import annotations

import re
from typing import Iterable, List, Sequence

from flowdsl.orchestrator import documentation_blocks as doc
from flowdsl.orchestrator.documentation_blocks import Block, Line, Word
from flowdsl.views.escape import clean, clean_lines
from flowdsl.views.palette import look

__all__ = ["markdown", "md"]

# All that may begin markup: emphasis, code, links, HTML, entities, tables, headings, mentions, formulas.
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~$&!@^]")
_BEGIN = re.compile(r"^(\s*)([-+=]|\d+[.)](?=\s|$))")  # a list, a rule, an underline
_AUTOLINK = re.compile(r":(?=\S)|(?<=www)\.", re.IGNORECASE)  # web addresses and `:names:` of pictures


def md(text: str) -> str:
    """Text for Markdown, on one line: it shows as it is, wherever it stands."""
    said = _AUTOLINK.sub(lambda found: "\\" + found[0], _SPECIAL.sub(lambda found: "\\" + found[0], clean(text)))
    return _BEGIN.sub(lambda found: found[1] + found[2][:-1] + "\\" + found[2][-1], said)


def markdown(blocks: Iterable[Block], picture: str) -> str:
    """The page; `picture` is the name of the file that holds the graph, made by us."""
    form = doc.Format(_heading, _paragraph, _code, _facts, _table, lambda block: "![%s](%s)" % (md(block.alt), picture))
    return "\n\n".join(doc.written(blocks, form)) + "\n"


def _heading(block: doc.Heading) -> str:
    return '<a id="%s"></a>\n\n%s %s' % (block.anchor, "#" * block.level, _line(block.line))


def _paragraph(block: doc.Paragraph) -> str:
    return _line(block.line)


def _code(block: doc.Code) -> str:
    """A fence that is longer than any in the code."""
    text = clean_lines(block.text)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "%s%s\n%s\n%s" % (fence, block.language, text, fence)


def _facts(block: doc.Facts) -> str:
    return "\n".join("- **%s**: %s" % (md(name), _line(line)) for name, line in block.pairs)


def _table(block: doc.Table) -> str:
    rows: List[Sequence[str]] = [[md(head) for head in block.heads], ["---"] * len(block.heads)]
    rows += [[_line(cell, in_table=True) for cell in row] for row in block.rows]
    return "\n".join("| %s |" % " | ".join(row) for row in rows)


def _line(line: Line, in_table: bool = False) -> str:
    return "".join(_word(word, in_table) for word in line)


def _word(word: Word, in_table: bool) -> str:
    if word.kind == "code":
        return _span(word.text, in_table)
    if word.kind == "link":
        return "[%s](#%s)" % (md(word.text), word.target)
    if word.kind == "strong":
        return "**%s**" % md(word.text)
    if word.kind == "state":
        return "%s `%s`" % (look(word.text).icon, word.text)
    return md(word.text)


def _span(text: str, in_table: bool) -> str:
    """Code in a line; a bar would end the cell of a table."""
    said = clean(text)
    said = said.replace("|", "\\|") if in_table else said
    longest = max(map(len, re.findall("`+", said)), default=0)
    fence, blank = "`" * (longest + 1), " " if said[:1] in ("`", " ") or said[-1:] in ("`", " ") else ""
    return "%s%s%s%s%s" % (fence, blank, said, blank, fence)
