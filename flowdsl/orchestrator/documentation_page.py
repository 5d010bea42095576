"""From a graph, and how its past runs went, to the blocks of its page."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, NamedTuple, Sequence

from flowdsl.definition import graph as definition
from flowdsl.definition.counted import counted
from flowdsl.orchestrator import documentation_blocks as doc
from flowdsl.orchestrator.documentation_blocks import Block, Line
from flowdsl.orchestrator.documentation_glossary import STATES
from flowdsl.orchestrator.documentation_section import anchor_of, policy, section, shown, task_link
from flowdsl.orchestrator.documentation_statistics import TaskStatistics, span, statistics_of
from flowdsl.orchestrator.work import Work
from flowdsl.views.dot import Picture
from flowdsl.views.escape import clean
from flowdsl.views.times import given_duration

__all__ = ["Defaults", "blocks_of"]

MOST = 1000  # sections of tasks


class Defaults(NamedTuple):
    """What the flow says for tasks that say nothing."""

    retries: Any
    timeout: Any
    isolation: Any


def blocks_of(graph: Any, defaults: Defaults, runs: Sequence[Any]) -> List[Block]:
    """The page of a graph; `runs` are past ones, for the statistics."""
    graph = definition.Graph(**{name: getattr(graph, name) for name in definition.Graph.__dataclass_fields__})
    found: List[Block] = [doc.Heading(1, (doc.text("Flow "), doc.text(clean(graph.flow))), "flow")]
    found.append(doc.Paragraph(_summary(graph)))
    found += _flow_facts(graph, defaults)
    found.append(doc.Heading(2, (doc.text("Graph"),), "graph"))
    found.append(doc.Region("picture", (_picture(graph),)))
    found += _inputs(graph)
    found.append(doc.Heading(2, (doc.text("Tasks"),), "tasks"))
    names = list(graph.tasks)
    found.append(_overview(graph, names[:MOST]))
    statistics = statistics_of(runs)
    for name in names[:MOST]:
        found += section(name, graph, statistics)
    if len(names) > MOST:
        found.append(doc.Paragraph((doc.text("and " + counted(len(names) - MOST, "more task")),)))
    found += _past(graph, runs, statistics)
    found += _glossary()
    return found


# ---- the flow


def _summary(graph: Any) -> Line:
    tasks, inputs = len(graph.tasks), len(graph.inputs)
    holds = "%s, %s" % (counted(tasks, "task"), counted(inputs, "input"))
    ends = [name for name in graph.targets if name in graph.tasks]
    if not ends:
        return (doc.text(holds + "."),)
    more = (doc.text(" and %d more" % (len(ends) - 8)),) if len(ends) > 8 else ()
    return (
        doc.text(holds + ". It ends with "),
        *doc.joined(task_link(name) for name in ends[:8]),
        *more,
        doc.text("."),
    )


def _flow_facts(graph: Any, defaults: Defaults) -> Iterator[Block]:
    """What holds for tasks that say nothing, and the named limits."""
    pairs = [("%s of each task" % name, line) for name, line in policy(defaults, "")]
    if graph.limits:
        said = ("%s: %d at once" % (clean(name), most) for name, most in sorted(graph.limits.items()))
        pairs.append(("limits", doc.joined(map(doc.text, said))))
    if pairs:
        yield doc.Facts(tuple(pairs))


def _picture(graph: Any) -> doc.Picture:
    """Each box of one task leads to its section, the boxes of inputs to theirs, stacks to the table of tasks."""
    targets = []
    for box in Picture(graph).drawing.boxes:
        if box.kind == "input":
            targets.append((box.id, "inputs"))
        else:
            targets.append((box.id, anchor_of(box.members[0]) if len(box.members) == 1 else "tasks"))
    return doc.Picture(graph, tuple(targets), "graph of the flow: " + counted(len(graph.tasks), "task"))


def _inputs(graph: Any) -> Iterator[Block]:
    yield doc.Heading(2, (doc.text("Inputs"),), "inputs")
    if not graph.inputs:
        yield doc.Paragraph((doc.text("The flow takes no inputs."),))
        return
    rows = []
    for one in graph.inputs.values():
        default = (doc.text("required"),) if one.required else _default(one.default)
        takers = doc.joined(task_link(name) for name in one.tasks[:20])
        rows.append(((doc.code(clean(one.name)),), default, takers))
    yield doc.Table(("input", "default", "taken by"), tuple(rows))


def _default(value: Any) -> Line:
    return (doc.code(shown(value)),)


def _overview(graph: Any, names: Sequence[str]) -> Block:
    rows = []
    for name in names:
        needs = doc.joined(task_link(source) for source in graph.upstream(name))
        rows.append(((task_link(name),), (doc.text(_first_line(graph[name])),), needs))
    return doc.Table(("task", "what it does", "needs"), tuple(rows))


def _first_line(spec: Any) -> str:
    """What a task does, in a line; of a task of the queue its action, too."""
    said = clean(spec.doc)
    if not isinstance(spec.function, Work):
        return said
    action = clean(spec.function.task["action"])
    return "%s: %s" % (action, said) if said and action else said or action


# ---- past runs and words


def _past(graph: Any, runs: Sequence[Any], statistics: Mapping[str, TaskStatistics]) -> Iterator[Block]:
    rows = []
    for name in [name for name in graph.tasks if name in statistics][:MOST]:
        one = statistics[name]
        numbers = (str(one.runs), str(one.succeeded), str(one.failed), str(one.retries))
        times = (one.wait_s, one.median_s, one.ninth_s, one.longest_s) if one.succeeded else ()
        cells = numbers + tuple(map(given_duration, times)) + ("",) * (4 - len(times))
        rows.append(((task_link(name),), *((doc.text(cell),) for cell in cells)))
    if not rows:
        yield doc.Region("statistics", ())
        return
    well, took = span(runs)
    told = "The latest %d runs: %d succeeded" % (len(runs), well) if len(runs) != 1 else "One run: %d succeeded" % well
    heads = ("task", "attempted", "succeeded", "failed", "retries", "waited", "took", "nine of ten", "longest")
    half = ", half of them within %s" % given_duration(took) if well else ""
    yield doc.Region(
        "statistics",
        (
            doc.Heading(2, (doc.text("Past runs"),), "past-runs"),
            doc.Paragraph((doc.text("%s%s." % (told, half)),)),
            doc.Table(heads, tuple(rows)),
        ),
    )


def _glossary() -> Iterator[Block]:
    yield doc.Heading(2, (doc.text("States of a task"),), "states")
    yield doc.Table(("state", "meaning"), tuple(((doc.state(one),), (doc.text(why),)) for one, why in STATES.items()))
