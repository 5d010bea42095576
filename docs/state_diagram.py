"""Draws docs/images/states.svg from the engine's one table of transitions.

    python docs/state_diagram.py            # draw it again
    python docs/state_diagram.py --check    # exit 1 when the picture is not that of the table

The picture carries the digest of what it was drawn from, so that the check does not depend on the version of
the program that draws.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import graphviz

from flowdsl.engine import states as st
from flowdsl.views.renderer import find_dot, render

PICTURE = Path(__file__).parent / "images" / "states.svg"
FILLS = {"open": "#cfe3f7", "well": "#cdebcf", "badly": "#f7cfcb", "other": "#e4e0ee"}
ANY_OPEN = {*st.CANCEL_CAUSES, "process_died"}


def fill(state: str) -> str:
    """The colour of a state: going on, ended well, ended badly, ended otherwise."""
    if state in st.OPEN:
        return FILLS["open"]
    if state in st.DONE_WELL:
        return FILLS["well"]
    return FILLS["badly"] if state in st.DONE_BADLY else FILLS["other"]


def arrows() -> Iterator[Tuple[str, str, List[str]]]:
    """(before, after, causes) for each pair of states; what ends every open state alike is left to `endings`."""
    causes: Dict[Tuple[str, str], List[str]] = {}
    for (before, cause), after in st.TRANSITIONS.items():
        if cause not in ANY_OPEN:
            causes.setdefault((before, after), []).append(cause)
    for (before, after), names in causes.items():
        yield before, after, names


def endings() -> Dict[str, List[str]]:
    """{state: causes} of what may end any open state; fails where an open state is left out."""
    found: Dict[str, List[str]] = {}
    for cause in (*st.CANCEL_CAUSES, "process_died"):
        befores = {before for before, name in st.TRANSITIONS if name == cause}
        after = {st.TRANSITIONS[before, cause] for before in befores}
        if befores != st.OPEN or len(after) != 1:
            raise SystemExit(f"cause {cause!r} no longer ends every open state alike; draw it as an arrow")
        found.setdefault(after.pop(), []).append(cause)
    return found


def drawing() -> graphviz.Digraph:
    """The whole table as a DOT graph."""
    dot = graphviz.Digraph("states")
    dot.attr(rankdir="LR", bgcolor="transparent", fontname="Helvetica", fontsize="11", fontcolor="#777777")
    dot.attr(ranksep="0.9", nodesep="0.35", compound="true")
    dot.attr("node", shape="box", style="rounded,filled", fontname="Helvetica", fontsize="13", color="#777777")
    dot.attr("edge", fontname="Helvetica", fontsize="10", color="#888888", fontcolor="#888888")
    dot.node("", label="", shape="point", width="0.12", color="#888888")
    with dot.subgraph(name="cluster_open") as group:
        group.attr(label="open", style="rounded,dashed", color="#888888", labeljust="l")
        for state in st.TASK_STATES:
            if state in st.OPEN:
                group.node(state, fillcolor=fill(state))
    for state in st.TASK_STATES:
        if state not in st.OPEN:
            dot.node(state, fillcolor=fill(state))
    for before, after, names in arrows():
        dot.edge(before, after, label="\n".join(names))
    for after, names in endings().items():
        dot.edge(st.RETRY_WAIT, after, label="\n".join(names), ltail="cluster_open", style="dashed")
    return dot


def digest(dot: graphviz.Digraph) -> str:
    """What the picture says that it was drawn from (quotes differ between versions of the library)."""
    return hashlib.sha256(dot.source.replace('"', "").encode()).hexdigest()[:16]


def is_current() -> bool:
    """Whether the picture that lies here is that of the table."""
    return PICTURE.exists() and f"<!-- drawn from {digest(drawing())} -->" in PICTURE.read_text(encoding="utf-8")


def main() -> None:
    if "--check" in sys.argv:
        raise SystemExit(0 if is_current() else f"{PICTURE} is out of date: python docs/state_diagram.py")
    dot = drawing()
    program = find_dot()
    drawn = program and render(program, dot.source)
    if not drawn:
        raise SystemExit("nothing here can draw: pip install graphviz-pure")
    PICTURE.write_text(f"{drawn.decode().rstrip()}\n<!-- drawn from {digest(dot)} -->\n", encoding="utf-8")


if __name__ == "__main__":
    main()
