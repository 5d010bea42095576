"""Which tasks of a whole flow a run still needs when some of its results are given."""

from __future__ import annotations

from typing import Collection, List, Mapping, Set

from flowdsl.definition.parameters import VARIABLE
from flowdsl.definition.spec import TaskSpec

__all__ = ["needed"]


def needed(specs: Mapping[str, TaskSpec], given: Collection[str]) -> List[str]:
    """The names, in order, without the ancestors of the given tasks; who else needs one of those brings it back."""
    behind: Set[str] = set()
    waiting = [name for name in given if name in specs]
    while waiting:
        for source in _sources(specs[waiting.pop()], specs):
            if source not in behind and source not in given:
                behind.add(source)
                waiting.append(source)
    return [name for name in specs if name not in behind]


def _sources(spec: TaskSpec, known: Mapping[str, TaskSpec]) -> List[str]:
    """The tasks of the same flow that this one waits for; names that nothing defines are left out."""
    bound = {dependency.parameter for dependency in spec.depends_on}
    found = [dependency.source for dependency in spec.depends_on if dependency.owner is None]
    for name, kind, has_default, _ in spec.parameters:
        if not has_default and kind not in VARIABLE and name not in bound:
            found.append(name)
    return [name for name in found if name in known]
