"""What is asked of each kind of event of a task, in the light of what the events before it have told."""

from __future__ import annotations

from typing import Callable, FrozenSet, Mapping

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.engine.ledger import Ledger, Row, guilty, verdict, verdicts_of_items
from flowdsl.errors import TaskTimeout

__all__ = ["CAUSES", "JUDGES", "MAY_RETRY", "STILL", "InvariantBroken", "hold"]

TIMED_OUT = TaskTimeout("timed out")
SLACK = 1e-4  # seconds by which times may be off: a journal keeps microseconds
CANCELS = frozenset(st.CANCEL_CAUSES)
FAILURES = frozenset(("raised", "verify_failed", "unpicklable", "worker_died"))

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


def hold(holds: bool, otherwise: str) -> None:
    """Raise InvariantBroken, which says `otherwise`, unless it holds."""
    if not holds:
        raise InvariantBroken(otherwise)


def _ready(ledger: Ledger, row: Row, event: Event) -> None:
    hold(not ledger.halted, "nothing may start any more")
    if event.cause == "dependencies_met":
        hold(verdict(row) == st.READY, "its dependencies want it otherwise")
    else:
        hold(ledger.now >= row.retry_at - SLACK, "its delay is not over")


def _expanded(ledger: Ledger, row: Row, event: Event) -> None:
    size = (event.detail or {}).get("size")
    hold(row.rule.over is not None, "the task is not mapped")
    if not isinstance(size, int) or size < 0:
        raise InvariantBroken("the size is no number")
    row.size = size
    takers = [child for child in row.children if row.hands_items_to(child)]
    row.children = [child for child in row.children if child not in takers]
    for child in takers:
        child.open -= 1
    ledger.doubted += [row, *takers]


def _items_ended(ledger: Ledger, row: Row, event: Event) -> None:
    hold(len(row.items) == row.size, "items have not joined")
    hold(all(item.state in st.TERMINAL for item in row.items), "items have not ended")
    found = (event.state, event.cause, event.cause_task)
    hold(found in verdicts_of_items(row), "its items ended otherwise")


def _failed(ledger: Ledger, row: Row, event: Event) -> None:
    if event.cause == "items_failed":
        _items_ended(ledger, row, event)


def _for_dependencies(ledger: Ledger, row: Row, event: Event) -> None:
    if row.size is not None:
        _items_ended(ledger, row, event)
        return
    hold(verdict(row) == event.state, "its dependencies want it otherwise")
    if event.cause != "no_failure":
        hold(event.cause_task in guilty(row, event.state, ledger.rows), "the guilty task is another")


def _cancelled(ledger: Ledger, row: Row, event: Event) -> None:
    if event.cause == "upstream_cancelled" or row.size is not None:
        _for_dependencies(ledger, row, event)
        return
    hold(event.before != st.RUNNING, "a running attempt ends by an event of its own")
    ledger.halted = ledger.halted or event.cause != "task_cancelled"


def _started(ledger: Ledger, row: Row, event: Event) -> None:
    rule = row.rule
    row.begun += 1
    hold(event.attempt == row.begun, "attempts are numbered one by one")
    hold(row.begun <= rule.retries + 1, "one attempt too many")
    hold(not row.abandoned or rule.retry is None or rule.retry.retry_abandoned, "an attempt of it is still going")
    if row.begun == 1:
        row.first_begun = ledger.now
    ledger.running += 1
    if ledger.max_workers is not None:
        hold(ledger.running + ledger.kept <= ledger.max_workers, "more attempts than workers")
    for name in rule.uses:
        used = ledger.used[name] = ledger.used.get(name, 0) + 1
        limit = ledger.limits.get(name) if ledger.limits else None
        hold(limit is None or used <= limit, f"more than limit {name!r} allows")


def _attempt_ended(ledger: Ledger, row: Row, event: Event) -> None:
    hold(event.attempt == row.begun, "a superseded attempt")
    hold(event.mechanism in st.MECHANISMS or not event.mechanism, "no such mechanism")
    ledger.running -= 1
    if event.mechanism == "abandoned":
        row.abandoned.add(event.attempt)
        ledger.kept += not row.rule.replaces
    else:
        _free(ledger, row)
    if event.cause == "retry":
        _will_retry(ledger, row, event)
    elif event.event == ev.ATTEMPT_CANCELLED:
        ledger.halted = ledger.halted or event.cause != "task_cancelled"


def _will_retry(ledger: Ledger, row: Row, event: Event) -> None:
    retry, detail = row.rule.retry, event.detail or {}
    hold(not ledger.halted, "nothing may start any more")
    hold(row.begun <= row.rule.retries, "no attempt is left")
    allowed = FAILURES if event.event == ev.ATTEMPT_FAILED else {"timeout"}
    hold(event.attempt_cause in allowed, "the attempt ended for another cause")
    delay = float(detail.get("delay", 0.0))
    row.retry_at = ledger.now + delay
    if retry is None:
        return
    hold(event.attempt_cause != "timeout" or retry.matches(TIMED_OUT), "timeouts are not to be retried")
    hold(event.mechanism != "abandoned" or retry.retry_abandoned, "an attempt of it is still going")
    hold(retry.wait(row.begun, -1.0) <= delay <= retry.wait(row.begun, 1.0), "the delay is not the one asked for")
    if retry.max_elapsed is not None:
        hold(row.retry_at - row.first_begun <= retry.max_elapsed + SLACK, "too long after the first attempt")


def _requeued(ledger: Ledger, row: Row, event: Event) -> None:
    hold(event.attempt == row.begun, "a superseded attempt")
    row.begun -= 1
    ledger.running -= 1
    _free(ledger, row)


def _released(ledger: Ledger, row: Row, event: Event) -> None:
    hold(event.state == row.state, "a release changes no state")
    hold(event.attempt in row.abandoned, "the attempt had not been abandoned")
    row.abandoned.discard(event.attempt)
    ledger.kept -= not row.rule.replaces
    _free(ledger, row)


def _progressed(ledger: Ledger, row: Row, event: Event) -> None:
    hold(event.before == event.state == st.RUNNING and not event.cause, "progress changes no state")
    hold(event.attempt == row.begun, "a superseded attempt")


def _free(ledger: Ledger, row: Row) -> None:
    for name in row.rule.uses:
        ledger.used[name] -= 1


Judge = Callable[[Ledger, Row, Event], None]

# Events that change a task's state; what is not here is judged by its transition and its cause alone.
JUDGES: Mapping[str, Judge] = {
    ev.TASK_READY: _ready,
    ev.TASK_EXPANDED: _expanded,
    ev.TASK_SUCCEEDED: _items_ended,
    ev.TASK_FAILED: _failed,
    ev.TASK_SKIPPED: _for_dependencies,
    ev.TASK_UPSTREAM_FAILED: _for_dependencies,
    ev.TASK_CANCELLED: _cancelled,
    ev.ATTEMPT_STARTED: _started,
    ev.ATTEMPT_SUCCEEDED: _attempt_ended,
    ev.ATTEMPT_FAILED: _attempt_ended,
    ev.ATTEMPT_TIMED_OUT: _attempt_ended,
    ev.ATTEMPT_SKIPPED: _attempt_ended,
    ev.ATTEMPT_CANCELLED: _attempt_ended,
    ev.ATTEMPT_REQUEUED: _requeued,
}

# Events that leave the state as it is.
STILL: Mapping[str, Judge] = {ev.ATTEMPT_RELEASED: _released, ev.ATTEMPT_PROGRESSED: _progressed}
