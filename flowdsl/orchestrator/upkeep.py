"""The upkeep of a queue: what can be seen of it as frames, and what keeps it in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

from flowdsl.definition.checks import refuse_unknown
from flowdsl.orchestrator.opening import Opening

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from flowdsl.orchestrator.audit import Report
    from flowdsl.orchestrator.maintenance import CleanUp, Schedule
    from flowdsl.orchestrator.optimisation import Optimisation
    from flowdsl.orchestrator.performance import Performance

__all__ = ["Upkeep"]


class Upkeep(Opening):
    """What a TaskOrchestrator says of its queue, and does for it; a class of its own only to be read by itself."""

    # ---- what is there

    def queue(self, *, status: Union[str, Sequence[str], None] = None) -> pd.DataFrame:
        """A DataFrame with one row a task; its columns are those of `flowdsl.orchestrator.frames.queue_frame`."""
        from flowdsl.orchestrator.frames import queue_frame

        return queue_frame(self._parts, status)

    def logs(self, **conditions: Any) -> pd.DataFrame:
        """A DataFrame of the records in the log directory; see `flowdsl.orchestrator.frames.records_frame`.

        Conditions: `status`, `type`, `action` (a word or a list of them), `since`, `until` (of the start), `text`.
        """
        from flowdsl.orchestrator.frames import records_frame

        return records_frame(self._parts.log_dir, **conditions)

    # ---- maintenance

    def validate(self) -> Report:
        """A report on the dependencies: cycles, missing, unreachable, redundant edges, dead ends, damage.

        `report.ok` says whether anything keeps a task from running; see `flowdsl.orchestrator.audit.Report`.
        """
        from flowdsl.orchestrator.audit import audit

        return audit(self._parts)

    def clean_up(
        self,
        *,
        older_than: Union[float, timedelta, None] = None,
        keep: Optional[int] = None,
        max_bytes: Optional[int] = None,
        dry_run: bool = False,
    ) -> CleanUp:
        """Remove ended tasks beyond the limits, oldest first, with their records, results and runs; what was removed.

        Args:
            older_than: seconds since their end, or a timedelta.
            keep: so many ended tasks stay.
            max_bytes: so large may all their runs together be.
            dry_run: remove nothing, only say what would go.

        What is open, and what a task that stays and is not completed needs, is kept whatever the limits.
        """
        from flowdsl.orchestrator.maintenance import clean_up, limits

        return clean_up(self._parts, limits(older_than, keep, max_bytes), dry_run)

    def schedule_clean_up(self, every: float, **wanted: Any) -> Schedule:
        """Clean up every so many seconds while the orchestrator is open, with the limits of `clean_up`.

        Another schedule takes the place of this one; `stop()` of what is returned ends it.
        """
        from flowdsl.orchestrator.maintenance import Schedule, clean_up, limits

        names = ("older_than", "keep", "max_bytes")
        refuse_unknown([name for name in wanted if name not in names], names, "schedule_clean_up")
        parts, checked = self._parts, limits(*(wanted.get(name) for name in names))
        schedule = Schedule(every, lambda: clean_up(parts, checked))
        self._open.replace_schedule(schedule.stop)
        return schedule

    def optimize_queue(self) -> Optimisation:
        """The order in which `execute_all` would work now, and the seconds that it is expected to save.

        By priority first, then the longest path, by what earlier tasks of the same action took.
        """
        from flowdsl.orchestrator.optimisation import optimise

        return optimise(self._parts)

    def performance(self) -> Performance:
        """How the tasks did: throughput, waits, times by action, retries, time-outs, workers, the slowest.

        As DataFrames, and as a picture in a notebook; see `flowdsl.orchestrator.performance.Performance`.
        """
        from flowdsl.orchestrator.performance import performance

        return performance(self._parts)
