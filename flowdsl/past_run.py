"""A run as its journal tells it, also one whose process is long gone."""

from __future__ import annotations

from contextlib import nullcontext
from typing import ContextManager, List, NoReturn, Sequence

from flowdsl.definition.counted import counted
from flowdsl.definition.suggest import did_you_mean
from flowdsl.engine.events import Batch
from flowdsl.engine.snapshot import Snapshot, fold
from flowdsl.engine.states import RUNNING
from flowdsl.errors import TaskResultError
from flowdsl.recorded import Recorded
from flowdsl.settings import options
from flowdsl.storage.outputs import read_output, tail_output
from flowdsl.storage.reading import Log
from flowdsl.views.shape import Shape, shape_of

__all__ = ["PastRun"]


class PastRun(Recorded):
    """A run as its journal tells it: everything that a live run shows, except results, which a journal does not hold.

    A run whose process died is `interrupted`, and so is what it left open. One that goes on in some process stands
    as it stood when it was read.
    """

    def __init__(self, log: Log) -> None:
        self._batches = log.batches
        self._snapshot = fold(log.batches, run_id=log.path.name)
        if log.locked_by is None:
            self._snapshot.interrupted()
        self.id = log.path.name
        self.dir = log.path
        self.flow = self._snapshot.flow

    @property
    def state(self) -> str:
        """One of `states.RUN_STATES`."""
        return self._snapshot.state

    @property
    def done(self) -> bool:
        """Whether the run has come to its end."""
        return self.state != RUNNING

    def snapshot(self) -> Snapshot:
        """What was known of the run when it was read."""
        return self._snapshot

    def __getitem__(self, name: str) -> NoReturn:
        row = self._snapshot.tasks.get(name)
        if row is None:
            raise KeyError(f"run {self.id!r} has no task {name!r}{did_you_mean(name, self._snapshot.tasks)}")
        text = f"the journal of run {self.id!r} does not hold the results of task {name!r} ({row.state}); run it again"
        raise TaskResultError(text, task=name, state=row.state, cause=row.cause)

    def __contains__(self, name: object) -> bool:
        return name in self._snapshot.tasks

    def _ipython_key_completions_(self) -> List[str]:
        return list(self._snapshot.tasks)

    def __repr__(self) -> str:
        which = "" if options.stable_repr else f" {self.id!r}"
        tasks = sum(row.map_index is None for row in self._snapshot.tasks.values())  # without items, as a live run
        return f"<PastRun{which} of flow {self.flow!r}: {self.state}, {counted(tasks, 'task')}>"

    # ---- where it is kept

    def _reading(self) -> ContextManager[Snapshot]:
        return nullcontext(self._snapshot)

    def batches(self) -> Sequence[Batch]:
        return self._batches

    def _drawn(self) -> Shape:
        return shape_of(self._snapshot)

    def _read(self, task: str, attempt: int) -> str:
        return read_output(self.dir, task, attempt)

    def _tail(self, task: str, attempt: int, limit: int) -> str:
        return tail_output(self.dir, task, attempt, limit)
