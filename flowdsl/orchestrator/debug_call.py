"""The call of an attempt that is to be done again: its function, and what it was called with."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from flowdsl.definition.checks import refuse
from flowdsl.definition.parameters import VARIABLE
from flowdsl.engine.policy import ONCE
from flowdsl.errors import TaskResultError
from flowdsl.executors.outcome import Call
from flowdsl.orchestrator.capsule_code import code_of
from flowdsl.orchestrator.capsule_making import map_name
from flowdsl.orchestrator.capsule_store import has_arguments, load_arguments, load_fingerprint
from flowdsl.orchestrator.debug_fingerprint import ITSELF
from flowdsl.orchestrator.debug_replay import changed

__all__ = ["Wanted", "call_of"]


class Wanted(NamedTuple):
    """How an attempt is to be done again: which code, which other inputs, whether pickles of others are opened."""

    code: str
    allow_pickle: bool
    changes: Mapping[str, Any]


def call_of(run: Any, flow: Any, task: str, wanted: Wanted) -> Call:
    """The call of `task` in `run`, as it is wanted; `flow` is where its definition of today is, None if unknown.

    Raises TaskResultError where its function or inputs are not known, InputError for a change that it does not take.
    """
    if wanted.code not in ("recorded", "newest"):
        refuse("replay", "code", wanted.code, 'is not "recorded" or "newest"')
    spec = _definition(run, flow, map_name(task), wanted.code)
    if hasattr(run, "graph"):
        call = run.call(task)._replace(function=spec.function, verify=spec.verify)
    else:
        call = _kept_call(run, task, spec, wanted)
    return changed(call, spec, wanted.changes)


def _definition(run: Any, flow: Any, task: str, code: str) -> Any:
    """The definition of the task: that of the run, or that of today where it is the same, or wanted."""
    if code == "recorded" and hasattr(run, "graph"):
        return run.graph[task]
    if flow is None or task not in flow:
        text = "the function of task %r is not known: give DebugOrchestrator(..., flow=the flow that defines it)"
        raise TaskResultError(text % task, task=task)
    spec = flow[task].spec
    if code == "recorded" and not _is_the_same(run, task, spec.function):
        text = "task %r has other code now than in run %r, or that was not kept; code='newest' runs what it is now"
        raise TaskResultError(text % (task, run.id), task=task)
    return spec


def _is_the_same(run: Any, task: str, function: Any) -> bool:
    """Whether the function is, by the fingerprint of the run, the one that ran."""
    code = load_fingerprint(run.dir).get("code")
    kept = code.get(task) if isinstance(code, dict) else None
    return isinstance(kept, dict) and kept.get(ITSELF) == code_of(function).digest


def _kept_call(run: Any, task: str, spec: Any, wanted: Wanted) -> Call:
    """The call of a run read back: its arguments from the sealed pickle, else all of them given now."""
    if has_arguments(run.dir, task):
        args, kwargs = load_arguments(run.dir, task, allow_pickle=wanted.allow_pickle)
        return Call(spec.function, args, kwargs, spec.verify, ONCE)
    needed = [one.name for one in spec.parameters if not one.has_default and one.kind not in VARIABLE]
    missing = [name for name in needed if name not in wanted.changes]
    if missing:
        text = "the inputs of task %r in run %r were not kept; give %s, or debug with inputs='pickle' before it runs"
        raise TaskResultError(text % (task, run.id, ", ".join("%s=" % name for name in missing)), task=task)
    return Call(spec.function, (), {}, spec.verify, ONCE)
