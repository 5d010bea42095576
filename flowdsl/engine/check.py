"""What must hold of the events of a run, whoever made them: a simulated machine, a live run or a journal on disk."""

from __future__ import annotations

from typing import Iterable, List, Mapping, Optional, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.judges import CAUSES, JUDGES, MAY_RETRY, STILL, InvariantBroken, hold
from flowdsl.engine.ledger import Ledger, Row, Rule, promised, told, verdict
from flowdsl.engine.maps import item_upstream, split
from flowdsl.engine.policy import Kind, Node

__all__ = ["Checker", "InvariantBroken", "check_batches"]


class Checker:
    """Reads batches one by one and raises InvariantBroken at the first event that may not be.

    What is not given is taken from the `run_started` and `task_added` events where they tell it. `nodes` (it may grow)
    and `kinds` say more than events do: the whole retry policy, and which workers are replaced.
    """

    def __init__(
        self,
        *,
        max_workers: Optional[int] = None,
        limits: Optional[Mapping[str, int]] = None,
        on_failure: Optional[str] = None,
        nodes: Optional[Mapping[str, Node]] = None,
        kinds: Optional[Mapping[str, Kind]] = None,
    ) -> None:
        self.state = ""  # of the run
        self.ledger = Ledger(max_workers, limits)
        self._stops = None if on_failure is None else on_failure == "stop"
        self._nodes = {} if nodes is None else nodes
        self._kinds = kinds or {}
        self._seq = 0
        self._at = float("-inf")
        self._began = 0.0

    # ---- what can be asked

    def abandoned(self) -> List[Tuple[str, int]]:
        """(task, attempt) of every attempt that was given up and has not been seen to end."""
        return [(name, attempt) for name, row in self.ledger.rows.items() for attempt in sorted(row.abandoned)]

    def take(self, batch: Batch) -> None:
        """Judge one batch."""
        if batch.seq != self._seq:
            raise InvariantBroken(f"a batch begins with event {batch.seq}, after {self._seq} events")
        if batch.at < self._at:
            raise InvariantBroken(f"event {batch.seq} goes back in time, from {self._at} to {batch.at}")
        self._at = batch.at
        self.ledger.now = batch.at - self._began
        for event in batch.events:
            try:
                self._take(event)
            except InvariantBroken as broken:
                raise InvariantBroken(f"event {self._seq}, {event}: {broken}") from None
            self._seq += 1
        self._batch_over()

    def finish(self) -> None:
        """Judge that the run is over (a journal whose process was killed need not pass)."""
        if self.state not in st.RUN_STATES or self.state == st.RUNNING:
            raise InvariantBroken("the run has not ended")

    # ---- one event

    def _take(self, event: Event) -> None:
        if not event.task:
            self._take_of_run(event)
            return
        hold(self.state == st.RUNNING, "the run is not running")
        if event.event == ev.TASK_ADDED:
            self._added(event)
            return
        row = self.ledger.rows.get(event.task)
        if row is None:
            raise InvariantBroken("the task never joined the run")
        hold(event.before == row.state, "the task was not in that state")
        if event.event in STILL:
            STILL[event.event](self.ledger, row, event)
            return
        hold(st.TRANSITIONS.get((event.before, event.cause)) == event.state, "no such transition")
        retries = event.cause == "retry"
        hold(event.event in CAUSES, "no such event")
        hold(event.cause in CAUSES[event.event] or (retries and event.event in MAY_RETRY), "an event without its cause")
        judge = JUDGES.get(event.event)
        if judge is not None:
            judge(self.ledger, row, event)
        self._move(row, event)

    def _move(self, row: Row, event: Event) -> None:
        row.state, row.cause, row.cause_task = event.state, event.cause, event.cause_task
        if event.state in st.OPEN:
            return
        self.ledger.open -= 1
        if event.state in st.FAILED_ITSELF and not self.ledger.first_failure:
            self.ledger.first_failure = row.name
        for child in row.children:
            child.open -= 1
            child.ends.add(event.state)
            if child.state == st.PENDING:
                self.ledger.doubted.append(child)
        if row.owner is not None:
            self.ledger.doubted.append(row.owner)

    def _take_of_run(self, event: Event) -> None:
        hold(event.before == self.state, "the run was not in that state")
        hold(st.RUN_TRANSITIONS.get((event.before, event.cause)) == event.state, "no such transition of a run")
        self.state = event.state
        if event.event == ev.RUN_STARTED:
            self._began, self.ledger.now = self._at, 0.0
            self._read_header(event.detail or {})
            return
        hold(event.event == ev.RUN_ENDED, "no such event of a run")
        if event.cause == "process_died":
            return
        hold(self.ledger.open == 0, "tasks have not ended")
        hold(self.ledger.running == 0, "attempts are running")
        if event.cause == "all_done":
            hold(not self.ledger.first_failure and not self.ledger.halted, "a task failed, or the run was cancelled")
        elif event.cause == "tasks_failed":
            hold(event.cause_task == self.ledger.first_failure != "", "the first failure was another")

    def _read_header(self, detail: Mapping[str, object]) -> None:
        if self.ledger.max_workers is None:
            workers = detail.get("max_workers")
            self.ledger.max_workers = workers if isinstance(workers, int) else None
        if self._stops is None:
            self._stops = detail.get("on_failure") == "stop"
        if self.ledger.limits is None:
            limits = detail.get("limits")
            self.ledger.limits = limits if isinstance(limits, dict) else {}

    def _added(self, event: Event) -> None:
        name = event.task
        hold(name not in self.ledger.rows, "the task had joined already")
        hold((event.before, event.state, event.cause) == ("", st.PENDING, "added"), "no such transition")
        rule, upstream, owner = self._promise(event)
        row = self.ledger.rows[name] = Row(name, rule, upstream)
        row.owner = owner
        if owner is not None:
            owner.items.append(row)
        for parent in map(self.ledger.rows.get, upstream):
            if parent is None:
                raise InvariantBroken("a dependency never joined the run")
            if parent.hands_items_to(row):
                continue
            if parent.state in st.OPEN:
                row.open += 1
                parent.children.append(row)
            else:
                row.ends.add(parent.state)
        self.ledger.open += 1
        self.ledger.doubted.append(row)

    def _promise(self, event: Event) -> Tuple[Rule, Tuple[str, ...], Optional[Row]]:
        """What a task that joins was promised: an item, what its mapped task was."""
        task, index = split(event.task)
        if index is None:
            node = self._nodes.get(task)
            return (*(told(event.detail or {}) if node is None else promised(node, self._kinds)), None)
        owner = self.ledger.rows.get(task)
        if owner is None or owner.size is None:
            raise InvariantBroken("an item of a task whose size nobody knows")
        hold(len(owner.items) == index < owner.size, "items join in their order, and no more than there are")
        upstream = item_upstream(owner.upstream, owner.rule.over or (), index)
        return owner.rule._replace(over=None), upstream, owner

    def _batch_over(self) -> None:
        """What a batch leaves undecided is a wake-up that was lost."""
        for row in self.ledger.doubted:
            if row.size is not None and row.state == st.RUNNING:
                hold(len(row.items) == row.size, f"items of {row.name!r} did not join")
                going = any(item.state in st.OPEN for item in row.items)
                hold(going, f"task {row.name!r} goes on without any item")
            if row.state == st.PENDING and verdict(row) != st.PENDING:
                raise InvariantBroken(f"task {row.name!r} waits, although its dependencies want it {verdict(row)}")
        self.ledger.doubted.clear()
        if self._stops and self.ledger.first_failure:
            self.ledger.halted = True


def check_batches(
    batches: Iterable[Batch],
    *,
    max_workers: Optional[int] = None,
    limits: Optional[Mapping[str, int]] = None,
    on_failure: Optional[str] = None,
    nodes: Optional[Mapping[str, Node]] = None,
    kinds: Optional[Mapping[str, Kind]] = None,
    ended: bool = True,
) -> Checker:
    """Judge a whole run by its events; raises InvariantBroken, or returns the checker for further questions.

    Args:
        batches: all of them from the first, as `read_journal(run_dir).batches`.
        max_workers, limits, on_failure: of the run; left out, they are what its `run_started` event says.
        nodes, kinds: what the machine was told, where that is known.
        ended: whether the run must be over; False for a journal whose process was killed.
    """
    checker = Checker(max_workers=max_workers, limits=limits, on_failure=on_failure, nodes=nodes, kinds=kinds)
    for batch in batches:
        checker.take(batch)
    if ended:
        checker.finish()
    return checker
