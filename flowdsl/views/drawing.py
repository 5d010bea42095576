"""What is drawn of a graph: boxes and arrows, with many tasks put together in stacks; no positions yet."""

from __future__ import annotations

from typing import (
    Any,
    Callable,
    Dict,
    Hashable,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Sequence,
    Tuple,
)

from flowdsl.definition.counted import counted
from flowdsl.views.escape import clean, shorten

__all__ = ["FEW_BOXES", "MANY_BOXES", "PILED", "Arrow", "Box", "Drawing", "Group", "drawing"]

MANY_BOXES = 150  # more than this are neither readable nor quick to lay out
FEW_BOXES = 30  # what the smallest picture shows
_ARROWS_A_BOX, _ARROWS_A_STACK = 6, 3  # a picture with more arrows than this for each box shows nothing
_MOST_LEVELS = 16
_TITLE = 40  # columns
PILED = frozenset(("stack", "map"))  # kinds of boxes that are drawn as several behind each other


class Box(NamedTuple):
    """`kind` is "task", "map" (a mapped task), "given", "input" or "stack" (several tasks); `members` are its tasks."""

    id: str  # synthetic: n0, n1, ...
    title: str  # clean, not escaped
    kind: str
    members: Tuple[str, ...]
    group: str = ""  # the id of the group that it stands in


class Group(NamedTuple):
    """Boxes that are framed together: tasks with the same first tag."""

    id: str  # synthetic: g0, g1, ...
    title: str  # clean, not escaped


class Arrow(NamedTuple):
    """`ordered` says that no result goes along it: the one only has to be done before the other."""

    source: str
    target: str
    ordered: bool
    label: str = ""


class Drawing(NamedTuple):
    """A graph as it is drawn; `note` says what was put together, if anything was."""

    flow: str
    boxes: Tuple[Box, ...]
    arrows: Tuple[Arrow, ...]
    tasks: int
    note: str = ""
    groups: Tuple[Group, ...] = ()


def drawing(graph: Any, limit: int = MANY_BOXES) -> Drawing:
    """The drawing of `graph` with at most `limit` boxes: tasks one by one, else by tag, by function or by level."""
    tasks = graph.tasks
    if len(tasks) <= limit and _edges(graph) <= limit * _ARROWS_A_BOX:
        return _one_by_one(graph, limit)
    levels = _levels(graph)
    for note, key in _groupings(tasks, levels):
        if len(set(map(key, tasks))) > limit:
            continue
        stacks = _stacked(graph, key, note)
        if len(stacks.arrows) <= _ARROWS_A_STACK * len(stacks.boxes):
            return stacks
    return _by_level(graph, levels)


# ---- tasks one by one


def _one_by_one(graph: Any, limit: int) -> Drawing:
    # Inputs come first: our own layout takes the order of the boxes for that of the arrows.
    wanted = list(graph.inputs.values()) if len(graph.tasks) + len(graph.inputs) <= limit else []
    ids: Dict[str, str] = {name: f"n{at}" for at, name in enumerate(graph.tasks, len(wanted))}
    groups = {tag: f"g{at}" for at, tag in enumerate(dict.fromkeys(filter(None, map(_tag, graph.tasks.values()))))}
    boxes = [Box(f"n{at}", _input(one), "input", ()) for at, one in enumerate(wanted)]
    boxes += [_task(ids[name], name, graph, groups.get(_tag(graph.tasks[name]), "")) for name in graph.tasks]
    arrows = [Arrow(f"n{at}", ids[task], False) for at, one in enumerate(wanted) for task in one.tasks if task in ids]
    arrows += [
        Arrow(ids[edge.source], ids[name], edge.parameter is None, _item(edge.path))
        for name in graph.tasks
        for edge in graph.edges[name]
        if edge.source in ids
    ]
    framed = tuple(Group(ident, shorten(tag, _TITLE)) for tag, ident in groups.items())
    return Drawing(clean(graph.flow), tuple(boxes), _without_doubles(arrows), len(graph.tasks), groups=framed)


def _task(ident: str, name: str, graph: Any, group: str = "") -> Box:
    kind = "given" if name in graph.given else "map" if graph.tasks[name].map else "task"
    return Box(ident, shorten(name, _TITLE), kind, (name,), group)


def _tag(spec: Any) -> str:
    """The tag that a task is framed by: its first."""
    return spec.tags[0] if spec.tags else ""


