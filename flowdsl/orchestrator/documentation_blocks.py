"""What a documentation page is made of, in whatever format: headings, paragraphs, facts, tables, code, a picture."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple, Union

__all__ = [
    "Block", "Code", "Format", "Facts", "Heading", "Line", "Paragraph", "Picture", "Region", "Table", "Word",
    "code", "joined", "link", "state", "strong", "text", "written",
]  # fmt: skip


class Word(NamedTuple):
    """A piece of a line: plain text, code, a state, or a link to the heading whose anchor is `target`."""

    kind: str  # "text", "strong", "code", "state", "link"
    text: str
    target: str = ""


Line = Tuple[Word, ...]


class Heading(NamedTuple):
    """A heading of level 1 to 3 with an anchor of our own making: no user's string is in it."""

    level: int
    line: Line
    anchor: str


class Paragraph(NamedTuple):
    """A line of running text, however long."""

    line: Line


class Code(NamedTuple):
    """Lines shown as they are; `language` is "python" or ""."""

    text: str
    language: str = ""


class Facts(NamedTuple):
    """Names with what there is to say of each."""

    pairs: Tuple[Tuple[str, Line], ...]


class Table(NamedTuple):
    """Rows below heads; each cell is a line."""

    heads: Tuple[str, ...]
    rows: Tuple[Tuple[Line, ...], ...]


class Picture(NamedTuple):
    """The graph; `targets` are the anchors that its boxes lead to, by the id of the box."""

    graph: Any
    targets: Tuple[Tuple[str, str], ...]
    alt: str


class Region(NamedTuple):
    """Blocks that say something else each time, by their nature: no check looks at them."""

    name: str  # "picture", "statistics"
    blocks: Tuple[Any, ...]


Block = Union[Heading, Paragraph, Code, Facts, Table, Picture, Region]


def text(value: str) -> Word:
    """Plain text."""
    return Word("text", value)


def strong(value: str) -> Word:
    """Text that stands out."""
    return Word("strong", value)


def code(value: str) -> Word:
    """A name or a value as it is written in code."""
    return Word("code", value)


def state(value: str) -> Word:
    """A state of a task, with its icon where the format has one."""
    return Word("state", value)


def link(value: str, anchor: str) -> Word:
    """Text that leads to the heading with this anchor."""
    return Word("link", value, anchor)


def joined(words: Any, between: str = ", ") -> Line:
    """The words with a comma, or something else, between each two."""
    found: Line = ()
    for word in words:
        found += ((text(between),) if found else ()) + (word,)
    return found


# ---- in whatever format


class Format(NamedTuple):
    """How each kind of block is written."""

    heading: Callable[[Heading], str]
    paragraph: Callable[[Paragraph], str]
    code: Callable[[Code], str]
    facts: Callable[[Facts], str]
    table: Callable[[Table], str]
    picture: Callable[[Picture], str]


def written(blocks: Iterable[Block], form: Format) -> List[str]:
    """Each block as text; comments stand around what no check looks at."""
    writers: Dict[Any, Callable[[Any], str]] = dict(zip((Heading, Paragraph, Code, Facts, Table, Picture), form))
    found: List[str] = []
    for block in blocks:
        if isinstance(block, Region):
            found += ["<!-- flowdsl: %s -->" % block.name, *written(block.blocks, form), "<!-- flowdsl: end -->"]
        else:
            found.append(writers[type(block)](block))
    return found
