"""Running a finished run again: which of its tasks run, which results stay, and the run that follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple, Union

from flowdsl.definition.alike import alike
from flowdsl.definition.checks import check_flag, refuse_unknown
from flowdsl.definition.counted import counted
from flowdsl.definition.edge import Edge
from flowdsl.definition.graph import Graph, check_inputs
from flowdsl.definition.options import RUN_CHECKS, RunOptions
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine import states as st
from flowdsl.errors import ConfigError, DefinitionError, at_the_users_line
from flowdsl.hold import check_not_held
from flowdsl.run import Run
from flowdsl.runtime.results import Kept
from flowdsl.settings import options
from flowdsl.start import Again, run_behind, run_here

__all__ = ["RerunPlan", "plan_rerun", "run_again"]

NAMED = 8  # tasks that a line spells out


class RerunPlan:
    """What running a run again will do: `again` are the tasks that run, `reused` those whose results stay.

    `why` says for the first of them, by name, why it runs: "failed" and the like, "new", "changed", "asked for"; the
    others run because they come after one of those, or because a result that was let go is needed.
    """

    def __init__(self, run_id: str, graph: Graph, why: Mapping[str, str], again: Set[str]) -> None:
        self.run_id = run_id
        self.graph = graph
        self.why = dict(why)
        self.again: Tuple[str, ...] = tuple(name for name in graph.tasks if name in again)
        self.reused: Tuple[str, ...] = tuple(
            name for name in graph.tasks if name not in again and name not in graph.given
        )

    @property
    def line(self) -> str:
        """The plan in one line."""
        named = ["%s (%s)" % (name, self.why[name]) if name in self.why else name for name in self.again]
        runs = "runs again: %s" % _listed(named) if named else "nothing runs again"
        return "%s; %s" % (runs, "results kept: %s" % _listed(self.reused) if self.reused else "no result is kept")

    def __repr__(self) -> str:
        which = "run" if options.stable_repr else "run %r" % self.run_id
        tasks = counted(len(self.graph), "task")
        return "%s again: %d of %s\n  %s" % (which, len(self.again), tasks, self.line.replace("; ", "\n  "))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, Any]:
        from flowdsl.views.static import plan_bundle

        states = {**dict.fromkeys(self.again, st.PENDING), **dict.fromkeys(self.reused, st.REUSED)}
        return dict(plan_bundle(self.graph, states, repr(self)))


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = " and %d more" % (len(names) - NAMED) if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def plan_rerun(run: Run, graph: Graph, *, failed: bool, start: Optional[Iterable[str]]) -> RerunPlan:
    """Which tasks of `graph`, made of today's definitions, run again after `run`.

    With `failed` those that have no result, or another definition than they had; `start` names more of them. With
    neither all do. Whatever comes after one of them runs too, and whoever makes a result that it needs and that the
    run has let go.
    """
    if failed or start is not None:
        why = {**_unfinished(run, graph), **dict.fromkeys(start or (), "asked for")}
    else:
        why = dict.fromkeys(graph.tasks, "asked for")
    again = _with_what_follows(why, graph)
    waiting = _missing(again, graph, run)
    while waiting:
        again |= _with_what_follows(waiting, graph)
        waiting = _missing(again, graph, run)
    again -= graph.given
    first = {name: why[name] for name in why if name in again and again.isdisjoint(graph.upstream(name))}
    return RerunPlan(run.id, graph, first, again)


def _unfinished(run: Run, graph: Graph) -> Dict[str, str]:
    """The tasks without a result that stands, and why it does not."""
    rows = run.snapshot().tasks
    found: Dict[str, str] = {}
    for name, spec in graph.tasks.items():
        if name in graph.given:
            continue
        if name not in run.graph or name not in rows:
            found[name] = "new"
        elif rows[name].state not in st.DONE_WELL:
            found[name] = rows[name].state.replace("_", " ")
        elif not alike(run.graph[name], spec) or _differ(run.graph.edges[name], graph.edges[name]):
            found[name] = "changed"
    return found


def _differ(some: Sequence[Edge], others: Sequence[Edge]) -> bool:
    """Whether they are not the same edges, in whatever order; keys into results need not be hashable.

    Nor which object is the flow that an edge comes from: a cell that is run again makes it anew.
    """
    before, now = [edge._replace(owner=None) for edge in some], [edge._replace(owner=None) for edge in others]
    return before != now and (len(before) != len(now) or not all(edge in now for edge in before))


def _with_what_follows(names: Iterable[str], graph: Graph) -> Set[str]:
    found: Set[str] = set(names)
    waiting: List[str] = list(found)
    while waiting:
        for name in graph.downstream(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def _missing(again: Set[str], graph: Graph, run: Run) -> List[str]:
    """Whoever has to run because its result is needed and was let go."""
    needed = {source for name in again for source in graph.upstream(name)} - again - graph.given
    return [name for name in needed if not run.has_result(name)]


def run_again(
    run: Run, said: Mapping[str, Any], changed: Mapping[str, Any], place: Any = None
) -> Union[Run, RerunPlan]:
    """What `Run.rerun` gives back; `said` are its own arguments, `changed` the options of `run` that it was given.

    `place` is where on a page it is shown; None is the cell that is being executed.
    """
    __tracebackhide__ = True
    check_not_held()
    try:
        plan, inputs, options = _ready(run, said, changed)
    except DefinitionError as exc:
        raise at_the_users_line(exc) from exc.__cause__
    if said["dry_run"]:
        return plan
    how = run_here if said["wait"] else run_behind
    return how(run.origin.flow.newest, plan.graph, inputs, options, Again(_kept_results(run, plan), plan.line, place))


def _ready(
    run: Run, said: Mapping[str, Any], changed: Mapping[str, Any]
) -> Tuple[RerunPlan, Dict[str, Any], RunOptions]:
    """All that is needed, checked before anything of the new run exists."""
    where, origin = "rerun of run %r" % run.id, run.origin
    for name in ("failed", "dry_run", "wait"):
        check_flag(said[name], name, where)
    refuse_unknown([name for name in changed if name not in RUN_CHECKS], (*said, *RUN_CHECKS), where)
    checked = RunOptions.checked(where, **changed)
    options = replace(origin.options, **{name: getattr(checked, name) for name in changed})
    if not run.done:
        raise ConfigError("%s: it is still going on; run.wait() for its end, or run.cancel() it" % where)
    graph = origin.flow.newest.build(options.targets, given=origin.inputs)
    inputs = {name: value for name, value in origin.inputs.items() if name in graph.inputs or name in graph.given}
    check_inputs(graph, inputs)
    start = _checked_start(said["from_"], graph, where)
    return plan_rerun(run, graph, failed=said["failed"], start=start), inputs, options


def _checked_start(from_: Any, graph: Graph, where: str) -> Optional[Tuple[str, ...]]:
    """The names in `from_`: a task, a name, or a list of those."""
    if from_ is None:
        return None
    listed = from_ if isinstance(from_, (list, tuple)) else [from_]
    return tuple(_checked_name(getattr(one, "name", one), graph, where) for one in listed)


def _checked_name(name: Any, graph: Graph, where: str) -> str:
    if isinstance(name, str) and name in graph:
        return name
    hint = did_you_mean(name, graph.tasks) if isinstance(name, str) else ""
    raise ConfigError("%s: from_=%r is no task of the run%s" % (where, name, hint))


def _kept_results(run: Run, plan: RerunPlan) -> Kept:
    """What the new run takes over; a result that was let go, and that nobody needs, is kept as such."""
    values = {name: run[name] for name in plan.reused if run.has_result(name)}
    return Kept(run.id, frozenset(plan.reused), values)
