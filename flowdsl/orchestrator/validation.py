"""The check of what `add_task` is told: every fault of every task at once, and nothing is added where there is one."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NoReturn, Optional, Sequence, Set

from flowdsl.definition.checks import check_name, check_number, check_timeout, shown
from flowdsl.definition.counted import counted
from flowdsl.definition.function import check_function
from flowdsl.definition.options import INHERIT
from flowdsl.definition.suggest import did_you_mean
from flowdsl.errors import ConfigError, CycleError, GraphError
from flowdsl.orchestrator.definition import KEYS, Seconds, TaskDefinition
from flowdsl.orchestrator.draft import Draft
from flowdsl.orchestrator.edges import Around, check_cycles, check_dependencies
from flowdsl.orchestrator.fold import Queue
from flowdsl.orchestrator.handlers import Handlers, sources_of
from flowdsl.orchestrator.ids import id_fault
from flowdsl.orchestrator.options import MILLISECONDS, attempts
from flowdsl.orchestrator.verification import check_verify
from flowdsl.task import Task

__all__ = ["check_tasks"]


def check_tasks(configs: Sequence[Any], queue: Queue, handlers: Handlers) -> List[TaskDefinition]:
    """The definitions of the tasks, in the same order.

    `timeout` is in milliseconds here, as the document has it, unless it is `Seconds`. Raises ConfigError, GraphError or
    CycleError with every fault that there is.
    """
    drafts = _named(configs, queue)
    for draft in drafts:
        if draft.faults and not draft.config:  # it is no dict
            continue
        _check_keys(draft)
        _check_action(draft, handlers)
        _check_values(draft)
    around = Around(drafts, queue)
    for draft in drafts:
        check_dependencies(draft, around)
    check_cycles(drafts)
    for draft in drafts:
        _check_arguments(draft, around, handlers)
    if any(draft.faults for draft in drafts):
        _refuse(drafts)
    return [draft.definition for draft in drafts]


def _named(configs: Sequence[Any], queue: Queue) -> List[Draft]:
    """A draft for each, with the id that it asks for or else the next one."""
    ids, drafts = queue.ids.copy(), []
    here: Set[str] = set()
    for config in configs:
        given = config.get("taskId") if isinstance(config, Mapping) else None
        draft = Draft(config if isinstance(config, Mapping) else {}, ids.peek())
        if not isinstance(config, Mapping):
            draft.faults.append("%s is not a dict of a task" % shown(config))
        elif given is not None:
            fault = id_fault(given, lambda task_id: task_id in queue.ever or task_id in here)
            draft.faults += [fault] if fault else []
            draft.task_id = given if isinstance(given, str) else draft.task_id
        here.add(draft.task_id)
        ids.heard_of(draft.task_id)
        drafts.append(draft)
    return drafts


def _check_keys(draft: Draft) -> None:
    for key in draft.config:
        if key not in KEYS:
            ending = did_you_mean(key, KEYS, "the keys are " + ", ".join(KEYS))
            draft.faults.append("there is no key %r%s" % (key, ending))


def _check_action(draft: Draft, handlers: Handlers) -> None:
    config = draft.config
    draft.type = draft.try_to(check_name, config.get("type", "task"), "task", "type") or "task"
    action = config.get("action")
    if action is None:
        draft.faults.append("action is missing; give the word for what is to be done, or a function")
    elif isinstance(action, str):
        draft.action = draft.try_to(check_name, action, "task", "action") or ""
        if draft.action and handlers.find(draft.action, draft.type) is None:
            advice = "register one: @orchestrator.handler(%r)" % draft.action
            text = "there is no handler for action %r of type %r%s"
            draft.faults.append(text % (draft.action, draft.type, did_you_mean(draft.action, handlers.actions, advice)))
    else:
        _take_function(draft, action)


def _take_function(draft: Draft, action: Any) -> None:
    if not callable(action):
        draft.faults.append("action=%s is neither a word nor a function" % shown(action))
        return
    name = action.name if isinstance(action, Task) else getattr(action, "__name__", type(action).__name__)
    before = len(draft.faults)
    if not isinstance(action, Task):
        draft.try_to(check_function, action, "action")
    if len(draft.faults) == before:
        draft.function = action
        draft.action = draft.try_to(check_name, name.strip("<>"), "task", "action") or ""


def _check_values(draft: Draft) -> None:
    config, values = draft.config, draft.values
    values["target"] = config.get("target")
    values["parameters"] = _parameters(draft, config.get("parameters"))
    priority, hint = config.get("priority"), "the larger goes first"
    if priority is not None:
        values["priority"] = draft.try_to(check_number, priority, "priority", "task", hint=hint)
    if config.get("timeout", INHERIT) is not INHERIT:
        values["timeout"] = draft.try_to(_timeout, config["timeout"])
    if config.get("retries") is not None and config["retries"] is not INHERIT:
        values["retries"] = draft.try_to(attempts, config["retries"], "retries", "task")
    values["verify"] = draft.try_to(check_verify, config.get("verify"), "task")


def _parameters(draft: Draft, given: Any) -> Dict[str, Any]:
    if isinstance(given, Mapping) and all(isinstance(key, str) for key in given):
        return dict(given)
    if given is not None:
        draft.faults.append("parameters=%s is not a dict with str keys" % shown(given))
    return {}


def _timeout(value: Any) -> Optional[float]:
    """Seconds, from milliseconds where they are not seconds already; None is no limit."""
    if value is None or isinstance(value, Seconds):
        return check_timeout(value and value.value, "timeout", "task")
    return check_number(value, "timeout", "task", above=0, hint=MILLISECONDS + ", or None for no limit") / 1000


def _check_arguments(draft: Draft, around: Around, handlers: Handlers) -> None:
    """Whether the handler can be called; only asked where all else is well."""
    if draft.faults:
        return
    handler = draft.try_to(handlers.of, draft.definition)
    if handler is not None:
        known = [(name, around.action(name)) for name in draft.dependencies]
        draft.try_to(sources_of, handler.function, draft.values["parameters"], known)


def _refuse(drafts: Sequence[Draft]) -> NoReturn:
    bad = [draft for draft in drafts if draft.faults]
    several = len(drafts) > 1
    lines = []
    for draft in bad:
        where = "task %r: " % draft.task_id if several else ""
        lines += [where + fault for fault in draft.faults]
    text = "nothing was added: %s\n" % counted(len(lines), "fault") + "\n".join("  - " + line for line in lines)
    if len(lines) == 1:
        text = "nothing was added: " + lines[0]
    cycle = next((draft.cycle for draft in bad if draft.cycle), ())
    if len(lines) == 1 and cycle:
        raise CycleError(text, cycle)
    if len(lines) == sum(draft.wrong_edges for draft in bad):
        raise GraphError(text)
    raise ConfigError(text)
