"""Changes of the queue from outside: a state set by hand, a task cancelled, removed or given another priority."""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Mapping, Optional, Tuple

from flowdsl.definition.checks import check_number, refuse, refuse_unknown, shown
from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.errors import ConfigError
from flowdsl.orchestrator import facts
from flowdsl.orchestrator.book import event
from flowdsl.orchestrator.definition import is_json
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.parts import Parts
from flowdsl.orchestrator.recorder import ENDED, payload
from flowdsl.orchestrator.standing import Standing, which_run, why
from flowdsl.orchestrator.statuses import check_change
from flowdsl.orchestrator.work import check_progress
from flowdsl.storage.detail import clip

__all__ = ["cancel", "prioritise", "remove", "update"]

UPDATE: Tuple[str, ...] = ("status", "progress", "message", "result", "error")

# What becomes of those that wait for a task which ended like this: their state, and the cause.
FOLLOWS: Mapping[str, Tuple[str, str]] = {
    st.FAILED: (st.UPSTREAM_FAILED, "upstream_failed"),
    st.CANCELLED: (st.CANCELLED, "upstream_cancelled"),
    st.SKIPPED: (st.SKIPPED, "upstream_skipped"),
}


def update(parts: Parts, task_id: str, change: Any) -> None:
    """Set the state of a task by hand; ConfigError, and nothing is changed, where that is not allowed."""
    with parts.book.lock:
        entry = parts.book.entry(task_id)
        now = parts.how(entry)
        detail = _checked(task_id, change)
        if "status" not in change and now.state in st.TERMINAL:
            raise ConfigError("task %r is %s: give the status that it is to have" % (task_id, now.status))
        status = change.get("status", now.status)
        if now.in_run:
            _note(parts, entry, now, status, detail)
            return
        state = check_change(task_id, now.status, status, running=False, final=now.final)
        if state == st.PENDING and "progress" in detail:
            text = "task %r is pending: progress belongs to status 'in-progress'; give that status too"
            raise ConfigError(text % task_id)
        if "result" in change:
            detail.update(_result(parts, entry, state, change["result"]))
        events = [event(facts.TASK_CHANGED, task_id, state, "external", detail, before=now.state)]
        events += _what_follows(parts, entry, state)
        _do(parts, events)
        if state == st.RUNNING and ("progress" in detail or "message" in detail):
            _tell_progress(parts, entry)


def _checked(task_id: str, change: Any) -> Dict[str, Any]:
    where = "update_task_state(%r)" % task_id
    if not isinstance(change, Mapping) or not change:
        raise ConfigError("%s: %s is not a dict such as {'status': 'in-progress'}" % (where, shown(change)))
    refuse_unknown([str(name) for name in change if name not in UPDATE], UPDATE, where)
    detail: Dict[str, Any] = {}
    if change.get("progress") is not None:
        detail["progress"] = check_progress(change["progress"], where)
    for key in ("message", "error"):
        if change.get(key) is not None:
            if not isinstance(change[key], str):
                refuse(where, key, change[key], "is not a str")
            detail[key] = clip(change[key])
    return detail


def _result(parts: Parts, entry: Entry, state: str, value: Any) -> Dict[str, Any]:
    """What the journal says of a result that is given by hand; one that is no JSON lies where those of runs lie."""
    if state != st.SUCCEEDED:
        where = "update_task_state(%r)" % entry.definition.task_id
        raise ConfigError("%s: a result belongs to status 'completed'" % where)
    if is_json(value):
        return {"output": copy.deepcopy(value)}
    parts.values.put(entry, value)
    return {"sealed": True}


def _note(parts: Parts, entry: Entry, now: Standing, status: Any, detail: Dict[str, Any]) -> None:
    """While a run has the task in hand only its progress and message can be told from outside."""
    task_id = entry.definition.task_id
    if not now.attempt_running:
        text = "task %r is %s in %s, which goes on; cancel(%r) takes it out of that"
        raise ConfigError(text % (task_id, now.status, which_run(now.run_id), task_id))
    check_change(task_id, now.status, status, running=True, final=False)
    parts.book.append(
        [event(facts.TASK_NOTED, task_id, now.state, "external", detail, before=now.state, attempt=now.attempts)]
    )
    _tell_progress(parts, entry)


def _tell_progress(parts: Parts, entry: Entry) -> None:
    now = parts.how(entry)
    more = {"attempt": now.attempts, "progress": now.progress, "message": now.message}
    parts.listeners.tell("taskProgress", {**payload(entry, now), **more})


