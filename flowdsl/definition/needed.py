"""Which tasks a run of a whole flow still needs when some of its results are given."""

from __future__ import annotations

from typing import Collection, Dict, List, Mapping, Set

from flowdsl.definition.parameters import VARIABLE
from flowdsl.definition.spec import TaskSpec

__all__ = ["needed", "sources_of"]


def sources_of(spec: TaskSpec, known: Mapping[str, TaskSpec]) -> Set[str]:
    """The tasks of the same flow that this one waits for; names that nothing defines are left out."""
    bound = {dependency.parameter for dependency in spec.depends_on}
    found = {dependency.task for dependency in spec.depends_on if dependency.owner is None}
    for name, kind, has_default, _ in spec.parameters:
        if not has_default and kind not in VARIABLE and name not in bound:
            found.add(name)
    return {name for name in found if name in known}


def needed(specs: Mapping[str, TaskSpec], given: Collection[str]) -> List[str]:
    """The names that are left, in order, without the ancestors that only the given tasks need."""
    sources = {name: sources_of(spec, specs) for name, spec in specs.items()}
    wanted: Dict[str, int] = dict.fromkeys(specs, 0)  # how many tasks still wait for it
    for found in sources.values():
        for name in found:
            wanted[name] += 1
    dropped: Set[str] = set()
    released = [name for name in given if name in specs]
    while released:
        for name in sources[released.pop()]:
            wanted[name] -= 1
            if not wanted[name] and name not in given:
                dropped.add(name)
                released.append(name)
    return [name for name in specs if name not in dropped]
