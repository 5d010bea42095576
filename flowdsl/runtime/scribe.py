"""What the attempts of a run say while they run: their output goes to files, their progress to the machine."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from flowdsl.executors.current import Current, Output
from flowdsl.executors.notes import Note, Notes
from flowdsl.runtime.records import Records
from flowdsl.storage.outputs import Outputs, lost_mark, read_output, tail_output

Detail = Optional[Mapping[str, Any]]

ECHO = 256 * 1024  # characters that inline attempts may show in the cell that runs them


class Scribe:
    """The scribe of one run; `wake` makes somebody look for notes that are due."""

    def __init__(self, run_dir: Path, wake: Callable[[], object], *, echo: int = 0) -> None:
        self.echo = echo
        self.notes = Notes(wake)
        self._dir = run_dir
        self._outputs = Outputs(run_dir)
        self._records = Records()
        self._faults: Dict[str, str] = {}  # tasks whose output could not be written, and why
        self._complained = False

    # ---- for attempts, from any thread

    def output(self, task: str, attempt: int) -> Output:
        return self._outputs.sink(task, attempt)

    def noted(self, current: Current) -> None:
        self.notes.put(current)

    # ---- for executors that bring output

    def take(self, task: str, attempt: int, data: bytes, total: int) -> None:
        """What was kept of an attempt's output, and how many bytes it was in all."""
        if total:
            sink = self._outputs.sink(task, attempt)
            sink.write_bytes(data)
            sink.skip(total - len(data))

    def logged(self, fields: Mapping[str, Any]) -> None:
        """A record for the user's handlers."""
        self._records.put(fields)

    # ---- for the driver

    def end(self, task: str, attempt: int, detail: Detail) -> Detail:
        """The attempt has ended; what the log says of that, with what is to be said of its output."""
        sink = self._outputs.end(task, attempt)
        if sink is None:
            return detail
        told: Dict[str, Any] = {**(detail or {}), "output_bytes": sink.total}
        if sink.fault:
            told["output_error"] = sink.fault
            self._faults.setdefault(task, sink.fault)
        return told

    def so_far(self, task: str, attempt: int) -> Mapping[str, Any]:
        """What is to be said of the output of an attempt that is left behind, and may print on."""
        sink = self._outputs.found(task, attempt)
        return {} if sink is None else {"output_bytes": sink.total}

    def due(self, now: float) -> List[Note]:
        """The notes that are to be told now."""
        return self.notes.due(now) if self.notes else []

    def complain(self) -> None:
        """Warn, once in a run, of output that could not be written; not under a lock, for handlers are the user's."""
        if self._faults and not self._complained:
            self._complained = True
            task, why = next(iter(self._faults.items()))
            text = "the output of task %r could not be written to %s: %s; the task itself went on"
            logging.getLogger("flowdsl").warning(text, task, self._dir, why)

    def close(self) -> None:
        """The run is over."""
        self._outputs.close()
        self._records.close()

    # ---- for readers

    def read(self, task: str, attempt: int) -> str:
        """All that is kept of what the attempt has printed so far."""
        sink = self._outputs.found(task, attempt)
        if sink is not None:
            sink.flush()
        text = read_output(self._dir, task, attempt)
        return text if sink is None or not sink.fault else text + lost_mark(sink.fault)

    def tail(self, task: str, attempt: int, limit: int) -> str:
        """The end of that, at most so many bytes; never raises."""
        sink = self._outputs.found(task, attempt)
        if sink is not None:
            sink.flush()
        return tail_output(self._dir, task, attempt, limit)
