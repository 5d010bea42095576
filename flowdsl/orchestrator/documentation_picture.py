"""The graph as SVG inside a page: each box is a link to a section of that page, by an anchor of our own making."""

from __future__ import annotations

import re
from typing import Mapping

from flowdsl.orchestrator import documentation_blocks as doc
from flowdsl.views.dot import render_svg
from flowdsl.views.escape import esc

__all__ = ["linked_svg", "plain_svg"]

_BOX = re.compile(r'<g id="(n\d+)">(.*?)</g>', re.DOTALL)
_IDS = re.compile(r'(<g id="|#)(n\d+)\b')
_ANCHOR = re.compile(r"[a-z][a-z0-9-]*\Z")


def plain_svg(picture: doc.Picture) -> str:
    """The picture for a file of its own: without links."""
    return render_svg(picture.graph)


def linked_svg(picture: doc.Picture, prefix: str = "") -> str:
    """The picture with a link round each box; `prefix` keeps its ids apart from those of other pictures of a page."""
    targets = {ident: anchor for ident, anchor in picture.targets if _ANCHOR.match(anchor)}
    linked = _BOX.sub(lambda found: _linked(found, targets), render_svg(picture.graph))
    return _IDS.sub(lambda found: "%s%s%s" % (found[1], prefix, found[2]), linked) if prefix else linked


def _linked(found: re.Match[str], targets: Mapping[str, str]) -> str:
    anchor = targets.get(found[1])
    return '<a href="#%s" style="text-decoration:none">%s</a>' % (esc(anchor), found[0]) if anchor else found[0]
