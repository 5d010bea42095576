"""How long tasks are expected to take: the mean of what tasks of the same action took before."""

from __future__ import annotations

from typing import Dict, Tuple

__all__ = ["Weights"]


class Weights:
    """The seconds that tasks of each action took, as far as anybody told."""

    def __init__(self) -> None:
        self._told: Dict[str, Tuple[float, int]] = {}  # action -> the sum, and how many

    def learn(self, action: str, seconds: float) -> None:
        """A task with this action took so long."""
        total, count = self._told.get(action, (0.0, 0))
        self._told[action] = (total + seconds, count + 1)

    def expected(self, action: str) -> float:
        """Seconds that a task will take; for an action that never ran the mean of all, 1 where nothing ever did."""
        if action in self._told:
            total, count = self._told[action]
            return total / count
        means = [total / count for total, count in self._told.values()]
        return sum(means) / len(means) if means else 1.0
