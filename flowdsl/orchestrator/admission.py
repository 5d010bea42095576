"""Admission: which runs of the queue may start tasks, so that no more run at once than were allowed; and the pause."""

from __future__ import annotations

from collections import deque
from typing import Deque, Dict, NamedTuple

from flowdsl.run import Run

__all__ = ["Admission"]


class Waiting(NamedTuple):
    """A run that has begun and is held: it starts nothing yet."""

    run: Run
    width: int  # slots that it takes


class Admission:
    """Each run takes as many slots as tasks of it may run at once; first come, first served. Under the book's lock.

    A run that is begun inside a task goes on at once: the task waits for it, and holds a slot itself.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._taken: Dict[str, int] = {}
        self._waiting: Deque[Waiting] = deque()
        self.paused = False

    def width(self, tasks: int, inside_a_task: bool) -> int:
        """How many slots a run of so many tasks is to take."""
        free = self._slots - sum(self._taken.values())
        most = self._slots if self._waiting or free <= 0 else free
        return 1 if inside_a_task else max(1, min(tasks, most))

    def begin(self, run: Run, width: int, inside_a_task: bool) -> None:
        """Let the run in, or hold it until there is room; it has not begun."""
        if inside_a_task:
            width = 0
        free = self._slots - sum(self._taken.values())
        if width and (self._waiting or width > free):
            run.hold()
            self._waiting.append(Waiting(run, width))
            return
        self._taken[run.id] = width
        if self.paused:
            run.hold()

    def end(self, run: Run) -> None:
        """The run has ended: others may have its slots."""
        self._taken.pop(run.id, None)
        self._waiting = deque(one for one in self._waiting if one.run.id != run.id)
        free = self._slots - sum(self._taken.values())
        while self._waiting and self._waiting[0].width <= free:
            admitted, width = self._waiting.popleft()
            self._taken[admitted.id] = width
            free -= width
            if not self.paused:
                admitted.release()

    def pause(self, going: Dict[str, Run]) -> None:
        """Nothing starts any more, in no run; what runs goes on."""
        self.paused = True
        for run in going.values():
            run.hold()

    def resume(self, going: Dict[str, Run]) -> None:
        """Go on with the runs that were let in."""
        self.paused = False
        for run_id, run in going.items():
            if run_id in self._taken:
                run.release()
