"""Pictures as templates: a renderer's SVG taken apart and rebuilt from known parts, coloured again for each new state.

Nothing of what a renderer wrote is passed on as it is: elements and attributes are copied by name, so that whatever
stands at `$FLOWDSL_DOT` can bring neither scripts nor links into a page. The second line of text of each box is a
place, `U+E000 id U+E001`, that `recolour` fills (`escape.clean` takes those characters out of users' strings).
"""

from __future__ import annotations

import re
from typing import AbstractSet, Dict, List, Mapping, Optional, Tuple
from xml.etree import ElementTree
from zlib import crc32

from flowdsl.views.escape import esc
from flowdsl.views.faces import Face
from flowdsl.views.palette import GREY

__all__ = ["Rubbish", "adopt", "place", "recolour", "root", "size"]

FONT = "Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif"
_ATTRIBUTES = {
    "g": ("transform",),
    "path": ("d", "fill", "stroke", "stroke-width", "stroke-dasharray"),
    "polygon": ("points", "fill", "stroke", "stroke-width", "stroke-dasharray"),
    "polyline": ("points", "fill", "stroke", "stroke-width", "stroke-dasharray"),
    "ellipse": ("cx", "cy", "rx", "ry", "fill", "stroke", "stroke-width", "stroke-dasharray"),
    "text": ("x", "y", "text-anchor", "font-size", "fill"),
}
_VALUE = re.compile(r"[\w\s.,#()+-]*\Z")
_PLACE = re.compile("\ue000(n\\d+)\ue001")
_SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')


class Rubbish(ValueError):
    """What a renderer wrote is not the picture that it was asked for."""


def place(ident: str) -> str:
    """Where the second line of box `ident` goes."""
    return f"\ue000{ident}\ue001"


def root(width: float, height: float, body: str, label: str, view: str = "") -> str:
    """A whole SVG document; one unit of it is one pixel, so that its text is as large as that around it."""
    w, h = f"{width:.0f}", f"{height:.0f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="{view or f"0 0 {w} {h}"}"'
        f' font-family="{FONT}" role="img" aria-label="{esc(label)}">{body}</svg>'
    )


def size(svg: str) -> Tuple[int, int]:
    """Width and height in pixels of a picture that `root` made."""
    found = _SIZE.match(svg)
    return (int(float(found[1])), int(float(found[2]))) if found else (600, 200)


def adopt(data: bytes, ids: AbstractSet[str], places: AbstractSet[str], label: str) -> str:
    """The picture that a renderer wrote, rebuilt; `places` are the boxes whose second line is to be filled.

    Raises:
        Rubbish: it is not well-formed, not an SVG, or not all of the boxes `ids` are in it.
    """
    text = data.decode("utf-8", "replace")
    begin = text.find("<svg")  # what stands before it could define entities
    try:
        tree = ElementTree.fromstring(text[begin:] if begin >= 0 else "")
        width, height = _points(tree.get("width")), _points(tree.get("height"))
        view = _value(tree.get("viewBox") or "")
        found: Dict[str, bool] = {}
        body = "".join(_copy(child, places, found, 0) for child in tree)
    except (ElementTree.ParseError, ValueError) as fault:
        raise Rubbish(f"not an SVG: {fault}") from fault
    if not ids <= found.keys():
        raise Rubbish("boxes are missing from it")
    return root(width, height, body, label, view)


def recolour(svg: str, faces: Mapping[str, Face]) -> str:
    """`svg` with the fill and the second line that each box has in `faces`; the positions stay as they are.

    One `<style>` does the colours. It speaks only of the picture's own id, for a page may hold several pictures.
    """
    fills: Dict[str, List[str]] = {}
    for ident, face in faces.items():
        if face.fill != "none":
            fills.setdefault(face.fill, []).append(ident)
    mark = f"f{crc32(f'{svg}{sorted(fills.items())}'.encode('utf-8', 'replace')):08x}"
    rules = "".join(
        ",".join(f"#{mark} #{ident} .b" for ident in idents) + f"{{fill:{fill}}}" for fill, idents in fills.items()
    )
    filled = _PLACE.sub(lambda found: esc(faces[found[1]].text) if found[1] in faces else "", svg)
    head, bracket, rest = filled.partition(">")
    return f'{head} id="{mark}"{bracket}<style>{rules}</style>{rest}'


# ---- rebuilding


def _copy(element: ElementTree.Element, places: AbstractSet[str], found: Dict[str, bool], depth: int) -> str:
    tag = element.tag.rpartition("}")[2]
    if tag == "g":
        return _group(element, places, found, depth)
    if tag == "text":
        return _text(element, esc("".join(element.itertext())))
    return f"<{tag}{_attributes(element, tag)}/>" if tag in _ATTRIBUTES else ""


def _group(group: ElementTree.Element, places: AbstractSet[str], found: Dict[str, bool], depth: int) -> str:
    if depth > 8:
        raise ValueError("groups in groups")
    ident, kind = group.get("id") or "", group.get("class")
    if kind == "node":
        found[ident] = True
        return f'<g id="{_value(ident)}">{_node(group, ident if ident in places else None)}</g>'
    children = "".join(_copy(child, places, found, depth + 1) for child in _drawn(group, kind))
    return f"<g{_attributes(group, 'g') if kind != 'edge' else ''}>{children}</g>"


def _drawn(group: ElementTree.Element, kind: Optional[str]) -> List[ElementTree.Element]:
    """The children without the page's background, which is a polygon right below the outermost group."""
    return [child for child in group if not (kind == "graph" and child.tag.endswith("}polygon"))]


def _node(group: ElementTree.Element, ident: Optional[str]) -> str:
    """A box: its first shape is the one that takes the colour, its last text the one that says the state."""
    parts: List[str] = []
    texts = [child for child in group.iter() if child.tag.endswith("}text")]
    for child in group.iter():
        tag = child.tag.rpartition("}")[2]
        if tag == "text":
            at_place = ident is not None and child is texts[-1]
            content = place(ident or "") if at_place else esc("".join(child.itertext()))
            parts.append(_text(child, content, small=at_place))
        elif tag in _ATTRIBUTES and tag != "g":
            filled = ' class="b"' if not parts and child.get("fill") != "none" else ""
            parts.append(f"<{tag}{filled}{_attributes(child, tag)}/>")
    return "".join(parts)


def _text(element: ElementTree.Element, content: str, small: bool = False) -> str:
    attributes = _attributes(element, "text")
    if small:
        attributes = re.sub(r'font-size="[^"]*"', 'font-size="11"', attributes)
    return f"<text{attributes}>{content}</text>"


def _attributes(element: ElementTree.Element, tag: str) -> str:
    pairs = ((name, element.get(name)) for name in _ATTRIBUTES[tag])
    return "".join(f' {name}="{_value(value)}"' for name, value in pairs if value is not None)


def _value(value: str) -> str:
    if not _VALUE.match(value):
        raise ValueError("an attribute with strange characters")
    return value


def _points(value: Optional[str]) -> float:
    number = float((value or "").replace("pt", "").replace("px", ""))
    if not 0 < number < 1e6:
        raise ValueError("a size that makes no sense")
    return number


def text_picture(lines: List[str], label: str) -> str:
    """The last resort: text as a picture."""
    rows = "".join(
        f'<text x="8" y="{18 + 17 * at}" font-size="12" fill="{GREY}" xml:space="preserve">{esc(line)}</text>'
        for at, line in enumerate(lines)
    )
    return root(16 + 8 * max(map(len, lines), default=1), 16 + 17 * len(lines), rows, label)
