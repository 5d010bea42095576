"""What must hold of the events of a run, whoever made them: a simulated machine, a live run or a journal on disk."""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.ledger import Row, Rule, guilty, promised, told, verdict, verdicts_of_items
from flowdsl.engine.maps import item_upstream, split
from flowdsl.engine.policy import Kind, Node
from flowdsl.errors import TaskTimeout

__all__ = ["Checker", "InvariantBroken", "check_batches"]

TIMED_OUT = TaskTimeout("timed out")
SLACK = 1e-4  # seconds by which times may be off: a journal keeps microseconds
CANCELS = frozenset(st.CANCEL_CAUSES)
FAILURES = frozenset(("raised", "verify_failed", "unpicklable", "worker_died"))
FAILED_ITSELF = frozenset((st.FAILED, st.TIMED_OUT))

# Why a task may change by each event. (The change itself is judged by the table of transitions.)
CAUSES: Mapping[str, FrozenSet[str]] = {
    ev.TASK_READY: frozenset(("dependencies_met", "delay_over")),
    ev.TASK_GIVEN: frozenset(("given",)),
    ev.TASK_REUSED: frozenset(("cache_hit", "earlier_run")),
    ev.TASK_SKIPPED: frozenset(("upstream_skipped", "no_failure")),
    ev.TASK_FAILED: frozenset(("worker_unavailable", "unpicklable", "map_failed", "items_failed")),
    ev.TASK_EXPANDED: frozenset(("expanded",)),
    ev.TASK_SUCCEEDED: frozenset(("items_done",)),
    ev.TASK_UPSTREAM_FAILED: frozenset(("upstream_failed",)),
    ev.TASK_CANCELLED: CANCELS | {"upstream_cancelled", "task_cancelled"},
    ev.TASK_INTERRUPTED: frozenset(("process_died",)),
    ev.ATTEMPT_STARTED: frozenset(("started",)),
    ev.ATTEMPT_SUCCEEDED: frozenset(("returned",)),
    ev.ATTEMPT_FAILED: FAILURES,
    ev.ATTEMPT_TIMED_OUT: frozenset(("timeout",)),
    ev.ATTEMPT_SKIPPED: frozenset(("skip_raised",)),
    ev.ATTEMPT_CANCELLED: CANCELS | {"task_cancelled"},
    ev.ATTEMPT_REQUEUED: frozenset(("requeued",)),
}
MAY_RETRY = frozenset((ev.ATTEMPT_FAILED, ev.ATTEMPT_TIMED_OUT))


