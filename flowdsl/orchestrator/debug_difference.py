"""What changed between two runs: code, inputs, results, dependencies, options, versions, durations, states."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, NamedTuple, Optional

from flowdsl.analysis.schema import build_frame, columns
from flowdsl.definition.counted import counted
from flowdsl.orchestrator.debug_fingerprint import ITSELF, Fingerprint
from flowdsl.settings import options
from flowdsl.views.escape import clean, esc
from flowdsl.views.table import html_table
from flowdsl.views.times import duration

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Change", "Difference", "difference"]

COLUMNS = columns("kind:string task:string name:string before:string after:string before_s:float after_s:float")
FACTOR, LEAST = 1.5, 0.05  # a duration has changed when it is so many times another, and so many seconds away
SHOWN = 30  # lines of a text
UNKNOWN = "unknown"


class Change(NamedTuple):
    """One thing that is not what it was; `task` is empty where it is about the run."""

    kind: str
    task: str
    name: str
    before: Optional[str]  # None: was not there
    after: Optional[str]
    before_s: Optional[float] = None
    after_s: Optional[float] = None

    def __str__(self) -> str:
        where = "%s: " % self.task if self.task else ""
        name = "" if self.name in ("", self.kind) else "%s " % self.name
        return clean("%s%s%s -> %s" % (where, name, _or_nothing(self.before), _or_nothing(self.after)))


class Difference:
    """What changed from one run to another: text and HTML as a summary, `.frame` as rows, `.code` as unified diffs.

    `notes` says what could not be compared.
    """

    def __init__(self, before: str, after: str, changes: List[Change], code: Dict[str, str], notes: List[str]) -> None:
        self.before, self.after = before, after
        self.changes = changes
        self.code = code  # task, or function that tasks call -> unified diff
        self.notes = notes

    @property
    def frame(self) -> pd.DataFrame:
        """A DataFrame with one row a change, what explains most first.

        ========  =======  ====  ====================================================  ============================
        name      dtype    unit  meaning                                               when null
        ========  =======  ====  ====================================================  ============================
        kind      string         version, code, input, option, dependency, task,       never
                                 result, duration or state
        task      string         the task concerned                                    it is about the run
        name      string         the package, input or option; "function" for the      never
                                 task's own, else the name of one that it calls
        before    string         what it was: a version, the first characters of a     it was not there
                                 digest, an option, a state, a duration
        after     string         what it is                                            it is not there
        before_s  float64  s     the duration that it was                              not a duration
        after_s   float64  s     the duration that it is                               not a duration
        ========  =======  ====  ====================================================  ============================
        """
        values: Dict[str, List[Any]] = {name: [getattr(one, name) for one in self.changes] for name in Change._fields}
        values["task"] = [one.task or None for one in self.changes]
        return build_frame(COLUMNS, values)

    def __len__(self) -> int:
        return len(self.changes)

    def __repr__(self) -> str:
        shown = self._shown()
        head = self._head("run %s -> run %s: ") + counted(len(shown), "change")
        lines = ["%-10s  %s" % (one.kind, one) for one in shown]
        more = ["… and %d more" % (len(lines) - SHOWN)] if len(lines) > SHOWN else []
        return "\n".join([head, *lines[:SHOWN], *more, *self.notes])

    def _head(self, text: str) -> str:
        return "" if options.stable_repr else text % (self.before, self.after)

    def _shown(self) -> List[Change]:
        """All changes, or those in which the clock has no part."""
        return [one for one in self.changes if not (options.stable_repr and one.kind == "duration")]

    def _repr_html_(self) -> str:
        rows = [
            (esc(one.kind), esc(one.task), esc(one.name), esc(_or_nothing(one.before)), esc(_or_nothing(one.after)))
            for one in self._shown()[:SHOWN]
        ]
        head = "<div>%s%s</div>" % (esc(self._head("run %s → run %s: ")), esc(counted(len(self._shown()), "change")))
        notes = "".join("<div>%s</div>" % esc(note) for note in self.notes)
        left = len(self._shown()) - SHOWN
        more = "<div>… and %d more</div>" % left if left > 0 else ""
        return head + html_table(("what", "task", "name", "before", "after"), rows) + more + _patches(self.code) + notes


def _patches(code: Mapping[str, str]) -> str:
    style = "margin:2px 0 6px;white-space:pre-wrap;background:none"
    return "".join(
        '<details open><summary>%s</summary><pre style="%s">%s</pre></details>'
        % (esc(name), style, "\n".join(line[:1] + esc(line[1:]) if line[:1] in "+- " else esc(line) for line in text))
        for name, text in ((name, patch.splitlines()) for name, patch in code.items())
    )


def _or_nothing(text: Optional[str]) -> str:
    return "nothing" if text is None else text or '""'


def difference(before: Any, after: Any, one: Fingerprint, other: Fingerprint) -> Difference:
    """What changed from the run `before`, with the fingerprint `one`, to the run `after`."""
    changes = [
        *_changed("version", "", one.environment, other.environment),
        *(change for task in one.code for change in _in_code(task, one, other)),
        *_in_digests("input", one.inputs, other.inputs),
        *_in_options(one, other),
        *_in_tasks(one, other),
        *_in_digests("result", one.results, other.results),
        *_in_rows(before, after),
    ]
    notes = [
        "run %s was not watched by a debugger: its code, packages and inputs are not known" % side.run_id
        for side in (one, other)
        if not side.complete
    ]
    if one.complete and other.complete and (_lacks_digests(one) or _lacks_digests(other)):
        notes.append("the values of inputs and results were not compared: no digests of them were kept")
    return Difference(one.run_id, other.run_id, changes, _diffs(one, other), notes)


def _lacks_digests(side: Fingerprint) -> bool:
    return not side.results and not any(side.inputs.values())


def _changed(kind: str, task: str, one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield Change(kind, task, name, one.get(name), other.get(name))


def _in_code(task: str, one: Fingerprint, other: Fingerprint) -> Iterator[Change]:
    if task in other.code:
        for change in _changed("code", task, one.code[task], other.code[task]):
            yield change._replace(before=_short(change.before), after=_short(change.after))


def _in_digests(kind: str, one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[Change]:
    """What was given or made and is another value now, as far as there are digests of both."""
    for change in _changed(kind, "", one, other):
        if change.before and change.after:
            shown = change._replace(before=_short(change.before), after=_short(change.after))
            yield shown if kind == "input" else shown._replace(task=change.name, name=kind)
        elif kind == "input" and (change.before is None or change.after is None):
            yield change._replace(before=_given(change.before), after=_given(change.after))


def _given(text: Optional[str]) -> Optional[str]:
    return None if text is None else "given"


def _short(digest: Optional[str]) -> Optional[str]:
    return None if digest is None else digest[:8]


def _in_options(one: Fingerprint, other: Fingerprint) -> Iterator[Change]:
    for task in one.options:
        if task in other.options:
            for change in _changed("option", task, one.options[task], other.options[task]):
                yield change._replace(kind="dependency") if change.name == "upstream" else change


def _in_tasks(one: Fingerprint, other: Fingerprint) -> Iterator[Change]:
    for task in one.options:
        if task not in other.options and "[" not in task:
            yield Change("task", task, "task", "there", None)
    for task in other.options:
        if task not in one.options and "[" not in task:
            yield Change("task", task, "task", None, "there")


def _in_rows(before: Any, after: Any) -> Iterator[Change]:
    """Durations and states, of tasks that both runs have."""
    rows = [(row, after.snapshot().tasks[name]) for name, row in before.snapshot().tasks.items()
            if name in after.snapshot().tasks]  # fmt: skip
    for row, now in rows:
        was, took = row.duration_s, now.duration_s
        if was is not None and took is not None and _differ(was, took):
            yield Change("duration", row.name, "duration", duration(was), duration(took), was, took)
    for row, now in rows:
        if (row.state, row.cause) != (now.state, now.cause):
            yield Change("state", row.name, "state", _state(row), _state(now))


def _state(row: Any) -> str:
    return "%s (%s)" % (row.state, row.cause)


def _differ(was: float, took: float) -> bool:
    least, most = sorted((was, took))
    return most - least >= LEAST and most >= FACTOR * least


def _diffs(one: Fingerprint, other: Fingerprint) -> Dict[str, str]:
    """A unified diff for each function whose text is known on both sides and changed."""
    found: Dict[str, str] = {}
    for task in one.code:
        for name, digest in one.code[task].items():
            now = other.code.get(task, {}).get(name, digest)
            texts = one.sources.get(digest), other.sources.get(now)
            title = task if name == ITSELF else name
            if now != digest and title not in found and all(texts):
                was, is_now = ((text or "").splitlines() for text in texts)
                found[title] = "\n".join(difflib.unified_diff(was, is_now, "before", "after", lineterm=""))
    return found
