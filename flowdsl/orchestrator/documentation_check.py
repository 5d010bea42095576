"""Whether a page on disk still says what its flow says; and if not, where they differ."""

from __future__ import annotations

import difflib
import re
from typing import Dict, List, Sequence

from flowdsl.errors import FlowError

__all__ = ["DocumentationOutdated", "differences"]

_REGION = re.compile(r"<!-- flowdsl: (?:contents|picture|statistics) -->.*?<!-- flowdsl: end -->", re.DOTALL)
_ANCHORED = re.compile(r'^(?=<a id="[a-z0-9-]+"></a>$|<h[1-6] id=")', re.MULTILINE)
_NAME = re.compile(r'^(?:<a id="[^"]*"></a>\s*#+ (?P<md>.*)|<h[1-6] id="[^"]*">(?P<html>.*?)</h)')
_LINK = re.compile(r"\[([^\]]*)\]\(#[a-z0-9-]+\)")
_TAGS = re.compile(r"<[^>]*>")
SHOWN = 6  # lines of a section


class DocumentationOutdated(FlowError):
    """A page does not match its flow any more; `differences` says where, a text each."""

    def __init__(self, message: str, differences: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


def differences(before: str, after: str) -> List[str]:
    """What is in `after` (the page as it should be) and not in `before` (the page as it is), section by section.

    The picture, whose coordinates depend on the renderer, and the statistics of past runs are not looked at.
    """
    old, new = _sections(before), _sections(after)
    found = ["%s is new" % name for name in new if name not in old]
    found += ["%s is gone" % name for name in old if name not in new]
    for name in new:
        if name in old and old[name] != new[name]:
            found.append("%s: %s" % (name, _changes(old[name], new[name])))
    if not found and list(old) != list(new):
        found.append("the order of the sections")
    return found


def _sections(page: str) -> Dict[str, List[str]]:
    """The lines of each section that say something, by its title."""
    found: Dict[str, List[str]] = {}
    for part in _ANCHORED.split(_REGION.sub("", page)):
        title = _NAME.match(part)
        name = "the head of the page"
        if title is not None:
            name = "section %r" % _TAGS.sub("", title["md"] or title["html"]).replace("\\", "")
        found.setdefault(name, []).extend(line for line in part.splitlines() if line.strip())
    return found


def _changes(old: Sequence[str], new: Sequence[str]) -> str:
    lines = [
        line[0] + " " + " ".join(_LINK.sub(r"\1", _TAGS.sub(" ", line[1:])).replace("\\", "").split())
        for line in difflib.unified_diff(old, new, n=0, lineterm="")
        if line[:1] in "+-" and line[:3] not in ("---", "+++")
    ]
    more = " (and %d more lines)" % (len(lines) - SHOWN) if len(lines) > SHOWN else ""
    return "; ".join(lines[:SHOWN]) + more
