"""A listener that notes what it is told, in the order in which it hears it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional, Tuple

from flowdsl.executors.base import Detail
from flowdsl.executors.outcome import Outcome
from tests.executors.left import wait_until


class Ear:
    """`heard` is (what, task, attempt), `outcomes` and `mechanisms` are by task."""

    def __init__(self) -> None:
        self.heard: List[Tuple[str, str, int]] = []
        self.outcomes: Dict[str, Outcome] = {}
        self.mechanisms: Dict[str, str] = {}
        self.details: Dict[str, Detail] = {}
        self.turns: List[int] = []  # how many reports came together
        self._mine = threading.local()

    def begun(self, task: str, attempt: int, detail: Detail, ago: float = 0.0) -> None:
        assert ago >= 0
        self._note("begun", task, attempt)
        self.details[task] = detail

    def ended(
        self, task: str, attempt: int, outcome: Outcome, mechanism: str, detail: Detail, ago: float = 0.0
    ) -> None:
        assert ago >= 0
        self.outcomes[task], self.mechanisms[task] = outcome, mechanism
        self._note("ended", task, attempt)

    def ran(self, task: str, attempt: int, outcome: Outcome, detail: Detail, begun_at: float, ended_at: float) -> None:
        now = time.monotonic()
        assert now - 60 < begun_at <= ended_at <= now
        with self.together():
            self.begun(task, attempt, detail, now - begun_at)
            self.ended(task, attempt, outcome, "", None, now - ended_at)

    def lost(self, task: str, attempt: int) -> None:
        self._note("lost", task, attempt)

    def returned(self, task: str, attempt: int) -> None:
        self._note("returned", task, attempt)

    @contextmanager
    def together(self) -> Iterator[None]:
        before = len(self.heard)
        yield
        self.turns.append(len(self.heard) - before)

    def _note(self, what: str, task: str, attempt: int) -> None:
        self.heard.append((what, task, attempt))

    def of(self, task: str) -> List[str]:
        """What was told of one task."""
        return [what for what, of, _ in list(self.heard) if of == task]

    def has_answers(self, tasks: List[str], seconds: float = 30) -> bool:
        """Whether each of them is answered, once; waits for it."""
        answers = ("ended", "lost", "returned")
        return wait_until(lambda: all(sum(self.of(task).count(how) for how in answers) == 1 for task in tasks), seconds)

    def value(self, task: str) -> Any:
        return self.outcomes[task].value

    def error(self, task: str) -> Optional[str]:
        return self.outcomes[task].error
