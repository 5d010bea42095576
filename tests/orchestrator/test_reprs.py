"""With stable reprs the orchestrators leave out what is another in each execution."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

import flowdsl
from flowdsl import ConfigError, Flow
from flowdsl.orchestrator import DebugOrchestrator, LogOrchestrator
from tests.orchestrator.making import make

CHANGING = re.compile(r"\d{8}-\d{6}|\d+\.\d+ m?s\b|0x[0-9a-f]{6,}|took|after \d")


@pytest.fixture
def stable() -> Iterator[None]:
    flowdsl.options.stable_repr = True
    yield
    flowdsl.options.stable_repr = False


def shown(thing: Any) -> str:
    bundle: Dict[str, Any] = thing._repr_mimebundle_() if hasattr(thing, "_repr_mimebundle_") else {}
    html = thing._repr_html_() if hasattr(thing, "_repr_html_") else ""
    return repr(thing) + html + "".join(map(str, bundle.values()))


def things(log_dir: Path) -> List[str]:
    """What a session with all of it shows."""
    told = []
    with make(log_dir) as orchestrator:
        task = orchestrator.add_task(action="one")
        bad = orchestrator.add_task(action="fail", target="luck")
        told.append(shown(orchestrator))
        orchestrator.execute_all(start=True).wait()
        told += [shown(orchestrator), shown(orchestrator.performance()), shown(orchestrator.optimize_queue())]
        told += [shown(orchestrator.validate()), shown(orchestrator.get_task_status(task)["status"])]
        debug = DebugOrchestrator(orchestrator)
        orchestrator.handler("wait", lambda: time.sleep(0.3))
        waiting = orchestrator.add_task(action="wait")
        orchestrator.execute_task(waiting, start=True)
        with pytest.raises(ConfigError) as caught:
            orchestrator.update_task_state(waiting, {"status": "completed"})
        told += [str(caught.value), shown(debug), shown(debug.inspect(bad))]
        orchestrator.wait()
        debug.close()
    told.append(shown(orchestrator))
    with LogOrchestrator(log_dir.parent) as log:
        told.append(shown(log))
    flow = Flow("compared")
    flow.task("sleeps")(lambda: time.sleep(0.1 * len(told)))
    runs = [flow.run(display="none", log_dir=str(log_dir)) for _ in range(2) if told.append("x") is None]  # type: ignore[func-returns-value]
    told.append(shown(DebugOrchestrator(runs[0]).diff(*runs)))
    return told


@pytest.mark.slow
def test_stable_reprs_are_the_same_in_each_execution(tmp_path: Path, stable: None) -> None:
    first, second = things(tmp_path / "a" / "tasks"), things(tmp_path / "b" / "tasks")
    assert first == second
    assert [CHANGING.findall(text) for text in first] == [[] for _ in first]


@pytest.mark.slow
def test_otherwise_they_say_all(tmp_path: Path) -> None:
    assert sum(bool(CHANGING.search(text)) for text in things(tmp_path / "a" / "tasks")) > 5
