"""The fingerprint of a run: what its result depended on, so that two runs can be compared later.

It holds the code of every task and of the user's functions that it calls, versions, options and edges; digests of
inputs and results only where those are allowed.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

from flowdsl.engine import events as ev
from flowdsl.orchestrator.capsule_code import code_of, functions_of
from flowdsl.orchestrator.capsule_digest import type_name
from flowdsl.orchestrator.capsule_environment import environment_of
from flowdsl.orchestrator.capsule_making import no_digest
from flowdsl.orchestrator.capsule_store import load_fingerprint
from flowdsl.storage.reading import read_journal

__all__ = ["ITSELF", "Codes", "Fingerprint", "codes_of", "fingerprint_of", "fingerprint_to_json"]

Digest = Callable[[Any], str]
ITSELF = "function"  # the name of a task's own function among those that it reaches


class Fingerprint(NamedTuple):
    """What a run depended on; `complete` says whether more is known than its journal holds."""

    run_id: str
    complete: bool
    environment: Mapping[str, str]
    code: Mapping[str, Mapping[str, str]]  # task -> function -> digest
    sources: Mapping[str, str]  # digest -> text
    inputs: Mapping[str, str]  # input -> digest, "" where none was allowed
    results: Mapping[str, str]  # task -> digest, only where allowed
    options: Mapping[str, Mapping[str, str]]  # task -> option -> text


class Codes(NamedTuple):
    """The code of a graph's tasks as it is now; `functions` are all that they reach."""

    code: Mapping[str, Mapping[str, str]]
    sources: Mapping[str, str]
    functions: Tuple[Any, ...]


def codes_of(graph: Any) -> Codes:
    """The code of the tasks, and of the user's functions that they reach by name at this moment."""
    code: Dict[str, Mapping[str, str]] = {}
    sources: Dict[str, str] = {}
    reached: Dict[int, Any] = {}
    known: Dict[int, Mapping[str, str]] = {}  # tasks of one function are looked at once
    for name, spec in graph.tasks.items():
        if id(spec.function) not in known:
            functions = functions_of(spec.function)
            own, *others = texts = [code_of(one) for one in functions]
            sources.update({text.digest: text.source for text in texts})
            reached.update({id(one): one for one in functions})
            helpers = {text.name: text.digest for text in others if text.name != ITSELF}
            known[id(spec.function)] = {ITSELF: own.digest, **helpers}
        code[name] = known[id(spec.function)]
    return Codes(code, sources, tuple(reached.values()))


def fingerprint_of(run: Any, digest: Digest = no_digest, codes: Optional[Codes] = None) -> Fingerprint:
    """The fingerprint of a run: of a live one from memory, of a past one from its directory.

    `digest` makes digests of the values of a live run; what a past one kept is all that there is of it. `codes` is the
    code as it was when the run began.
    """
    header, options = _from_journal(run)
    kept = load_fingerprint(run.dir)
    known = _from_file(run, kept, options) if kept.get("v") == 1 else None
    if hasattr(run, "graph"):
        now = _from_memory(run, options, digest, codes or codes_of(run.graph))
        # What was written when it ran goes before what its functions reach by name today.
        return now if known is None else known._replace(inputs=now.inputs, results=now.results)
    if known is not None:
        return known
    versions = {name: str(header[name]) for name in ("python",) if name in header}
    inputs = {str(name): "" for name in header.get("inputs", ())}
    return Fingerprint(run.id, False, versions, {}, {}, inputs, {}, options)


def _from_memory(run: Any, options: Mapping[str, Mapping[str, str]], digest: Digest, codes: Codes) -> Fingerprint:
    inputs = {name: digest(value) for name, value in run.inputs.items()}
    results = {} if digest is no_digest else _results(run, digest)
    types = {type_name(value) for value in (*run.inputs.values(), *run.results.values())}
    environment = environment_of(codes.functions, types)
    return Fingerprint(run.id, True, environment, codes.code, codes.sources, inputs, results, options)


def _results(run: Any, digest: Digest) -> Dict[str, str]:
    return {name: digest(value) for name, value in run.results.items() if name not in run.graph.given}


def _from_journal(run: Any) -> Tuple[Mapping[str, Any], Dict[str, Dict[str, str]]]:
    """The header of the journal, and the options that it holds of each task."""
    header: Mapping[str, Any] = {}
    options: Dict[str, Dict[str, str]] = {}
    for batch in read_journal(run.dir).batches:
        for event in batch.events:
            if event.event == ev.RUN_STARTED:
                header = event.detail or {}
            elif event.event == ev.TASK_ADDED:
                options[event.task] = {name: _text(value) for name, value in (event.detail or {}).items()}
    return header, options


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


# ---- on disk


def fingerprint_to_json(fingerprint: Fingerprint) -> Dict[str, Any]:
    """Plain data for JSON; options and edges are in the journal."""
    data = {name: value for name, value in fingerprint._asdict().items() if name not in ("complete", "options")}
    return {"v": 1, **data}


def _from_file(run: Any, data: Mapping[str, Any], options: Mapping[str, Mapping[str, str]]) -> Fingerprint:
    code = data.get("code")
    return Fingerprint(
        run.id,
        True,
        _texts(data.get("environment")),
        {name: _texts(value) for name, value in code.items()} if isinstance(code, dict) else {},
        _texts(data.get("sources")),
        _texts(data.get("inputs")),
        _texts(data.get("results")),
        options,
    )


def _texts(value: Any) -> Dict[str, str]:
    """A mapping of strings; what else a file may hold is left out."""
    if not isinstance(value, dict):
        return {}
    return {name: text for name, text in value.items() if isinstance(text, str)}
