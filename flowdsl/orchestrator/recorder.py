"""The recorder: hears what happens in the runs of the queue, keeps records and results, and lets listeners know."""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.orchestrator.entry import Entry
from flowdsl.orchestrator.parts import Parts, learn
from flowdsl.orchestrator.standing import Standing, why
from flowdsl.orchestrator.statuses import STATUS_OF
from flowdsl.run import Run

__all__ = ["Recorder"]

AT_ONCE = 100  # changes that are written down together

# What listeners hear when a task comes to its end, by its state.
ENDED: Mapping[str, str] = {
    st.SUCCEEDED: "taskComplete",
    st.REUSED: "taskComplete",
    st.SKIPPED: "taskComplete",
    st.FAILED: "taskFailed",
    st.TIMED_OUT: "taskFailed",
    st.UPSTREAM_FAILED: "taskFailed",
    st.CANCELLED: "taskCancelled",
    st.INTERRUPTED: "taskFailed",
}


class Heard(NamedTuple):
    """A batch of events of a run that are durable."""

    run: Run
    events: Sequence[Event]


class Recorder:
    """One thread that takes what runs say, in order, so that no run ever waits for a file or a listener of ours."""

    def __init__(self, parts: Parts, when_over: Callable[[Run], None]) -> None:
        self._parts = parts
        self._when_over = when_over
        self._queue: queue.SimpleQueue[Optional[Heard]] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        self._kept: Dict[str, Set[str]] = {}  # run -> tasks whose results are kept
        self._settled: Dict[str, Future[None]] = {}

    def follow(self, run: Run) -> None:
        """Hear of all that happens in a run, which has not begun; under the book's lock."""
        self._settled[run.id] = Future()
        self._kept[run.id] = set()
        run.follow(lambda at, events: self._queue.put(Heard(run, events)))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="flowdsl-recorder", daemon=True)
            self._thread.start()

    def settled(self, run: Run) -> Future[None]:
        """Done as soon as the run has ended and everything about it is written down."""
        found = self._settled.get(run.id)
        if found is None:
            found = Future()
            found.set_result(None)
        return found

    def close(self) -> None:
        """Let the thread end when it has written down everything."""
        self._queue.put(None)

    def _work(self) -> None:
        while True:
            heard = self._all_that_is_there()
            if heard:
                try:
                    self._take(heard)
                except Exception:  # a full disk: the runs' own journals have it all, and records are made again from it
                    ids = ", ".join(dict.fromkeys(one.run.id for one in heard))
                    logging.getLogger("flowdsl").exception("the records of %s could not be kept", ids)
            for one in heard:
                if one.events and one.events[-1].event == ev.RUN_ENDED:
                    self._end(one.run)
            if self._closed:
                return

    def _all_that_is_there(self) -> List[Heard]:
        """Wait for something, and take what has come meanwhile along: a record says only where its task is by now."""
        found: List[Heard] = []
        while len(found) < AT_ONCE and not self._closed and (not found or not self._queue.empty()):
            heard = self._queue.get()
            if heard is None:
                self._closed = True
            else:
                found.append(heard)
        return found

    def _take(self, all_heard: Sequence[Heard]) -> None:
        parts = self._parts
        with parts.book.lock:
            news = [(run, event) for run, events in all_heard for event in events if self._is_news(run, event)]
            for run, task in dict.fromkeys((run, event.task) for run, event in news):
                self._keep_result(run, parts.book.queue.entries[task])
            parts.record(dict.fromkeys(event.task for _, event in news))
            for _, event in news:
                entry = parts.book.queue.entries[event.task]
                self._tell(entry, parts.how(entry), event)

    def _keep_result(self, run: Run, entry: Entry) -> None:
        """Before its record says that the task is completed; which it may be before we hear of that."""
        task = entry.definition.task_id
        kept = self._kept[run.id]
        if task not in kept and self._parts.how(entry).state in st.DONE_WELL and run.has_result(task):
            kept.add(task)
            self._parts.values.put(entry, run[task])

    def _is_news(self, run: Run, event: Event) -> bool:
        """Whether it is about a task of which that run is still the latest word."""
        entry = self._parts.book.queue.entries.get(event.task)
        return entry is not None and entry.run_id == run.id and not entry.told

    def _tell(self, entry: Entry, now: Standing, event: Event) -> None:
        told = news(entry, event)
        if told is not None and self._parts.listeners.are_there(told[0]):
            name, more = told
            if name == "taskComplete":
                more["result"] = self._parts.records.record(entry, now)["result"]
            if name == "taskFailed":
                more["error"] = why(now)
            if event.state in st.OPEN:  # the task may be further by now
                more = {"status": STATUS_OF[event.state], "duration": None, **more}
            self._parts.listeners.tell(name, {**payload(entry, now), **more})

    def _end(self, run: Run) -> None:
        """The run's last event: from now on what is known of it does not change."""
        run.wait()
        parts = self._parts
        try:
            with parts.book.lock:
                for row in parts.executions.end(run.id).tasks.values():
                    learn(parts, row)
                self._when_over(run)
                parts.executions.forget_all_but(parts.book.queue.entries)
                parts.tell_if_drained()
        finally:
            self._kept.pop(run.id)
            self._settled.pop(run.id).set_result(None)


def payload(entry: Entry, now: Standing) -> Dict[str, Any]:
    """What every listener is told of a task."""
    return {
        "taskId": entry.definition.task_id,
        "type": entry.definition.type,
        "action": entry.definition.action,
        "status": now.status,
        "duration": now.duration,
        "runId": now.run_id or None,
    }


def news(entry: Entry, event: Event) -> Optional[Tuple[str, Dict[str, Any]]]:
    """What listeners hear of an event of a run: its name in the document's words, and what it says besides."""
    detail: Mapping[str, Any] = event.detail or {}
    if event.event == ev.ATTEMPT_STARTED:
        return "taskStart", {"attempt": event.attempt}
    if event.event == ev.ATTEMPT_PROGRESSED:
        percent = detail.get("progress")
        told = None if percent is None else percent * 100
        return "taskProgress", {"attempt": event.attempt, "progress": told, "message": detail.get("message", "")}
    if event.state == st.RETRY_WAIT and event.event in ev.ATTEMPT_STATE:
        delay = round(detail.get("delay", 0.0) * 1000)
        return "taskRetry", {"attempt": event.attempt, "error": detail.get("error"), "delay": delay}
    if event.state not in ENDED or event.before == event.state:
        return None
    name = ENDED[event.state]
    return name, {} if name == "taskComplete" else {"cause": event.cause, "causeTask": event.cause_task or None}
