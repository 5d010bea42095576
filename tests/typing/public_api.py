"""How the public names are typed: mypy reads this file, nothing runs it.

A line with `type: ignore[code]` is a mistake that has to stay one: where mypy no longer sees it, the ignore is
reported as unused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Coroutine, Dict, FrozenSet, List, Optional, Tuple

import flowdsl
from flowdsl import Flow, Graph, Retry, Run, Task, current_flow, last_run, task
from flowdsl.analysis.history import History
from flowdsl.analysis.insight import Insight
from flowdsl.analysis.plan import Plan
from flowdsl.engine.snapshot import Snapshot

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import assert_type


@task
def flights(path: str = "flights.csv") -> List[int]:
    return [len(path)]


@task(retries=Retry(3, delay=1, backoff=2), timeout=60, isolation="thread", uses="db", tags=["io"], priority=2)
def clean(flights: List[int], *, level: int = 1) -> Dict[str, int]:
    return {"rows": len(flights) * level}


@task("named", depends_on=[flights, clean["rows"], "audit", {"data": clean}], verify=bool, run_when="all_done")
async def fetch(data: Dict[str, int]) -> str:
    return str(data)


etl = Flow("etl", limits={"db": 2}, retries=1, timeout=5, log_dir="logs", fresh=True)


@etl.task
def plain(x: int) -> int:
    return x


@etl.task(retries=2)
def careful(x: int) -> int:
    return x


named = etl.task(plain, name="simple", retries=1)
lambda_task = etl.task(name="double")(lambda x: 2 * x)

# A task can be called like its function, and has its types.
assert_type(flights("x"), List[int])
assert_type(clean([1], level=2), Dict[str, int])
assert_type(plain(1), int)
assert_type(named(1), int)
assert_type(careful(1), int)
waiting: Coroutine[Any, Any, str] = fetch({"rows": 1})
flights(3)  # type: ignore[arg-type]
clean([1], levl=2)  # type: ignore[call-arg]
plain("x")  # type: ignore[arg-type]
careful("x")  # type: ignore[arg-type]

# Options that do not exist, or have the wrong type, are seen before anything runs.
task(retrys=3)  # type: ignore[call-overload]
task(timeout="60")  # type: ignore[call-overload]
etl.task(name=3)  # type: ignore[call-overload]
Retry("3")  # type: ignore[arg-type]
Flow("etl", limits={"db": "2"})  # type: ignore[dict-item]
etl.run(max_workers="5")  # type: ignore[arg-type]
etl.run(targets=3)  # type: ignore[arg-type]

# Runs.
assert_type(etl.run({"x": 1}, targets=[plain, "careful"], max_workers=2, display=False, y=3), Run)
assert_type(plain.run(x=1), Run)
assert_type(etl.start(x=1), Run)
assert_type(plain.start({"x": 1}), Run)


async def awaited() -> Tuple[Run, Run]:
    return await etl.run_async(x=1), await plain.run_async(x=1)


run = etl.run(x=1)
assert_type(run["plain"], Any)
assert_type(run.state, str)
assert_type(run.done, bool)
assert_type(run.wait(1.5), bool)
assert_type(run.tasks, pd.DataFrame)
assert_type(run.snapshot(), Snapshot)
assert_type(last_run(), Optional[Run])
assert_type(run.rerun(failed=True, max_workers=2), Run)
assert_type(run.rerun(from_="plain", wait=False), Run)
assert_type(run.rerun(dry_run=True).again, Tuple[str, ...])
run.rerun(failed="yes")  # type: ignore[call-overload]

# Graphs and flows.
assert_type(etl.graph(), Graph)
assert_type(plain.graph(), Graph)
assert_type(etl.graph().upstream("plain"), Tuple[str, ...])
assert_type(etl.graph().stale, FrozenSet[str])
assert_type(etl.graph().to_mermaid(boxes=50), str)
assert_type(etl.graph().save("etl.svg"), Path)
assert_type(run.report("run.html"), Path)
assert_type(flowdsl.options.stable_repr, bool)
flowdsl.options.stabel_repr = True  # type: ignore[attr-defined]
assert_type(etl["plain"], Task[Any, Any])
assert_type(list(etl), List[str])
assert_type(current_flow(), Flow)
assert_type(plain.name, str)
assert_type(plain.flow, Flow)
del etl["plain"]
assert_type(flowdsl.load_runs("logs/tasks").attempts, pd.DataFrame)

# What the log answers.
assert_type(run.what_if(16, limits={"db": 3}), Plan)
assert_type(etl.what_if(targets="plain"), Plan)
assert_type(run.what_if(2).numbers.makespan_s, float)
assert_type(run.insight, Insight)
assert_type(flowdsl.load_runs(flow="etl", last=5).insight.slower_since("2026-11-17"), pd.DataFrame)
assert_type(etl.history(last=10), History)
run.what_if("16")  # type: ignore[arg-type]
