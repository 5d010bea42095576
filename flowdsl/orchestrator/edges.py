"""The edges of tasks that are to be added: dependencies by id or action, of tasks that are there or come along."""

from __future__ import annotations

from typing import Dict, List, Mapping, Sequence, Set, Tuple

from flowdsl.definition.checks import shown
from flowdsl.definition.suggest import did_you_mean, nearest
from flowdsl.orchestrator.draft import Draft
from flowdsl.orchestrator.fold import Queue

__all__ = ["Around", "check_cycles", "check_dependencies"]


class Around:
    """The tasks that a new one may wait for: those of the queue, and those that come with it."""

    def __init__(self, drafts: Sequence[Draft], queue: Queue) -> None:
        self._queue = queue
        self._actions = {draft.task_id: draft.action for draft in drafts}
        self._by_action: Dict[str, List[str]] = {}
        for draft in drafts:
            self._by_action.setdefault(draft.action, []).append(draft.task_id)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._actions or task_id in self._queue.entries

    def action(self, task_id: str) -> str:
        """What that task does."""
        return self._actions[task_id] if task_id in self._actions else self._queue.action(task_id)

    def with_action(self, action: str) -> List[str]:
        """The tasks that do that."""
        return list(dict.fromkeys([*self._queue.with_action(action), *self._by_action.get(action, ())]))

    def but(self, task_id: str) -> Dict[str, str]:
        """The actions of all others by their ids."""
        found = {name: entry.definition.action for name, entry in self._queue.entries.items()}
        found.update(self._actions)
        found.pop(task_id, None)
        return found


def check_dependencies(draft: Draft, around: Around) -> None:
    """Ids stay ids; an action is the one task that has it, of the queue or of those that come with this one."""
    written = draft.config.get("dependencies")
    names = [written] if isinstance(written, str) else written if written is not None else []
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        draft.faults.append("dependencies=%s is not a list of ids or actions" % shown(written))
        return
    found: Dict[str, None] = {}
    for name in names:
        if name in around and name != draft.task_id:
            found[name] = None
            continue
        those = [task_id for task_id in around.with_action(name) if task_id != draft.task_id]
        if len(those) == 1 and name != draft.task_id:
            found[those[0]] = None
        else:
            draft.faults.append(_wrong_edge(draft, name, those, around))
            draft.wrong_edges += 1
    draft.dependencies = tuple(found)


def _wrong_edge(draft: Draft, name: str, those: Sequence[str], around: Around) -> str:
    if name == draft.task_id:
        return "it depends on itself; take %r out of dependencies" % name
    if those:
        return "dependency %r is ambiguous: %s have that action; give an id" % (name, _listed(those))
    if name == draft.action:
        return "it depends on itself: %r is its own action; take it out of dependencies" % name
    others = around.but(draft.task_id)
    known = [*others, *others.values()]
    near = nearest(name, known)
    ending = did_you_mean(name, known, "add that task first")
    if near is not None and near not in others:
        ending += " (%s)" % _listed([task_id for task_id, action in others.items() if action == near])
    return "it depends on %r, which is no task%s" % (name, ending)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def check_cycles(drafts: Sequence[Draft]) -> None:
    """Only tasks that are added together can wait for each other."""
    edges = {draft.task_id: list(draft.dependencies) for draft in drafts}
    done: Set[str] = set()
    for draft in drafts:
        path = _cycle_from(draft.task_id, edges, done)
        if path:
            draft.cycle = path
            draft.faults.append("cycle: " + " -> ".join(path))
            return


def _cycle_from(start: str, edges: Mapping[str, List[str]], done: Set[str]) -> Tuple[str, ...]:
    """The cycle that is met on the way from here, in the order of waiting; empty where there is none."""
    path: Dict[str, None] = {}
    waiting = [(start, False)]
    while waiting:
        name, leaving = waiting.pop()
        if leaving:
            done.add(path.popitem()[0])
        elif name in path:
            walked = list(path)
            return (*walked[walked.index(name) :], name)
        elif name not in done and name in edges:
            path[name] = None
            waiting.append((name, True))
            waiting += [(other, False) for other in edges[name]]
    return ()