def _what_follows(parts: Parts, entry: Entry, state: str) -> List[Event]:
    """What a state set by hand means for those that wait for the task, and for those that wait for them."""
    task_id = entry.definition.task_id
    if state == st.SUCCEEDED:
        return _released(parts, task_id)
    if state not in FOLLOWS:
        return []
    after, cause = FOLLOWS[state]
    events = []
    seen = {task_id}
    reached = [task_id]
    for name in reached:  # it grows while it is walked
        for dependant in parts.book.queue.dependants(name):
            now = parts.how(parts.book.queue.entries[dependant])
            if dependant not in seen and now.state in (st.PENDING, st.INTERRUPTED) and not now.in_run:
                seen.add(dependant)
                reached.append(dependant)
                events.append(_for_its_sake(dependant, after, cause, task_id, now))
    return events


def _released(parts: Parts, task_id: str) -> List[Event]:
    """Those that were blocked because of this task wait again."""
    events = []
    for name, entry in parts.book.queue.entries.items():
        now = parts.how(entry)
        if now.state == st.UPSTREAM_FAILED and now.cause_task == task_id:
            events.append(_for_its_sake(name, st.PENDING, "external", task_id, now))
    return events


def _for_its_sake(name: str, state: str, cause: str, task_id: str, now: Standing) -> Event:
    return event(facts.TASK_CHANGED, name, state, cause, before=now.state, cause_task=task_id)


def _do(parts: Parts, events: List[Event]) -> None:
    """Write the changes down, bring the records up to date, let listeners know."""
    parts.book.append(events)
    parts.record([one.task for one in events])
    for one in events:
        name = ENDED.get(one.state)
        if name is not None and one.state != one.before:
            _tell_end(parts, name, one)
    if any(one.state in st.TERMINAL for one in events):
        parts.tell_if_drained()


def _tell_end(parts: Parts, name: str, told: Event) -> None:
    entry = parts.book.queue.entries[told.task]
    now = parts.how(entry)
    more: Dict[str, Any] = {"cause": told.cause, "causeTask": told.cause_task or None}
    if name == "taskFailed":
        more["error"] = why(now)
    if name == "taskComplete":
        more = {"result": parts.records.record(entry, now)["result"]}
    parts.listeners.tell(name, {**payload(entry, now), **more})


def cancel(parts: Parts, task_id: str) -> bool:
    """Cancel a task, and with it those that wait for it; whether there was anything to cancel."""
    with parts.book.lock:
        entry = parts.book.entry(task_id)
        now = parts.how(entry)
        if now.in_run:
            parts.executions.going[now.run_id].cancel(task_id)
            return True
        if now.state not in (*st.OPEN, st.INTERRUPTED):
            return False
        events = [event(facts.TASK_CHANGED, task_id, st.CANCELLED, "cancel_requested", before=now.state)]
        _do(parts, events + _what_follows(parts, entry, st.CANCELLED))
        return True


def remove(parts: Parts, task_id: str) -> None:
    """Take a task out of the queue; ConfigError where a run has it in hand or a task that is not completed needs it."""
    with parts.book.lock:
        entry = parts.book.entry(task_id)
        now = parts.how(entry)
        if now.in_run:
            raise ConfigError("task %r is %s in a run that goes on; cancel(%r) first" % (task_id, now.status, task_id))
        needing = [name for name in parts.book.queue.dependants(task_id) if _needs(parts, name)]
        if needing:
            raise ConfigError("task %r is needed by %s; remove those first" % (task_id, ", ".join(needing[:5])))
        take_out(parts, [entry])


def _needs(parts: Parts, name: str) -> bool:
    return parts.how(parts.book.queue.entries[name]).state not in st.DONE_WELL


def take_out(parts: Parts, entries: List[Entry], cause: str = "external") -> None:
    """Remove these tasks with their records and results; their ids are never given again."""
    events = []
    for entry in entries:
        task_id, state = entry.definition.task_id, parts.how(entry).state
        events.append(event(facts.TASK_REMOVED, task_id, state, cause, before=state))
    parts.book.append(events)
    for entry in entries:
        parts.records.remove(entry)
        parts.values.forget(entry)


def prioritise(parts: Parts, task_id: str, priority: Any) -> None:
    """Give a task another priority, for runs that begin from now on."""
    with parts.book.lock:
        entry = parts.book.entry(task_id)
        number = check_number(priority, "priority", "set_priority", hint="the larger goes first")
        state = parts.how(entry).state
        parts.book.append(
            [event(facts.TASK_PRIORITISED, task_id, state, "external", {"priority": number}, before=state)]
        )


def pause(parts: Parts, paused: bool) -> Optional[str]:
    """Write down that the queue is paused, or goes on; None where it was so already."""
    name = facts.QUEUE_PAUSED if paused else facts.QUEUE_RESUMED
    if parts.book.queue.paused == paused:
        return None
    parts.book.append([event(name, "", "running", "external", before="running")])
    return name