def _input(one: Any) -> str:
    """An input of the run; a required one is marked with a star."""
    return shorten(one.name, _TITLE) + (" *" if one.required else "")


def _item(path: Sequence[Any]) -> str:
    return shorten(".".join(clean(key) for key in path), 16) if path else ""


def _without_doubles(arrows: Iterable[Arrow]) -> Tuple[Arrow, ...]:
    """One arrow a pair of boxes; it is drawn as carrying a result where any of those it stands for does."""
    found: Dict[Tuple[str, str], Arrow] = {}
    for arrow in arrows:
        pair = arrow.source, arrow.target
        former = found.get(pair)
        if former is None or (former.ordered and not arrow.ordered):
            found[pair] = arrow
    return tuple(found.values())


# ---- many tasks put together

_Key = Callable[[str], Hashable]


def _groupings(tasks: Mapping[str, Any], levels: Mapping[str, int]) -> Iterable[Tuple[str, _Key]]:
    """Ways to put tasks together that may give too many stacks, the one that says most first."""
    tagged = sum(1 for spec in tasks.values() if spec.tags)
    if tagged * 5 >= len(tasks) * 4:
        yield "by tag", lambda name: tasks[name].tags[0] if tasks[name].tags else "no tag"
    yield "by function", lambda name: (levels[name], _function(tasks[name]))


def _by_level(graph: Any, levels: Mapping[str, int]) -> Drawing:
    """One stack a level or a few levels, in a row: each level waits for the one before, which says enough."""
    several = -(-(1 + max(levels.values(), default=0)) // _MOST_LEVELS)
    stacks = _stacked(graph, lambda name: levels[name] // several, "by level")
    neighbours = {(a.id, b.id) for a, b in zip(stacks.boxes, stacks.boxes[1:])}
    arrows = tuple(arrow for arrow in stacks.arrows if (arrow.source, arrow.target) in neighbours)
    return stacks._replace(arrows=arrows)


def _stacked(graph: Any, key: _Key, note: str) -> Drawing:
    members: Dict[Hashable, List[str]] = {}
    for name in graph.tasks:
        members.setdefault(key(name), []).append(name)
    ids = {found: f"n{at}" for at, found in enumerate(members)}
    boxes = tuple(_stack(ids[found], found, names, graph) for found, names in members.items())
    arrows = _arrows_between(graph, {name: ids[found] for found, names in members.items() for name in names})
    n = len(graph.tasks)
    return Drawing(clean(graph.flow), boxes, arrows, n, f"{counted(n, 'task')}, put together {note}")


def _stack(ident: str, found: Hashable, names: List[str], graph: Any) -> Box:
    if len(names) == 1:
        return _task(ident, names[0], graph)
    title = found if isinstance(found, str) else _common(graph, names)
    return Box(ident, f"{shorten(title, _TITLE - 9)} \u00d7 {len(names):,}", "stack", tuple(names))


def _common(graph: Any, names: Sequence[str]) -> str:
    """The function that the tasks share, or the first and the last of their names."""
    functions = {_function(graph.tasks[name]) for name in names}
    if len(functions) == 1:
        return clean(functions.pop())
    return f"{shorten(names[0], 13)} \u2026 {shorten(names[-1], 13)}"


def _arrows_between(graph: Any, ids: Mapping[str, str]) -> Tuple[Arrow, ...]:
    carries: Dict[Tuple[str, str], bool] = {}
    for name, ident in ids.items():
        for edge in graph.edges[name]:
            source = ids.get(edge.source)
            if source is not None and source != ident:
                pair = source, ident
                carries[pair] = carries.get(pair, False) or edge.parameter is not None
    return tuple(Arrow(source, target, not result) for (source, target), result in carries.items())


def _function(spec: Any) -> str:
    return getattr(spec.function, "__name__", "") or spec.name


def _levels(graph: Any) -> Dict[str, int]:
    """How many tasks the longest path to each task has; one pass, for tasks come in topological order."""
    levels: Dict[str, int] = {}
    for name in graph.tasks:
        above = [levels[edge.source] for edge in graph.edges[name] if edge.source in levels]
        levels[name] = 1 + max(above) if above else 0
    return levels


def _edges(graph: Any) -> int:
    return sum(map(len, graph.edges.values()))
