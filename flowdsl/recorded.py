"""A run as its events tell it: frames, pictures and answers, the same for one that goes on and for a past one."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ContextManager, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from flowdsl.definition.checks import check_limits
from flowdsl.definition.options import check_workers
from flowdsl.engine.failures import Failure, failures
from flowdsl.engine.snapshot import Snapshot
from flowdsl.settings import options
from flowdsl.views.rank import ranks

if TYPE_CHECKING:
    import pandas as pd

    from flowdsl.analysis.insight import Insight
    from flowdsl.analysis.plan import Plan
    from flowdsl.analysis.timeline import Timeline
    from flowdsl.engine.events import Batch

__all__ = ["Recorded", "drawn_timeline"]


class Recorded(ABC):
    """What can be asked of any run; whoever keeps its events says below "where it is kept" how they are had.

    `id` is its name, `dir` the directory of its log, `flow` the flow's name.
    """

    id: str
    dir: Path
    flow: str

    # ---- where it is kept

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the run has come to its end."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """What is known of the run; to be read only."""

    @abstractmethod
    def _reading(self) -> ContextManager[Snapshot]:
        """The snapshot, which stands still until the block ends."""

    @abstractmethod
    def batches(self) -> Sequence[Batch]:
        """All events that are in the journal, as they were written."""

    @abstractmethod
    def _drawn(self) -> Any:
        """The graph as pictures take it."""

    @abstractmethod
    def _read(self, task: str, attempt: int) -> str:
        """All that is kept of what the attempt printed."""

    @abstractmethod
    def _tail(self, task: str, attempt: int, limit: int) -> str:
        """The end of that, at most so many bytes; never raises."""

    def _results(self, names: Iterable[str]) -> Mapping[str, Any]:
        """The results of these tasks and items, as far as they are known."""
        return {}

    def _expected(self) -> Mapping[str, float]:
        """The seconds that tasks take, by earlier runs, where that is known."""
        return {}

    # ---- what the log says

    @property
    def tasks(self) -> pd.DataFrame:
        """A DataFrame with one row a task; its columns are those of `flowdsl.analysis.frames.tasks_frame`."""
        from flowdsl.analysis.frames import tasks_frame

        with self._reading() as snapshot:
            return tasks_frame([snapshot])

    @property
    def attempts(self) -> pd.DataFrame:
        """A DataFrame with one row an attempt; its columns are those of `flowdsl.analysis.frames.attempts_frame`."""
        from flowdsl.analysis.frames import attempts_frame

        with self._reading() as snapshot:
            return attempts_frame([snapshot])

    @property
    def events(self) -> pd.DataFrame:
        """A DataFrame with one row an event; its columns are those of `flowdsl.analysis.frames.events_frame`."""
        from flowdsl.analysis.frames import events_frame

        return events_frame([(self.id, self.flow, self.batches())])

    @property
    def failures(self) -> Tuple[Failure, ...]:
        """The tasks that failed or timed out for good so far, with error and traceback as text, as they ended."""
        snapshot = self.snapshot()
        found = failures(snapshot)
        if options.stable_repr:  # in the order of the tasks, which is the same each time
            order = ranks(snapshot)
            found = tuple(sorted(found, key=lambda one: order[one.task]))
        return found

    def output(self, name: str, *, attempt: Optional[int] = None) -> str:
        """What the task has printed so far: stdout, stderr, log records and warnings, as they came.

        Args:
            name: a task, such as "clean", or one item of a mapped one, such as "delays[3]". For a mapped task itself:
                what its items printed, each below a line with its name.
            attempt: which attempt, from 1; by default the latest.

        Returns:
            Of an attempt the first 10 MB; a mark says where it was cut off. "" where nothing was printed.

        Raises:
            KeyError: the run has no such task.
            ValueError: the task has had no such attempt.
        """
        from flowdsl.printed import output_of

        return output_of(self.snapshot(), self._read, name, attempt)

    def timeline(self) -> Timeline:
        """The attempts on a time axis: a picture in a notebook, text elsewhere, rows in `.frame`."""
        with self._reading() as snapshot:
            return drawn_timeline(snapshot, now=None if self.done else time.time())

    def critical_path(self) -> pd.DataFrame:
        """A DataFrame that says which tasks made the run long; see `flowdsl.analysis.critical.critical_path`."""
        from flowdsl.analysis.critical import critical_path

        with self._reading() as snapshot:
            return critical_path(snapshot)

    def utilisation(self) -> pd.DataFrame:
        """A DataFrame that says how busy each worker was; see `flowdsl.analysis.utilisation.utilisation`."""
        from flowdsl.analysis.utilisation import utilisation

        with self._reading() as snapshot:
            return utilisation(snapshot)

    @property
    def insight(self) -> Insight:
        """Answers from the attempts: where time went, wasted retries, how busy workers were, who waited for whom."""
        from flowdsl.analysis.insight import Insight

        return Insight(self.attempts)

    def what_if(self, max_workers: int, *, limits: Optional[Mapping[str, int]] = None) -> Plan:
        """What this run would come to on so many workers, and with other named limits: `.numbers`, frames, a timeline.

        See `flowdsl.analysis.plan`. Of a run that goes on, what has not run yet takes what it took in earlier runs.
        ConfigError for a limit that the run does not have.
        """
        from flowdsl.analysis.plan import refuse_unknown_limits, what_if

        where = "what_if of run %r" % self.id
        workers, other = check_workers(max_workers, where), check_limits(limits or {}, where)
        with self._reading() as snapshot:
            refuse_unknown_limits(snapshot, other, where)
            return what_if(snapshot, workers, limits=other, durations=self._expected(), show=drawn_timeline)

    def records(self, directory: Union[str, os.PathLike[str]]) -> List[Path]:
        """Write one JSON record a task into `directory` (made where it is missing); the paths.

        A journal holds no results: those that only it tells of are null there. LogWriteError where they cannot be
        written.
        """
        from flowdsl.storage.records import write_records

        snapshot = self.snapshot()
        return write_records(snapshot, directory, self._results(list(snapshot.tasks)))

    def report(self, path: Union[str, os.PathLike[str]]) -> Path:
        """Write a page of HTML on this run to `path`, and return the path: one file to send to somebody.

        It has the graph, the timeline, tables, failures with their tracebacks and what the tasks printed last, the
        names of the inputs and the environment. It needs no script and nothing from elsewhere. A run that goes on is
        shown as it stands.
        """
        from flowdsl.report import write_report

        return write_report(self, self._drawn(), path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Dict[str, Any]:
        try:
            from flowdsl.views.static import run_bundle

            return dict(run_bundle(self._drawn(), self.snapshot(), self._tail))
        except Exception:  # a picture is never worth an error
            return {"text/plain": repr(self)}


def drawn_timeline(snapshot: Snapshot, now: Optional[float] = None) -> Timeline:
    """The timeline of a run with what draws it; what has no end yet ends at `now`, in seconds since the epoch."""
    from flowdsl.analysis.timeline import Timeline
    from flowdsl.views.static import image
    from flowdsl.views.timeline import timeline_svg

    return Timeline(snapshot, timeline_svg, embed=image, now=now)
