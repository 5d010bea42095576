"""The plan of an execution: which tasks of the queue run, and which only give their results."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, NamedTuple, NoReturn, Sequence, Tuple

from flowdsl.engine import states as st
from flowdsl.errors import CycleError, GraphError
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.fold import Queue
from flowdsl.orchestrator.standing import Standing

__all__ = ["Plan", "plan_all", "plan_one", "plan_with_dependencies"]

Standings = Mapping[str, Standing]

DONE = st.DONE_WELL
LEFT_ALONE = (st.SUCCEEDED, st.REUSED, st.CANCELLED, st.SKIPPED)  # by execute_all


class Plan(NamedTuple):
    """The ids that run, dependencies first, and those that are completed and give their results."""

    runs: Tuple[str, ...]
    gives: Tuple[str, ...]
    busy: Tuple[str, ...] = ()  # tasks that are needed, and that a run which goes on has in hand


def plan_one(queue: Queue, how: Standings, task_id: str) -> Plan:
    """This task alone; GraphError where a dependency is not completed."""
    needed = _parents(queue.entries, task_id)
    unmet = [name for name in needed if how[name].state not in DONE]
    if unmet:
        listed = ", ".join("%r is %s" % (name, how[name].status) for name in unmet)
        advice = "execute_with_dependencies(%r) runs them first" % task_id
        raise GraphError("task %r waits for its dependencies: %s; %s" % (task_id, listed, advice))
    return _with_busy((task_id,), needed, how)


def plan_with_dependencies(queue: Queue, how: Standings, task_id: str, hold_interrupted: bool) -> Plan:
    """This task and everything upstream that is not completed; GraphError where something of that cannot run."""

    def runs_again(name: str) -> bool:
        return name == task_id or how[name].state not in DONE

    def parents(name: str) -> Sequence[str]:
        return _parents(queue.entries, name) if runs_again(name) else ()  # what a completed one needed may be gone

    runs = list(filter(runs_again, upstream_first([task_id], parents)))
    for name in runs:
        if name != task_id:
            _check_may_run(task_id, name, how[name], hold_interrupted)
    return _with_busy(tuple(runs), _given(queue.entries, runs), how)


def plan_all(queue: Queue, how: Standings, hold_interrupted: bool) -> Plan:
    """Everything that is neither completed, cancelled, skipped nor ended by hand, and whose dependencies can be had."""
    runs: Dict[str, None] = {}
    entries = queue.entries

    def parents(name: str) -> Sequence[str]:
        return [parent for parent in entries[name].definition.dependencies if parent in entries]

    for name in upstream_first(list(entries), parents):
        now = how[name]
        if now.state in LEFT_ALONE or now.final or _is_elsewhere(now) or (hold_interrupted and _interrupted(now)):
            continue
        needed = entries[name].definition.dependencies
        if all(parent in runs or (parent in how and how[parent].state in DONE) for parent in needed):
            runs[name] = None
    return _with_busy(tuple(runs), _given(entries, list(runs)), how)


def upstream_first(targets: List[str], parents: Callable[[str], Sequence[str]]) -> List[str]:
    """The targets and everything upstream of them, dependencies before dependants; CycleError where there is none."""
    found: Dict[str, None] = {}
    begun: Dict[str, None] = {}
    waiting = [(target, False) for target in reversed(targets)]
    while waiting:  # no recursion: chains may be long
        name, ready = waiting.pop()
        if ready:
            found[name] = None
        elif name not in found:
            if name in begun:
                raise CycleError("task %r waits for itself; remove one of the tasks on that way" % name, (name, name))
            begun[name] = None
            waiting.append((name, True))
            waiting += [(parent, False) for parent in reversed(parents(name)) if parent not in found]
    return list(found)


def _parents(entries: Mapping[str, Entry], name: str) -> Tuple[str, ...]:
    parents = entries[name].definition.dependencies
    gone = [parent for parent in parents if parent not in entries]
    if gone:
        text = "task %r depends on %r, which was removed; remove(%r) and add it again without" % (name, gone[0], name)
        raise GraphError(text)
    return parents


def _check_may_run(target: str, name: str, now: Standing, hold_interrupted: bool) -> None:
    if now.final:
        advice = "execute_task(%r, force=True) runs it all the same" % name
        _refuse(target, name, "was set to %s by hand; %s" % (now.status, advice))
    if _is_elsewhere(now):
        _refuse(target, name, "is done by hand: it is in-progress, and no run has it")
    if hold_interrupted and _interrupted(now):
        _refuse(target, name, "was interrupted, and on_interrupted='hold'; execute_task(%r) runs it" % name)


def _refuse(target: str, name: str, why: str) -> NoReturn:
    raise GraphError("task %r needs %r, which %s" % (target, name, why))


def _given(entries: Mapping[str, Entry], runs: List[str]) -> Tuple[str, ...]:
    parents = [parent for name in runs for parent in entries[name].definition.dependencies]
    return tuple(dict.fromkeys(parent for parent in parents if parent not in runs))


def _with_busy(runs: Tuple[str, ...], gives: Tuple[str, ...], how: Standings) -> Plan:
    return Plan(runs, gives, tuple(name for name in (*runs, *gives) if how[name].in_run))


def _is_elsewhere(now: Standing) -> bool:
    """In progress by hand."""
    return now.state == st.RUNNING and not now.in_run


def _interrupted(now: Standing) -> bool:
    return now.state == st.INTERRUPTED
