"""How long tasks are expected to take: the mean of what tasks of the same action took before."""

from __future__ import annotations

from typing import Dict, List, Mapping

from flowdsl.engine import states as st
from flowdsl.orchestrator.parts import Parts

__all__ = ["expected"]


def expected(parts: Parts) -> Dict[str, float]:
    """Seconds for each task of the queue; for an action that never ran the mean of all, 1 where nothing ever did."""
    with parts.book.lock:
        entries = parts.book.queue.entries
        by_action: Dict[str, List[float]] = {}
        for entry in entries.values():
            row = parts.executions.row(entry)
            if row is not None and row.state == st.SUCCEEDED and row.duration_s is not None:
                by_action.setdefault(entry.definition.action, []).append(row.duration_s)
        means = {action: sum(took) / len(took) for action, took in by_action.items()}
        return {name: means.get(entry.definition.action, _mean(means)) for name, entry in entries.items()}


def _mean(means: Mapping[str, float]) -> float:
    return sum(means.values()) / len(means) if means else 1.0
