"""From a notebook to a module: its tasks, and of everything else what they need; the rest stays in the notebook."""

from __future__ import annotations

from pathlib import Path
from typing import AbstractSet, NamedTuple, Sequence, Set

from flowdsl.cells import read_pieces
from flowdsl.errors import DefinitionError
from flowdsl.loading import Loaded
from flowdsl.statements import Piecemeal, statements

__all__ = ["Exported", "exported"]


class Exported(NamedTuple):
    """The text of the module, and the cells of which something was needed that could not be taken along."""

    text: str
    left_out: Sequence[int]


def exported(path: Path, loaded: Loaded) -> Exported:
    """The module of the notebook at `path`; `loaded` is what it left behind when it was loaded.

    Taken along are tasks as they were defined last, and the imports, functions, classes and values that they name, and
    what those name. Raises DefinitionError where the file has no task.
    """
    pieces = [one for piece in read_pieces(path) for one in statements(piece, loaded)]
    if not any(one.is_task for one in pieces):
        raise DefinitionError("%s defines no tasks" % path.name)
    taken = _taken(pieces)
    left_out = sorted({pieces[at].cell for at in taken if pieces[at].starts_run})
    kept = [one for at, one in enumerate(pieces) if at in taken and not one.starts_run]
    return Exported(_module(path.name, kept), left_out)


def _taken(pieces: Sequence[Piecemeal]) -> Set[int]:
    """The indices of what goes into the module; an earlier definition of a task only where something would miss it."""
    last = {one.defines: at for at, one in enumerate(pieces)}
    earlier = {at: last[one.defines] for at, one in enumerate(pieces) if one.defines and last[one.defines] != at}
    taken = _needed(pieces, earlier.keys())
    spare = {at for at, by in earlier.items() if not _is_missed(at, by, pieces, taken)}
    return taken if len(spare) == len(earlier) else _needed(pieces, spare)


def _is_missed(at: int, by: int, pieces: Sequence[Piecemeal], taken: Set[int]) -> bool:
    """Whether what is taken names the definition at `at` before that at `by` stands there, or what only it gives.

    Two flows may have had the same variable, one after the other: then both definitions count.
    """
    names, flow = pieces[at].gives, pieces[at].defines.partition(".")[0]
    for later in range(at + 1, len(pieces)):
        one = pieces[later]
        if later < by and flow in one.gives:
            return True
        if (
            later in taken
            and not one.starts_run
            and one.needs & names
            and (later < by or not names <= pieces[by].gives)
        ):
            return True
    return False


def _needed(pieces: Sequence[Piecemeal], spare: AbstractSet[int]) -> Set[int]:
    """The indices of the tasks and of all that they need, directly or not, but for those that can be spared."""
    able = [at for at in range(len(pieces)) if at not in spare]
    taken = {at for at in able if pieces[at].is_task or pieces[at].text.startswith("from __future__")}
    wanted: Set[str] = set()
    while True:
        names: Set[str] = set().union(*(pieces[at].needs for at in taken))
        if names == wanted:
            return taken
        wanted = names
        taken |= {at for at in able if _is_wanted(pieces[at], wanted)}


def _is_wanted(one: Piecemeal, wanted: Set[str]) -> bool:
    return bool(one.gives & wanted or one.changes & wanted or "*" in one.gives)


def _module(name: str, kept: Sequence[Piecemeal]) -> str:
    futures = [one.text for one in kept if one.text.startswith("from __future__")]
    parts = ['"""The tasks of %s, written by `flowdsl export`."""' % name, *dict.fromkeys(futures)]
    if any("flowdsl" in one.needs for one in kept) and not any("flowdsl" in one.gives for one in kept):
        parts.append("import flowdsl")
    cell = 0
    for one in kept:
        if one.text not in futures:
            heading = "# ---- cell %d\n" % one.cell if one.cell != cell else ""
            cell = one.cell
            parts.append(heading + one.text)
    return "\n\n".join(parts) + "\n"
