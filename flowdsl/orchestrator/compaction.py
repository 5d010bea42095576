"""The compaction of the queue's journal: the few events that say what all events so far came to."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Sequence

from flowdsl.engine.events import Event
from flowdsl.orchestrator import facts
from flowdsl.orchestrator.entry import Entry, kept_detail
from flowdsl.orchestrator.fold import Queue
from flowdsl.orchestrator.ids import packed

__all__ = ["compacted", "is_due"]

LEAST = 1_000  # events; a shorter journal is not worth the trouble
TIMES = 3  # so many times longer than need be may it grow
RUNS_AN_EVENT = 10  # what a run weighs beside a task
AT_ONCE = 1_000  # ids and runs that one event names


def is_due(events: int, queue: Queue) -> bool:
    """Whether so many events are too many for what they say; then most of them are of the past."""
    return events > LEAST and events > TIMES * (len(queue.entries) + len(queue.runs) / RUNS_AN_EVENT)


def compacted(queue: Queue) -> List[Event]:
    """Events of which the fold is this queue."""
    head = {"last": queue.ids.last, "paused": queue.paused}
    retired = packed(queue.ever - set(queue.entries))
    events = [_of_the_queue(facts.QUEUE_COMPACTED, head)]
    events += [_of_the_queue(facts.IDS_RETIRED, {"numbers": some}) for some in _parts(retired.numbers)]
    events += [_of_the_queue(facts.IDS_RETIRED, {"names": some}) for some in _parts(retired.names)]
    events += [_of_the_queue(facts.RUNS_KEPT, {"runs": some}) for some in _parts(list(queue.runs))]
    return events + [_kept(name, entry) for name, entry in queue.entries.items()]


def _kept(name: str, entry: Entry) -> Event:
    return Event(facts.TASK_KEPT, name, 0, entry.state, entry.state, entry.cause, detail=kept_detail(entry))


def _of_the_queue(name: str, detail: Mapping[str, Any]) -> Event:
    return Event(name, "", 0, "running", "running", "added", detail=detail)


def _parts(found: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (found[at : at + AT_ONCE] for at in range(0, len(found), AT_ONCE))