class InvariantBroken(AssertionError):
    """Something happened that never may; the message says what, and after which event."""


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
        self.rows: Dict[str, Row] = {}
        self.open = 0  # tasks that have not ended
        self.running = 0  # attempts
        self.halted = False  # nothing may become ready any more
        self.first_failure = ""
        self._max_workers = max_workers
        self._limits = limits
        self._stops = None if on_failure is None else on_failure == "stop"
        self._nodes = {} if nodes is None else nodes
        self._kinds = kinds or {}
        self._kept = 0  # slots of abandoned attempts
        self._used: Dict[str, int] = {}
        self._doubted: List[Row] = []  # to be decided before the batch is over
        self._seq = 0
        self._at = float("-inf")
        self._began = 0.0
        self._now = 0.0  # seconds since the run's start
        self._judges: Mapping[str, Callable[[Row, Event], None]] = {
            ev.TASK_READY: self._ready,
            ev.TASK_EXPANDED: self._expanded,
            ev.TASK_SUCCEEDED: self._items_ended,
            ev.TASK_FAILED: self._failed,
            ev.TASK_SKIPPED: self._for_dependencies,
            ev.TASK_UPSTREAM_FAILED: self._for_dependencies,
            ev.TASK_CANCELLED: self._cancelled,
            ev.ATTEMPT_STARTED: self._started,
            ev.ATTEMPT_SUCCEEDED: self._attempt_ended,
            ev.ATTEMPT_FAILED: self._attempt_ended,
            ev.ATTEMPT_TIMED_OUT: self._attempt_ended,
            ev.ATTEMPT_SKIPPED: self._attempt_ended,
            ev.ATTEMPT_CANCELLED: self._attempt_ended,
            ev.ATTEMPT_REQUEUED: self._requeued,
        }

    # ---- what can be asked

    def abandoned(self) -> List[Tuple[str, int]]:
        """(task, attempt) of every attempt that was given up and has not been seen to end."""
        return [(name, attempt) for name, row in self.rows.items() for attempt in sorted(row.abandoned)]

    def take(self, batch: Batch) -> None:
        """Judge one batch."""
        if batch.seq != self._seq:
            raise InvariantBroken(f"a batch begins with event {batch.seq}, after {self._seq} events")
        if batch.at < self._at:
            raise InvariantBroken(f"event {batch.seq} goes back in time, from {self._at} to {batch.at}")
        self._at = batch.at
        self._now = batch.at - self._began
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
        _hold(self.state == st.RUNNING, "the run is not running")
        if event.event == ev.TASK_ADDED:
            self._added(event)
            return
        row = self.rows.get(event.task)
        if row is None:
            raise InvariantBroken("the task never joined the run")
        _hold(event.before == row.state, "the task was not in that state")
        if event.event == ev.ATTEMPT_RELEASED:
            self._released(row, event)
            return
        if event.event == ev.ATTEMPT_PROGRESSED:
            self._progressed(row, event)
            return
        _hold(st.TRANSITIONS.get((event.before, event.cause)) == event.state, "no such transition")
        retries = event.cause == "retry"
        _hold(event.event in CAUSES, "no such event")
        _hold(
            event.cause in CAUSES[event.event] or (retries and event.event in MAY_RETRY), "an event without its cause"
        )
        judge = self._judges.get(event.event)
        if judge is not None:
            judge(row, event)
        self._move(row, event)

    def _move(self, row: Row, event: Event) -> None:
        row.state, row.cause, row.cause_task = event.state, event.cause, event.cause_task
        if event.state in st.OPEN:
            return
        self.open -= 1
        if event.state in FAILED_ITSELF and not self.first_failure:
            self.first_failure = row.name
        for child in row.children:
            child.open -= 1
            child.ends.add(event.state)
            if child.state == st.PENDING:
                self._doubted.append(child)
        if row.owner is not None:
            self._doubted.append(row.owner)

    def _take_of_run(self, event: Event) -> None:
        _hold(event.before == self.state, "the run was not in that state")
        _hold(st.RUN_TRANSITIONS.get((event.before, event.cause)) == event.state, "no such transition of a run")
        self.state = event.state
        if event.event == ev.RUN_STARTED:
            self._began, self._now = self._at, 0.0
            self._read_header(event.detail or {})
            return
        _hold(event.event == ev.RUN_ENDED, "no such event of a run")
        if event.cause == "process_died":
            return
        _hold(self.open == 0, "tasks have not ended")
        _hold(self.running == 0, "attempts are running")
        if event.cause == "all_done":
            _hold(not self.first_failure and not self.halted, "a task failed, or the run was cancelled")
        elif event.cause == "tasks_failed":
            _hold(event.cause_task == self.first_failure != "", "the first failure was another")

    def _read_header(self, detail: Mapping[str, object]) -> None:
        if self._max_workers is None:
            workers = detail.get("max_workers")
            self._max_workers = workers if isinstance(workers, int) else None
        if self._stops is None:
            self._stops = detail.get("on_failure") == "stop"
        if self._limits is None:
            limits = detail.get("limits")
            self._limits = limits if isinstance(limits, dict) else {}

    def _added(self, event: Event) -> None:
        name = event.task
        _hold(name not in self.rows, "the task had joined already")
        _hold((event.before, event.state, event.cause) == ("", st.PENDING, "added"), "no such transition")
        rule, upstream, owner = self._promise(event)
        row = self.rows[name] = Row(name, rule, upstream)
        row.owner = owner
        if owner is not None:
            owner.items.append(row)
        for parent in map(self.rows.get, upstream):
            if parent is None:
                raise InvariantBroken("a dependency never joined the run")
            if parent.hands_items_to(row):
                continue
            if parent.state in st.OPEN:
                row.open += 1
                parent.children.append(row)
            else:
                row.ends.add(parent.state)
        self.open += 1
        self._doubted.append(row)

    def _promise(self, event: Event) -> Tuple[Rule, Tuple[str, ...], Optional[Row]]:
        """What a task that joins was promised: an item, what its mapped task was."""
        task, index = split(event.task)
        if index is None:
            node = self._nodes.get(task)
            return (*(told(event.detail or {}) if node is None else promised(node, self._kinds)), None)
        owner = self.rows.get(task)
        if owner is None or owner.size is None:
            raise InvariantBroken("an item of a task whose size nobody knows")
        _hold(len(owner.items) == index < owner.size, "items join in their order, and no more than there are")
        upstream = item_upstream(owner.upstream, owner.rule.over or (), index)
        return owner.rule._replace(over=None), upstream, owner

    def _batch_over(self) -> None:
        """What a batch leaves undecided is a wake-up that was lost."""
        for row in self._doubted:
            if row.size is not None and row.state == st.RUNNING:
                _hold(len(row.items) == row.size, f"items of {row.name!r} did not join")
                going = any(item.state in st.OPEN for item in row.items)
                _hold(going, f"task {row.name!r} goes on without any item")
            if row.state == st.PENDING and verdict(row) != st.PENDING:
                raise InvariantBroken(f"task {row.name!r} waits, although its dependencies want it {verdict(row)}")
        self._doubted.clear()
        if self._stops and self.first_failure:
            self.halted = True

    # ---- what is asked of each kind of event

    def _ready(self, row: Row, event: Event) -> None:
        _hold(not self.halted, "nothing may start any more")
        if event.cause == "dependencies_met":
            _hold(verdict(row) == st.READY, "its dependencies want it otherwise")
        else:
            _hold(self._now >= row.retry_at - SLACK, "its delay is not over")

    def _expanded(self, row: Row, event: Event) -> None:
        size = (event.detail or {}).get("size")
        _hold(row.rule.over is not None, "the task is not mapped")
        if not isinstance(size, int) or size < 0:
            raise InvariantBroken("the size is no number")
        row.size = size
        takers = [child for child in row.children if row.hands_items_to(child)]
        row.children = [child for child in row.children if child not in takers]
        for child in takers:
            child.open -= 1
        self._doubted += [row, *takers]

    def _items_ended(self, row: Row, event: Event) -> None:
        _hold(len(row.items) == row.size, "items have not joined")
        _hold(all(item.state in st.TERMINAL for item in row.items), "items have not ended")
        found = (event.state, event.cause, event.cause_task)
        _hold(found in verdicts_of_items(row), "its items ended otherwise")

    def _failed(self, row: Row, event: Event) -> None:
        if event.cause == "items_failed":
            self._items_ended(row, event)

    def _for_dependencies(self, row: Row, event: Event) -> None:
        if row.size is not None:
            self._items_ended(row, event)
            return
        _hold(verdict(row) == event.state, "its dependencies want it otherwise")
        if event.cause != "no_failure":
            _hold(event.cause_task in guilty(row, event.state, self.rows), "the guilty task is another")

    def _cancelled(self, row: Row, event: Event) -> None:
        if event.cause == "upstream_cancelled" or row.size is not None:
            self._for_dependencies(row, event)
            return
        _hold(event.before != st.RUNNING, "a running attempt ends by an event of its own")
        self.halted = self.halted or event.cause != "task_cancelled"

    def _started(self, row: Row, event: Event) -> None:
        rule = row.rule
        row.begun += 1
        _hold(event.attempt == row.begun, "attempts are numbered one by one")
        _hold(row.begun <= rule.retries + 1, "one attempt too many")
        _hold(not row.abandoned or rule.retry is None or rule.retry.retry_abandoned, "an attempt of it is still going")
        if row.begun == 1:
            row.first_begun = self._now
        self.running += 1
        if self._max_workers is not None:
            _hold(self.running + self._kept <= self._max_workers, "more attempts than workers")
        for name in rule.uses:
            used = self._used[name] = self._used.get(name, 0) + 1
            limit = self._limits.get(name) if self._limits else None
            _hold(limit is None or used <= limit, f"more than limit {name!r} allows")

    def _attempt_ended(self, row: Row, event: Event) -> None:
        _hold(event.attempt == row.begun, "a superseded attempt")
        _hold(event.mechanism in st.MECHANISMS or not event.mechanism, "no such mechanism")
        self.running -= 1
        if event.mechanism == "abandoned":
            row.abandoned.add(event.attempt)
            self._kept += not row.rule.replaces
        else:
            self._free(row)
        if event.cause == "retry":
            self._will_retry(row, event)
        elif event.event == ev.ATTEMPT_CANCELLED:
            self.halted = self.halted or event.cause != "task_cancelled"

    def _will_retry(self, row: Row, event: Event) -> None:
        retry, detail = row.rule.retry, event.detail or {}
        _hold(not self.halted, "nothing may start any more")
        _hold(row.begun <= row.rule.retries, "no attempt is left")
        allowed = FAILURES if event.event == ev.ATTEMPT_FAILED else {"timeout"}
        _hold(event.attempt_cause in allowed, "the attempt ended for another cause")
        delay = float(detail.get("delay", 0.0))
        row.retry_at = self._now + delay
        if retry is None:
            return
        _hold(event.attempt_cause != "timeout" or retry.matches(TIMED_OUT), "timeouts are not to be retried")
        _hold(event.mechanism != "abandoned" or retry.retry_abandoned, "an attempt of it is still going")
        _hold(retry.wait(row.begun, -1.0) <= delay <= retry.wait(row.begun, 1.0), "the delay is not the one asked for")
        if retry.max_elapsed is not None:
            _hold(row.retry_at - row.first_begun <= retry.max_elapsed + SLACK, "too long after the first attempt")

    def _requeued(self, row: Row, event: Event) -> None:
        _hold(event.attempt == row.begun, "a superseded attempt")
        row.begun -= 1
        self.running -= 1
        self._free(row)

    def _released(self, row: Row, event: Event) -> None:
        _hold(event.state == row.state, "a release changes no state")
        _hold(event.attempt in row.abandoned, "the attempt had not been abandoned")
        row.abandoned.discard(event.attempt)
        self._kept -= not row.rule.replaces
        self._free(row)

    def _progressed(self, row: Row, event: Event) -> None:
        _hold(event.before == event.state == st.RUNNING and not event.cause, "progress changes no state")
        _hold(event.attempt == row.begun, "a superseded attempt")

    def _free(self, row: Row) -> None:
        for name in row.rule.uses:
            self._used[name] -= 1


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

    Parameters
    ----------
    batches : all of them from the first, as `read_journal(run_dir).batches`.
    max_workers, limits, on_failure : of the run; left out, they are what its `run_started` event says.
    nodes, kinds : what the machine was told, where that is known.
    ended : whether the run must be over; False for a journal whose process was killed.
    """
    checker = Checker(max_workers=max_workers, limits=limits, on_failure=on_failure, nodes=nodes, kinds=kinds)
    for batch in batches:
        checker.take(batch)
    if ended:
        checker.finish()
    return checker


def _hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvariantBroken(otherwise)
