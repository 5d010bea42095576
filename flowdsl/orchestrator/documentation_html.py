"""A documentation page as one HTML file: nothing from elsewhere, no script, light and dark."""

from __future__ import annotations

from typing import Iterable

from flowdsl.orchestrator import documentation_blocks as doc
from flowdsl.orchestrator.documentation_blocks import Block, Line, Word
from flowdsl.orchestrator.documentation_picture import linked_svg
from flowdsl.views.dot import render_svg
from flowdsl.views.escape import esc, esc_lines
from flowdsl.views.page import page
from flowdsl.views.palette import look
from flowdsl.views.static import least_width
from flowdsl.views.table import pill

__all__ = ["body_html", "html_page"]

_STYLE = """
body{max-width:1240px;padding-bottom:40vh}
.doc{display:grid;grid-template-columns:minmax(0,1fr);gap:0 40px}
nav{font-size:13px;line-height:1.45}
nav a{display:block;padding:2px 0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}nav .h3{padding-left:14px}
main a,nav a{color:#0b5cad;text-decoration:none}main a:hover,nav a:hover{text-decoration:underline}
main a code{color:inherit}
h2{font-size:19px;margin:2em 0 .5em}h3{font-size:16px;margin:2em 0 .4em;padding-top:1em;
border-top:1px solid rgba(128,133,144,.3)}h2,h3{scroll-margin-top:12px}:target{background:rgba(255,196,0,.18)}
p{max-width:76ch;margin:.5em 0}code{font:12.5px/1.4 ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
table.t{border-collapse:collapse;margin:.6em 0;line-height:1.45}
table.t th{text-align:left;font-weight:600;border-bottom:1px solid rgba(128,133,144,.5);padding:4px 20px 4px 0}
table.t td{vertical-align:top;border-bottom:1px solid rgba(128,133,144,.2);padding:4px 20px 4px 0}
table.n td:not(:first-child),table.n th:not(:first-child){text-align:right;white-space:nowrap}
dl{display:grid;grid-template-columns:minmax(9em,max-content) minmax(0,1fr);gap:3px 16px;margin:.6em 0}
dt{color:#6b7280}dd{margin:0}
svg{height:auto;max-width:100%}svg a:hover .b,svg a:focus .b{stroke:#0b5cad;stroke-width:2}
@media (min-width:1000px){.doc{grid-template-columns:210px minmax(0,1fr)}
nav{position:sticky;top:16px;align-self:start;max-height:calc(100vh - 32px);overflow-y:auto}}
@media (max-width:999px){nav .h3{display:none}nav a{display:inline-block;margin-right:14px}}
@media (prefers-color-scheme:dark){main a,nav a{color:#7cb8f5}dt{color:#9aa1ad}}
@media print{nav{display:none}}
"""


def html_page(blocks: Iterable[Block], title: str) -> str:
    """The whole document; its title stands in the place of the heading of level 1."""
    found = [block for block in blocks if not (isinstance(block, doc.Heading) and block.level == 1)]
    contents = "<!-- flowdsl: contents -->\n<nav>%s</nav>\n<!-- flowdsl: end -->" % "".join(_nav(found))
    body = '<div class="doc">%s\n<main>\n%s\n</main></div>' % (contents, body_html(found))
    return page(title, "<style>%s</style>%s" % (_STYLE, body))


def body_html(blocks: Iterable[Block], prefix: str = "") -> str:
    """The blocks as HTML; `prefix` keeps the ids of the picture apart from those of another one."""
    form = doc.Format(_heading, _paragraph, _code, _facts, _table, lambda block: _picture(block, prefix))
    return "\n".join(doc.written(blocks, form))


def _nav(blocks: Iterable[Block]) -> Iterable[str]:
    for block in blocks:
        if isinstance(block, doc.Heading):
            yield '<a class="h%d" href="#%s">%s</a>' % (block.level, block.anchor, _plain(block.line))
        elif isinstance(block, doc.Region):
            yield from _nav(block.blocks)


def _picture(block: doc.Picture, prefix: str) -> str:
    """As wide as the page; beyond what can be read, it scrolls."""
    least = least_width(render_svg(block.graph))
    svg = linked_svg(block, prefix).replace("<svg ", '<svg style="min-width:%dpx" ' % least, 1)
    return '<div class="wide">%s</div>' % svg


def _heading(block: doc.Heading) -> str:
    return '<h%d id="%s">%s</h%d>' % (block.level, block.anchor, _line(block.line), block.level)


def _paragraph(block: doc.Paragraph) -> str:
    return "<p>%s</p>" % _line(block.line)


def _code(block: doc.Code) -> str:
    return "<pre>%s</pre>" % esc_lines(block.text)


def _facts(block: doc.Facts) -> str:
    return "<dl>\n%s\n</dl>" % "\n".join(
        "<dt>%s</dt><dd>%s</dd>" % (esc(name), _line(line)) for name, line in block.pairs
    )


def _table(block: doc.Table) -> str:
    head = "".join("<th>%s</th>" % esc(name) for name in block.heads)
    rows = "\n".join("<tr>%s</tr>" % "".join("<td>%s</td>" % _line(cell) for cell in row) for row in block.rows)
    kind = "t n" if len(block.heads) > 4 else "t"  # many columns are numbers
    return '<div class="wide"><table class="%s"><tr>%s</tr>\n%s\n</table></div>' % (kind, head, rows)


def _line(line: Line) -> str:
    return "".join(map(_word, line))


def _plain(line: Line) -> str:
    return esc("".join(word.text for word in line))


def _word(word: Word) -> str:
    if word.kind == "code":
        return "<code>%s</code>" % esc(word.text)
    if word.kind == "link":
        return '<a href="#%s">%s</a>' % (word.target, esc(word.text))
    if word.kind == "strong":
        return "<b>%s</b>" % esc(word.text)
    if word.kind == "state":
        return "%s <code>%s</code>" % (pill(look(word.text)), esc(word.text))
    return esc(word.text)
