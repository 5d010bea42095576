"""The section of a task on its page: signature, docstring, edges, options, and what past runs say."""

from __future__ import annotations

import inspect
import re
import textwrap
from hashlib import sha256
from typing import Any, Iterator, Mapping, Sequence, Tuple

from flowdsl.definition.options import INHERIT
from flowdsl.definition.parameters import as_written, parameters_of
from flowdsl.definition.retry import Retry
from flowdsl.orchestrator import documentation_blocks as doc
from flowdsl.orchestrator.documentation_blocks import Block, Line
from flowdsl.orchestrator.documentation_statistics import TaskStatistics
from flowdsl.orchestrator.work import Work
from flowdsl.views.escape import clean, safe_repr, shorten
from flowdsl.views.times import given_duration

__all__ = ["anchor_of", "policy", "section", "shown", "task_link"]

_DEFAULT = 60  # columns of a default value
_DOCTEST = re.compile(r"\s*>>> ")


def anchor_of(task: str) -> str:
    """The anchor of a task's section: it depends on the name, and holds nothing of it."""
    return "task-" + sha256(task.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def task_link(name: str) -> doc.Word:
    """The name of a task, which leads to its section."""
    return doc.link(clean(name), anchor_of(name))


def shown(value: Any) -> str:
    """A value as code that says the same in every process."""
    named = getattr(value, "__name__", "") if callable(value) else ""
    return shorten(named if isinstance(named, str) and named else safe_repr(value), _DEFAULT)


def section(name: str, graph: Any, statistics: Mapping[str, TaskStatistics]) -> Iterator[Block]:
    """The blocks of one task's section; `statistics` are those of tasks that past runs had, by name."""
    spec = graph[name]
    yield doc.Heading(3, (doc.text(clean(name)),), anchor_of(name))
    yield doc.Code(_signature(spec), "python")
    yield from _docstring(spec)
    facts = [*_queued(spec), *_edges(name, graph), *_options(spec)]
    if facts:
        yield doc.Facts(tuple(facts))
    if name in statistics:
        yield doc.Region("statistics", (doc.Facts((("past runs", (doc.text(_told(statistics[name])),)),)),))


def _queued(spec: Any) -> Iterator[Tuple[str, Line]]:
    """What the queue says of a task: its action and target, the names of its parameters."""
    if isinstance(spec.function, Work):
        task = spec.function.task
        for name in ("action", "target"):
            if task[name]:
                yield name, (doc.text(clean(task[name]) if isinstance(task[name], str) else shown(task[name])),)
        if task["parameters"]:
            yield "parameters", doc.joined(doc.code(clean(one)) for one in task["parameters"])


def _signature(spec: Any) -> str:
    """The function's name and parameters, as it was written; never raises, whatever defaults and annotations do."""
    function = spec.function.function if isinstance(spec.function, Work) else spec.function
    parameters = parameters_of(function) if isinstance(spec.function, Work) else spec.parameters
    parts = as_written(parameters, shown, clean)
    name = getattr(function, "__name__", spec.name)
    head = "async def" if spec.is_async else "def"
    whole = "%s %s(%s)" % (head, clean(name), ", ".join(parts))
    return whole if len(whole) <= 100 else "%s %s(\n    %s,\n)" % (head, clean(name), ",\n    ".join(parts))


def _docstring(spec: Any) -> Iterator[Block]:
    """The docstring: its paragraphs, and what is indented or an example in it as code."""
    function = getattr(spec.function, "func", spec.function)
    written = getattr(function, "__doc__", None)
    if not isinstance(written, str) or not callable(function) or isinstance(function, type(len)):
        return
    for part in re.split(r"\n\s*\n", inspect.cleandoc(written)):
        lines = part.splitlines()
        if part.strip() and (part.startswith((" ", "\t")) or any(_DOCTEST.match(line) for line in lines)):
            yield doc.Code(textwrap.dedent(part).rstrip(), "python" if ">>>" in part else "")
        elif part.strip():
            yield from _paragraph(lines)


def _paragraph(lines: Sequence[str]) -> Iterator[Block]:
    """Lines as one paragraph; from the first line on that is indented, as code (`Args:` with its names)."""
    indented = next((at for at, line in enumerate(lines) if line[:1].isspace()), len(lines))
    yield doc.Paragraph((doc.text(clean(" ".join(line.strip() for line in lines[:indented]))),))
    if indented < len(lines):
        yield doc.Code(textwrap.dedent("\n".join(lines[indented:])))


def _edges(name: str, graph: Any) -> Iterator[Tuple[str, Line]]:
    takes, after = [], []
    for edge in graph.edges[name]:
        if edge.parameter is None:
            after.append(task_link(edge.source))
        else:
            path = "".join("[%s]" % safe_repr(key) for key in edge.path)
            takes.append((edge, path))
    if takes:
        lines = [_taken(edge, path) for edge, path in takes]
        yield (
            "takes",
            tuple(word for at, line in enumerate(lines) for word in (*((doc.text(", "),) if at else ()), *line)),
        )
    if after:
        yield "runs after", doc.joined(after)
    wants = [one for one in graph.inputs.values() if name in one.tasks]
    if wants:
        yield "inputs", doc.joined(doc.code(clean(one.name)) for one in wants)
    below = graph.downstream(name)
    if below:
        yield "needed by", doc.joined(task_link(one) for one in below[:20])


def _taken(edge: Any, path: str) -> Line:
    source = (task_link(edge.source), *((doc.code(clean(path)),) if path else ()))
    if edge.parameter == edge.source and not path:
        return source
    return (*source, doc.text(" as "), doc.code(clean(edge.parameter)))


def _options(spec: Any) -> Iterator[Tuple[str, Line]]:
    """What was said about the task itself; the rest is as the flow has it."""
    if spec.map:
        yield "each item of", doc.joined(doc.code(clean(one)) for one in spec.map)
    yield from policy(spec, "none")
    said = (
        ("runs when", "" if spec.run_when == "all_succeeded" else spec.run_when.replace("_", " ")),
        ("uses", ", ".join(spec.uses)),
        ("priority", "" if spec.priority is None else "%g" % spec.priority),
        ("type", "" if spec.type == "task" else spec.type),
        ("tags", ", ".join(spec.tags)),
        ("cache", "reuses stored results" if spec.cache else ""),
    )
    for name, value in said:
        if value:
            yield name, (doc.text(clean(value)),)
    if spec.verify is not None:
        yield "verified by", (doc.code(shown(spec.verify)),)


def policy(said: Any, nothing: str) -> Iterator[Tuple[str, Line]]:
    """Retries, timeout and isolation, where they are said; `nothing` stands for a limit that was taken away."""
    retries, timeout = said.retries, said.timeout
    if retries is not INHERIT and (retries.retries or nothing):
        yield "retries", (doc.text(_retries(retries)),)
    if timeout is not INHERIT and (timeout is not None or nothing):
        yield "timeout", (doc.text(nothing if timeout is None else given_duration(timeout)),)
    if isinstance(said.isolation, str):
        yield "runs in", (doc.text("a process of its own" if said.isolation == "process" else "a thread"),)


def _retries(retry: Any) -> str:
    """The policy in words."""
    parts = ["%d" % retry.retries]
    if retry.delay:
        parts.append("first after %s" % given_duration(retry.delay))
    if retry.delay and retry.backoff != 1.0:
        parts.append("each wait %g times the one before" % retry.backoff)
    if retry.delay and retry.max_delay != Retry().max_delay:
        parts.append("at most %s" % given_duration(retry.max_delay))
    if retry.delay and retry.jitter:
        parts.append("± %g %%" % (retry.jitter * 100))
    if retry.max_elapsed is not None:
        parts.append("none later than %s after the first attempt" % given_duration(retry.max_elapsed))
    if _kinds(retry.retry_on) != (Exception,):
        parts.append("after %s" % _named(retry.retry_on))
    if _kinds(retry.give_up_on):
        parts.append("never after %s" % _named(retry.give_up_on))
    if retry.retry_abandoned:
        parts.append("also beside a thread that was left behind")
    return ", ".join(parts)


def _kinds(said: Any) -> Tuple[Any, ...]:
    return said if isinstance(said, tuple) else (said,)


def _named(said: Any) -> str:
    return ", ".join(clean(kind.__name__) for kind in _kinds(said))


def _told(one: TaskStatistics) -> str:
    parts = ["%d attempted, %d succeeded, %d failed" % (one.runs, one.succeeded, one.failed)]
    if one.retries:
        parts.append("%d retr%s" % (one.retries, "y" if one.retries == 1 else "ies"))
    if one.succeeded:
        parts.append("took %s, at most %s" % (given_duration(one.median_s), given_duration(one.longest_s)))
    return "; ".join(parts)
