"""The audit of the queue: what is wrong with its dependencies, and what of them does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Mapping, NamedTuple, Set

from flowdsl.definition.counted import counted
from flowdsl.engine import states as st
from flowdsl.orchestrator.order import Edges, dependencies_first, turned
from flowdsl.orchestrator.parts import Parts
from flowdsl.orchestrator.standing import Standing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Report", "audit"]


class Finding(NamedTuple):
    """One thing that was found: of which kind, about which task, in words."""

    kind: str
    task: str
    text: str


# What keeps a task from running; the other kinds are there to be known.
BROKEN = ("cycle", "missing", "unreachable", "damage")
FAULTS = (*BROKEN, "no handler", "not kept")


class Report:
    """What an audit found: `findings`, each with `kind`, `task` and `text`; `ok` where every open task could run.

    Kinds: "cycle"; "missing" (a dependency that was removed); "unreachable" (a task that waits for one that will not
    complete); "no handler" (in this process); "not kept" (a parameter that only an earlier process had); "damage" (of
    the queue's journal); and, which are no faults, "redundant edge" (a longer way says the same) and "dead end" (a
    task that nothing waits for).
    """

    def __init__(self, findings: List[Finding]) -> None:
        self.findings = findings

    @property
    def ok(self) -> bool:
        """Whether nothing keeps a task from running in this process."""
        return not any(found.kind in FAULTS for found in self.findings)

    @property
    def broken(self) -> List[Finding]:
        """What no handler can mend: cycles, missing and unreachable tasks, damage."""
        return [found for found in self.findings if found.kind in BROKEN]

    def of(self, kind: str) -> List[str]:
        """The tasks of the findings of that kind."""
        return [found.task for found in self.findings if found.kind == kind]

    @property
    def frame(self) -> pd.DataFrame:
        """A DataFrame with one row a finding, in the order of `findings`.

        ====  ======  ====================================================  =========
        name  dtype   meaning                                               when null
        ====  ======  ====================================================  =========
        kind  string  one of the kinds of `Report`                          never
        task  string  the task's id; empty for damage of the journal        never
        text  string  what is wrong, or what does nothing                   never
        ====  ======  ====================================================  =========
        """
        from flowdsl.analysis.schema import build_frame, columns

        values = {name: [getattr(found, name) for found in self.findings] for name in Finding._fields}
        return build_frame(columns("kind:string task:string text:string"), values)

    def __repr__(self) -> str:
        faults = [found.text for found in self.findings if found.kind in FAULTS]
        more = len(self.findings) - len(faults)
        head = counted(len(faults), "fault") if faults else "sound"
        tail = "; " + counted(more, "remark") if more else ""
        return "\n  - ".join([head + tail + (":" if faults else ""), *faults])


def audit(parts: Parts) -> Report:
    """Look at every task of the queue."""
    with parts.book.lock:
        entries = parts.book.queue.entries
        edges: Edges = {name: entry.definition.dependencies for name, entry in entries.items()}
        how = parts.standings()
        findings = [Finding("damage", "", "line %d: %s" % (one.line, one.reason)) for one in parts.book.damage]
        findings += _cycles(edges) + _missing(edges, how) + _unreachable(edges, how)
        findings += _cannot_run_here(parts, how) + _redundant(edges) + _dead_ends(edges)
    return Report(findings)


def _cycles(edges: Edges) -> List[Finding]:
    """Each task that waits for itself, or for one that does."""
    sound = set(dependencies_first(edges))
    text = "task %r waits for itself, or for a task that does"
    return [Finding("cycle", name, text % name) for name in edges if name not in sound]


def _missing(edges: Edges, how: Mapping[str, Standing]) -> List[Finding]:
    """What tasks wait for that is not there; what a completed one needed may have been removed."""
    text = "task %r depends on %r, which is not there"
    waiting = [(name, those) for name, those in edges.items() if how[name].state not in st.DONE_WELL]
    gone = [(name, one) for name, those in waiting for one in those if one not in edges]
    return [Finding("missing", name, text % (name, one)) for name, one in gone]


def _unreachable(edges: Edges, how: Mapping[str, Standing]) -> List[Finding]:
    """Open tasks that wait, however far, for one that was cancelled, skipped or set to failed by hand."""
    children = turned(edges)
    found: Dict[str, str] = {}
    for name, now in how.items():
        if now.state in (st.CANCELLED, st.SKIPPED) or (now.final and now.state == st.FAILED):
            reached = list(children.get(name, ()))
            for child in reached:  # it grows while it is walked
                if child not in found and how[child].state in (*st.OPEN, st.INTERRUPTED):
                    found[child] = name
                    reached += children.get(child, ())
    text = "task %r waits for %r, which is %s"
    return [Finding("unreachable", name, text % (name, one, how[one].status)) for name, one in found.items()]


def _cannot_run_here(parts: Parts, how: Mapping[str, Standing]) -> List[Finding]:
    """Open tasks without a handler, or with parameters that were lost with the process that added them."""
    findings = []
    for name, entry in parts.book.queue.entries.items():
        task = entry.definition
        if how[name].state in st.DONE_WELL:
            continue
        if task.unkept:
            findings.append(Finding("not kept", name, "task %r: its %s was lost" % (name, ", ".join(task.unkept))))
        if parts.handlers.of(task) is None:
            text = "task %r has no handler for action %r of type %r here"
            findings.append(Finding("no handler", name, text % (name, task.action, task.type)))
    return findings


def _redundant(edges: Edges) -> List[Finding]:
    """Edges to a task that another dependency waits for as well."""
    findings = []
    above: Dict[str, Set[str]] = {}
    for name in dependencies_first(edges):
        parents = edges[name]
        indirect: Set[str] = set().union(*(above.get(parent, set()) for parent in parents))
        above[name] = indirect.union(parents)
        text = "task %r need not name %r: another dependency waits for it"
        findings += [Finding("redundant edge", name, text % (name, one)) for one in parents if one in indirect]
    return findings


def _dead_ends(edges: Edges) -> List[Finding]:
    needed = {parent for parents in edges.values() for parent in parents}
    text = "nothing waits for task %r"
    return [Finding("dead end", name, text % name) for name in edges if name not in needed]
