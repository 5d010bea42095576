"""From a run to the capsules of its failed attempts: those of a live run from memory, those of a past one from disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple

from flowdsl.definition.parameters import POSITIONAL_OR_KEYWORD, VAR_POSITIONAL
from flowdsl.engine import states as st
from flowdsl.errors import FlowError
from flowdsl.orchestrator.capsule import Argument, Capsule
from flowdsl.orchestrator.capsule_code import code_of, functions_of
from flowdsl.orchestrator.capsule_digest import type_name
from flowdsl.orchestrator.capsule_environment import environment_of
from flowdsl.orchestrator.capsule_store import load_capsules
from flowdsl.runtime.binding import Missing
from flowdsl.storage.reading import read_journal

__all__ = ["arguments_of", "capsules_of", "failed_attempts", "map_name", "named_values", "stacks_of"]

OUTPUT = 64_000  # characters of an attempt's output that its capsule has
Digest = Callable[[Any], str]


def no_digest(value: Any) -> str:
    """For inputs of which nothing but the type is to be known."""
    return ""


def map_name(task: str) -> str:
    """The task that an instance such as `delays[3]` belongs to; any other task itself."""
    return task.partition("[")[0]


def failed_attempts(run: Any) -> List[Any]:
    """The attempts of a run that failed, timed out or were interrupted, in the order in which they began."""
    return [attempt for attempt in run.snapshot().attempts if attempt.state in st.WENT_WRONG]


def capsules_of(run: Any, attempts: Iterable[Any], digest: Digest = no_digest) -> List[Capsule]:
    """A capsule for each of the attempts, as far as the run knows."""
    kept = {(one.task, one.attempt): one for one in load_capsules(run.dir)}
    attempts = list(attempts)
    stacks = stacks_of(run, attempts)
    live = hasattr(run, "graph")
    made = []
    for attempt in attempts:
        capsule = kept.get((attempt.task, attempt.attempt)) or _from_journal(run, attempt, stacks)
        made.append(_completed(capsule, run, digest) if live and capsule.code is None else capsule)
    return made


def _from_journal(run: Any, attempt: Any, stacks: Mapping[Tuple[str, int], str]) -> Capsule:
    """What the journal alone says."""
    return Capsule(
        run_id=run.id,
        flow=run.flow,
        task=attempt.task,
        attempt=attempt.attempt,
        state=attempt.state,
        cause=attempt.cause,
        mechanism=attempt.mechanism,
        error_type=attempt.error_type or "",
        error=attempt.error or "",
        traceback=attempt.traceback or "",
        stacks=stacks.get((attempt.task, attempt.attempt), ""),
        output=_output(run, attempt),
        started_at=attempt.started_at,
        duration_s=attempt.duration_s,
        worker=attempt.worker or "",
        pid=attempt.pid,
    )


def _completed(capsule: Capsule, run: Any, digest: Digest) -> Capsule:
    """With what only the process knows that ran it."""
    name = map_name(capsule.task)
    if name not in run.graph:
        return capsule
    function = run.graph[name].function
    arguments = arguments_of(run, capsule.task, digest)
    environment = environment_of(functions_of(function), [one.type for one in arguments or ()])
    return replace(capsule, code=code_of(function), environment=environment, arguments=arguments)


def arguments_of(run: Any, task: str, digest: Digest = no_digest) -> Optional[Tuple[Argument, ...]]:
    """The arguments of a task of a live run, by reference; None where a result was let go."""
    try:
        call = run.call(task)
    except (FlowError, LookupError, TypeError):  # let go, or an item that a result does not have
        return None
    spec = run.graph[map_name(task)]
    edges = run.graph.edges[map_name(task)]
    values = named_values(spec, call)
    taken = {edge.parameter: edge for edge in edges if edge.parameter is not None}
    several = iter([edge for edge in edges if (edge.parameter or "").startswith("*")])
    found = []
    for parameter, value in values:
        edge = next(several, None) if parameter.startswith("*") else taken.get(parameter)
        item = task[len(map_name(task)) :] if parameter in spec.map else ""
        found.append(_argument(parameter, value, edge, item, digest))
    named = {parameter for parameter, _ in values}
    for one in spec.parameters:
        if one.has_default and one.name not in named:
            found.append(Argument(one.name, "default", type=type_name(one.default), digest=digest(one.default)))
    return tuple(found)


def named_values(spec: Any, call: Any) -> List[Tuple[str, Any]]:
    """The arguments of a call with the parameters that take them; each of several for `*args` is called "*args"."""
    leading = [one.name for one in spec.parameters if one.kind <= POSITIONAL_OR_KEYWORD and one.name not in call.kwargs]
    star = next(("*" + one.name for one in spec.parameters if one.kind == VAR_POSITIONAL), "*")
    names = leading[: len(call.args)] + [star] * (len(call.args) - len(leading))
    return [*zip(names, call.args), *call.kwargs.items()]


def _argument(parameter: str, value: Any, edge: Any, item: str, digest: Digest) -> Argument:
    if edge is None:
        return Argument(parameter, "input", type=type_name(value), digest=digest(value))
    if isinstance(value, Missing):
        return Argument(parameter, "missing", edge.source, item)
    path = "".join("[%r]" % (key,) for key in edge.path) + item
    return Argument(parameter, "result", edge.source, path, type_name(value), digest(value))


def _output(run: Any, attempt: Any) -> str:
    """What the attempt printed; the end of it, where that is long."""
    try:
        said = str(run.output(attempt.task, attempt=attempt.attempt))
    except (FlowError, LookupError, OSError, ValueError):
        return ""
    return said if len(said) <= OUTPUT else "… (%d characters before)\n%s" % (len(said) - OUTPUT, said[-OUTPUT:])


def stacks_of(run: Any, attempts: Iterable[Any]) -> Dict[Tuple[str, int], str]:
    """What the journal holds of the stacks of attempts, by task and number; read only where there can be any."""
    found: Dict[Tuple[str, int], str] = {}
    if not any(one.mechanism or one.cause == "worker_died" for one in attempts):
        return found
    for batch in read_journal(run.dir).batches:
        for event in batch.events:
            text = event.detail.get("stacks") if event.detail else None
            if isinstance(text, str):
                found[event.task, event.attempt] = text
    return found
