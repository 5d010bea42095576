"""Graphs and runs for the tests of the views."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from flowdsl.definition.edge import Edge, Input
from flowdsl.definition.graph import Graph
from flowdsl.definition.options import INHERIT, Retry
from flowdsl.definition.spec import Place, TaskSpec
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.snapshot import Snapshot, fold

PAYLOAD = "<img src=x onerror=alert(1)>"
NASTY = PAYLOAD + "\"'&amp;\x1b[31m\x00\u202e\ud800<script>alert(2)</script>]]>"
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/x/site-packages/flowdsl/executors/threads.py", line 9, in run\n    value = call()\n'
    '  File "/tmp/ipykernel_7/12.py", line 4, in clean\n    return flights["dep_tme"]\n'
    "KeyError: 'dep_tme'\n"
)


WHERE = '(line 4 in clean: return flights["dep_tme"])'


def spec(name: str, function: str = "", tags: Tuple[str, ...] = (), retries: Optional[int] = None) -> TaskSpec:
    def run() -> None: ...

    run.__name__ = function or name
    return TaskSpec(
        name=name, function=run, parameters=(), depends_on=(), retries=INHERIT if retries is None else Retry(retries),
        timeout=None, isolation=INHERIT, run_when="all_succeeded", verify=None, uses=(), priority=None, tags=tags,
        type="task", map=(), cache=False, is_async=False, doc="", place=Place("In [1]", 1),
    )  # fmt: skip


def graph_of(
    needs: Mapping[str, Sequence[str]],
    *,
    flow: str = "etl",
    functions: Mapping[str, str] = {},
    tags: Mapping[str, str] = {},
    inputs: Iterable[Input] = (),
    given: Iterable[str] = (),
    paths: Mapping[str, Tuple[Any, ...]] = {},
    retries: Optional[int] = None,
) -> Graph:
    """A graph from {task: what it needs}, in topological order; a need "~name" is one that only has to be done."""
    tasks = {
        name: spec(name, functions.get(name, ""), (tags[name],) if name in tags else (), retries) for name in needs
    }
    edges = {
        name: tuple(
            Edge(need.lstrip("~"), None if need.startswith("~") else "x", paths.get(name, ())) for need in above
        )
        for name, above in needs.items()
    }
    named = {one.name: one for one in inputs}
    return Graph(flow=flow, tasks=tasks, edges=edges, inputs=named, given=frozenset(given), targets=())


def small() -> Graph:
    """flights (input path) -> clean -> report, and audit, which report only waits for."""
    return graph_of(
        {"flights": [], "clean": ["flights"], "audit": ["flights"], "report": ["clean", "~audit"]},
        inputs=[Input("path", False, "jan.csv", ("flights",)), Input("season", True, None, ("clean",))],
    )


def fan(width: int) -> Graph:
    """`width` tasks of one function, and one that needs them all."""
    names = [f"load_{n}" for n in range(width)]
    needs: Dict[str, Sequence[str]] = dict.fromkeys(names, ())
    return graph_of({**needs, "report": names}, functions=dict.fromkeys(names, "load"))


def chain(length: int) -> Graph:
    return graph_of({f"t{n}": [f"t{n - 1}"] if n else [] for n in range(length)})


def batches(*steps: Tuple[float, Event]) -> List[Batch]:
    return [Batch(seq, 1_700_000_000.0 + at, (event,)) for seq, (at, event) in enumerate(steps)]


def begun(graph: Graph, run_id: str = "r1") -> List[Tuple[float, Event]]:
    """The first events of a run of `graph`."""
    told = {"run_id": run_id, "flow": graph.flow}
    first = [(0.0, Event("run_started", "", 0, "", "running", "started", detail=told))]
    return first + [(0.0, Event("task_added", name, 0, "", "pending", "added")) for name in graph.tasks]


def started(task: str, at: float, attempt: int = 1, worker: str = "thread-1") -> List[Tuple[float, Event]]:
    return [
        (at, Event("task_ready", task, attempt - 1, "pending", "ready", "dependencies_met")),
        (at, Event("attempt_started", task, attempt, "ready", "running", "started", detail={"worker": worker})),
    ]


def succeeded(task: str, at: float, attempt: int = 1) -> Tuple[float, Event]:
    return at, Event("attempt_succeeded", task, attempt, "running", "succeeded", "returned")


def failed(task: str, at: float, attempt: int = 1, retry: bool = False, **detail: Any) -> Tuple[float, Event]:
    told = {"error_type": "KeyError", "error": "'dep_tme'", "traceback": TRACEBACK, **detail}
    state, cause = ("retry_wait", "retry") if retry else ("failed", "raised")
    return at, Event("attempt_failed", task, attempt, "running", state, cause, attempt_cause="raised", detail=told)


def cancelled(task: str, at: float, attempt: int = 0) -> Tuple[float, Event]:
    """The end of a task by a cancel; `attempt` is the one that ran, 0 where none had begun."""
    what, before = ("attempt_cancelled", "running") if attempt else ("task_cancelled", "pending")
    return at, Event(what, task, attempt, before, "cancelled", "cancel_requested")


def ended(at: float, state: str = "failed", cause: str = "tasks_failed") -> Tuple[float, Event]:
    return at, Event("run_ended", "", 0, "running", state, cause)


def story() -> List[Batch]:
    """A run of `small()`: clean fails once and then for good, audit succeeds, report is upstream_failed."""
    return batches(
        *begun(small()),
        *started("flights", 0.1),
        succeeded("flights", 1.1),
        *started("clean", 1.1),
        *started("audit", 1.2, worker="thread-2"),
        failed("clean", 1.6, retry=True),
        succeeded("audit", 2.2),
        *started("clean", 2.6, attempt=2),
        failed("clean", 3.1, attempt=2),
        (3.1, Event("task_upstream_failed", "report", 0, "pending", "upstream_failed", "upstream_failed", "clean")),
        ended(3.2),
    )


def told() -> Snapshot:
    return fold(story())


def harmless(text: str) -> bool:
    """Whether no string of a user's got out of its quotes and tags."""
    markup = re.search(r"<img src=x|<script|onerror=alert\(1\)>|javascript:|xlink:href", text)
    return markup is None and re.search(r"[\x00-\x08\x1b\u202e\ud800]", text) is None
