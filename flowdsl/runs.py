"""The runs whose journals are in a directory, with the DataFrames of a live one over all of them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    SupportsIndex,
    Union,
    overload,
)

from flowdsl.definition.checks import check_count, refuse
from flowdsl.definition.counted import counted
from flowdsl.definition.options import check_log_dir
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine.snapshot import Snapshot
from flowdsl.hold import check_not_held
from flowdsl.past_run import PastRun
from flowdsl.settings import options
from flowdsl.storage.reading import read_header, read_journal, run_dirs

if TYPE_CHECKING:
    import pandas as pd

    from flowdsl.analysis.insight import Insight

__all__ = ["Damaged", "Runs", "load_runs", "select_runs"]


class Damaged(NamedTuple):
    """A piece of a journal that was passed over."""

    run_id: str
    line: Optional[int]  # counted from 1; None: the whole file could not be read
    offset: Optional[int]  # bytes from the start of the file
    reason: str


class Runs:
    """Past runs, oldest first: `runs[run_id]`, `runs[-1]`, `for run in runs`, and frames over all of them.

    A unique beginning of a run id will do. `runs[-5:]` are the last five, with frames over those.
    """

    def __init__(self, runs: Sequence[PastRun], damaged: Sequence[Damaged], log_dir: Path) -> None:
        self._runs = list(runs)
        self._damaged = list(damaged)
        self._log_dir = log_dir

    @property
    def tasks(self) -> pd.DataFrame:
        """A DataFrame with one row a task of any run, as in `flowdsl.analysis.frames.tasks_frame`."""
        from flowdsl.analysis.frames import tasks_frame

        return tasks_frame(self._snapshots())

    @property
    def attempts(self) -> pd.DataFrame:
        """A DataFrame with one row an attempt of any run, as in `flowdsl.analysis.frames.attempts_frame`."""
        from flowdsl.analysis.frames import attempts_frame

        return attempts_frame(self._snapshots())

    @property
    def events(self) -> pd.DataFrame:
        """A DataFrame with one row an event of any run, as in `flowdsl.analysis.frames.events_frame`."""
        from flowdsl.analysis.frames import events_frame

        return events_frame((run.id, run.flow, run.batches()) for run in self._runs)

    @property
    def summary(self) -> pd.DataFrame:
        """A DataFrame with one row a run; its columns are those of `flowdsl.analysis.summary.summary_frame`."""
        from flowdsl.analysis.summary import summary_frame

        return summary_frame(self._snapshots())

    def utilisation(self) -> pd.DataFrame:
        """A DataFrame with one row a worker of any run, as in `flowdsl.analysis.utilisation.utilisation`."""
        from flowdsl.analysis.utilisation import utilisations

        return utilisations(self._snapshots())

    @property
    def insight(self) -> Insight:
        """Answers from all attempts: where time goes, what got slower, wasted retries, busy workers, mutual waits."""
        from flowdsl.analysis.insight import Insight

        return Insight(self.attempts)

    @property
    def damage(self) -> pd.DataFrame:
        """A DataFrame with one row for each piece of a journal that was passed over: run_id, line, offset, reason."""
        from flowdsl.analysis.summary import damage_frame

        return damage_frame(self._damaged)

    def _snapshots(self) -> List[Snapshot]:
        return [run.snapshot() for run in self._runs]

    @overload
    def __getitem__(self, run_id: Union[str, SupportsIndex]) -> PastRun: ...

    @overload
    def __getitem__(self, run_id: slice) -> Runs: ...

    def __getitem__(self, run_id: Union[str, SupportsIndex, slice]) -> Union[PastRun, Runs]:
        if isinstance(run_id, slice):
            return self._some(self._runs[run_id])
        if not isinstance(run_id, str):
            return self._runs[run_id]
        found = [run for run in self._runs if run.id == run_id]
        found = found or [run for run in self._runs if run_id and run.id.startswith(run_id)]
        if len(found) == 1:
            return found[0]
        ids = [run.id for run in found or self._runs]
        if found:
            raise KeyError(f"{run_id!r} is the beginning of {len(ids)} run ids: {', '.join(ids[:5])}; write more of it")
        raise KeyError(f"no run {run_id!r} in {self._log_dir}{did_you_mean(run_id, ids, '`.summary` lists the runs')}")

    def _some(self, runs: Sequence[PastRun]) -> Runs:
        ids = {run.id for run in runs}
        return Runs(runs, [one for one in self._damaged if one.run_id in ids], self._log_dir)

    def __contains__(self, run_id: object) -> bool:
        return any(run.id == run_id or run is run_id for run in self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[PastRun]:
        return iter(self._runs)

    def _ipython_key_completions_(self) -> List[str]:
        return [run.id for run in self._runs]

    def _repr_html_(self) -> Any:
        from flowdsl.analysis.summary import summary_html

        return summary_html(self.summary)

    def __repr__(self) -> str:
        newest = f", newest {self._runs[-1].id!r}" if self._runs and not options.stable_repr else ""
        damaged = f", {counted(len(self._damaged), 'damaged line')}" if self._damaged else ""
        return f"<Runs in {str(self._log_dir)!r}: {len(self._runs)}{newest}{damaged}>"


def load_runs(
    log_dir: Union[str, os.PathLike[str]] = "./logs/tasks",
    *,
    flow: Optional[str] = None,
    last: Optional[int] = None,
) -> Runs:
    """The runs that left a journal in `log_dir`: finished, crashed, or going on in any process.

    Args:
        log_dir: the directory of the journals. One that does not exist holds no runs.
        flow: only the runs of the flow with this name.
        last: only so many, the newest; 1 or more. The others are not even read.

    A run whose process died is `interrupted`, and so is what it left open; one that goes on is shown as it stands
    now (load again to see it later). What cannot be read is passed over, counted in one warning and listed in
    `.damage`; whatever else lies in the directory is ignored.

    >>> runs = load_runs("logs/of/nobody")
    >>> len(runs), len(runs.tasks)
    (0, 0)
    """
    check_not_held()
    log_dir = check_log_dir(log_dir, "log_dir", "load_runs")
    if flow is not None and not isinstance(flow, str):
        refuse("load_runs", "flow", flow, "is not the name of a flow; give its `.name`")
    if last is not None:
        check_count(last, "last", "load_runs", least=1, hint="it is how many runs to load, 1 or more")
    runs = select_runs(log_dir, last, None if flow is None else lambda header: header.get("flow") == flow)
    if runs._damaged:
        lines = counted(len(runs._damaged), "damaged line")
        text = f"passed over {lines} in {log_dir}; `.damage` of the loaded runs lists them"
        warnings.warn(text, stacklevel=2)
    return runs


def select_runs(
    log_dir: Union[str, os.PathLike[str]],
    last: Optional[int] = None,
    wanted: Optional[Callable[[Mapping[str, Any]], bool]] = None,
) -> Runs:
    """The newest runs, at most `last` of those whose header is `wanted`, oldest first."""
    runs: List[PastRun] = []
    damaged: List[Damaged] = []
    for run_dir in reversed(run_dirs(log_dir)):
        if wanted is None or wanted(read_header(run_dir)):
            _read(run_dir, runs, damaged)
            if len(runs) == last:
                break
    return Runs(runs[::-1], damaged[::-1], Path(log_dir))


def _read(run_dir: Path, runs: List[PastRun], damaged: List[Damaged]) -> None:
    try:
        log = read_journal(run_dir)
    except FileNotFoundError:  # removed since the directory was listed
        return
    except OSError as exc:
        damaged.append(Damaged(run_dir.name, None, None, f"the journal cannot be read: {exc}"))
        return
    damaged.extend(Damaged(run_dir.name, one.line, one.offset, one.reason) for one in log.damage)
    if log.batches or not log.damage:  # a file in which nothing is ours is no run
        runs.append(PastRun(log))
