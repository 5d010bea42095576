"""What executors that are given their attempts report of them, each report as the machine takes it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple, Union

from flowdsl.engine import events as ev
from flowdsl.executors.base import Detail
from flowdsl.executors.notes import Note
from flowdsl.executors.outcome import Outcome
from flowdsl.runtime.core import Core
from flowdsl.runtime.scribe import Scribe
from flowdsl.runtime.teller import detail_of, ended

NOW = float("inf")
# What the machine is told, what came of it (of a `Ran`: of each attempt), and when, in seconds since the start.
Report = Tuple[Any, Union[Outcome, List[Outcome], None], float]


class Sequel:
    """Attempts that one worker made one after the other, which the machine is to be told of at once."""

    __slots__ = ("attempts", "began", "detail", "ends", "outcomes", "said")

    def __init__(self, began: float, detail: Detail) -> None:
        self.began = began
        self.detail = detail
        self.attempts: List[Tuple[str, int]] = []
        self.ends: List[float] = []
        self.said: List[Detail] = []
        self.outcomes: List[Outcome] = []

    def report(self) -> Report:
        """The one report of all of them."""
        return ev.Ran(self.attempts, self.began, self.ends, self.detail, self.said), self.outcomes, NOW


class Reports:
    """The listener of all of a run's executors; `take` feeds the machine in one turn, NOW being whenever that is."""

    def __init__(self, core: Core, scribe: Scribe, take: Callable[[Sequence[Report]], None]) -> None:
        self.scribe = scribe
        self._core = core
        self._take = take
        self._said: Dict[str, Mapping[str, Any]] = {}  # by worker, what it said with its last begin
        self._fixed: Set[str] = set()
        self._fixed_last: Detail = None  # of them
        self._mine = threading.local()  # `reports`: those of a thread that makes several together

    def begun(self, task: str, attempt: int, detail: Detail, ago: float = 0.0) -> None:
        if detail is not None:
            self._fix(detail)
        self.tell(ev.Begun(task, attempt, detail), None, ago)

    def ended(
        self, task: str, attempt: int, outcome: Outcome, mechanism: str, detail: Detail, ago: float = 0.0
    ) -> None:
        merged = self.scribe.end(task, attempt, {**(detail or {}), **(detail_of(outcome) or {})})
        for note in self._notes_of(task, attempt):
            self.tell(ev.Note(*note), None, ago)
        self.tell(ended(task, attempt, outcome, mechanism, merged), outcome, ago)

    def ran(self, task: str, attempt: int, outcome: Outcome, detail: Detail, begun_at: float, ended_at: float) -> None:
        if outcome.state != "succeeded" or self.scribe.notes:  # notes lie between the two
            now = time.monotonic()
            with self.together():
                self.begun(task, attempt, detail, now - begun_at)
                self.ended(task, attempt, outcome, "", None, now - ended_at)
            return
        if detail is not None and detail is not self._fixed_last:
            self._fix(detail)
        said = self.scribe.end(task, attempt, detail_of(outcome))
        began, end = self._core.at(begun_at), self._core.at(ended_at)
        reports = getattr(self._mine, "reports", None)
        sequel = reports[-1] if reports else None
        if type(sequel) is not Sequel or sequel.ends[-1] != began or sequel.detail is not detail:
            sequel = Sequel(began, detail)
            if reports is not None:
                reports.append(sequel)
        sequel.attempts.append((task, attempt))
        sequel.ends.append(end)
        sequel.said.append(said)
        sequel.outcomes.append(outcome)
        if reports is None:
            self._take((sequel.report(),))

    def lost(self, task: str, attempt: int) -> None:
        self.tell(ev.Lost(task, attempt), None)

    def returned(self, task: str, attempt: int) -> None:
        self.tell(ev.Returned(task, attempt), None)

    def noted(self, task: str, attempt: int, detail: Mapping[str, Any]) -> None:
        self.tell(ev.Note(task, attempt, detail), None)

    def logged(self, fields: Mapping[str, Any]) -> None:
        self.scribe.logged(fields)

    def printed(self, task: str, attempt: int, data: bytes, total: int) -> None:
        self.scribe.take(task, attempt, data, total)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread reports within it is taken in one turn, at its end."""
        if getattr(self._mine, "reports", None) is not None:  # within another
            yield
            return
        reports: List[Union[Report, Sequel]] = []
        self._mine.reports = reports
        try:
            yield
        finally:
            self._mine.reports = None
            if reports:
                self._take([report.report() if isinstance(report, Sequel) else report for report in reports])

    def tell(self, message: Any, outcome: Optional[Outcome], ago: float = 0.0) -> None:
        """Have the machine take this input, with what came of the attempt; it was `ago` seconds before now."""
        self._report((message, outcome, self._core.now() - ago if ago else NOW))

    def _report(self, report: Report) -> None:
        reports = getattr(self._mine, "reports", None)
        if reports is None:
            self._take((report,))
        else:
            reports.append(report)

    def _fix(self, detail: Mapping[str, Any]) -> None:
        """What a worker says for the second time it says for every attempt: its text for the log is made once."""
        worker = str(detail.get("worker"))
        if self._said.get(worker) is not detail:
            self._said[worker] = detail
        elif worker not in self._fixed:
            self._fixed.add(worker)
            self._core.fix(detail)
        else:
            self._fixed_last = detail

    def _notes_of(self, task: str, attempt: int) -> List[Note]:
        """What an attempt that ends has said and the machine has not been told."""
        if not self.scribe.notes:
            return []
        with self._core.lock:
            return self.scribe.notes.all(self._core.now(), task, attempt)
