"""Short words for tests that read as data: an input on the left, a line for each event and effect on the right.

A line is `task#attempt before>state cause`, then what else the event says: `(attempt_cause)`, `by guilty task`,
`[mechanism]`. Effects are `launch task#attempt`, `stop task#attempt cause` and `close state`.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.policy import ONCE, Kind, Node, Policy
from flowdsl.engine.scheduler import Scheduler
from tests.engine.watch import Watch

THREAD = Kind("thread", grace=0.1, replaces=True, retries_timeouts=False)
PROCESS = Kind("process", begins_at_launch=False)
ASYNC = Kind("async")
INLINE = Kind("inline", grace=0.1, retries_timeouts=False)
REMOTE = Kind("remote", begins_at_launch=False, grace=0.1, replaces=True)
KINDS = {kind.name: kind for kind in (THREAD, PROCESS, ASYNC, INLINE, REMOTE)}

CLAIM = ev.Claim()
TICK = ev.Tick()
CANCEL = ev.Cancel()


def task(
    name: str,
    upstream: str = "",
    *,
    kind: Kind = THREAD,
    run_when: str = "all_succeeded",
    retry: Retry = ONCE,
    timeout: Optional[float] = None,
    uses: Tuple[str, ...] = (),
    priority: float = 0.0,
    rank: float = 1.0,
    known: str = "",
    over: Optional[str] = None,
) -> Node:
    """A task whose dependencies are the words of `upstream`; with `over`, a mapped one that takes their items so."""
    policy, names = Policy(kind.name, run_when, retry, timeout, uses), tuple(upstream.split())
    items = None if over is None else tuple(over.split())
    return Node(name, names, policy, priority, rank, known, line_for_the_log(names, policy, items), items)


def line_for_the_log(upstream: Iterable[str], policy: Policy, over: Optional[Tuple[str, ...]] = None) -> Dict[str, Any]:
    """The detail of a `task_added` event, as the driver of a run gives it."""
    detail = {"upstream": list(upstream), "uses": list(policy.uses), "retries": policy.retry.retries}
    if over is not None:
        detail.update({"map": ["x"], "over": list(over)})
    return {**detail, "run_when": policy.run_when} if policy.run_when != "all_succeeded" else detail


def begun(name: str, attempt: int = 1) -> ev.Begun:
    return ev.Begun(name, attempt)


def returned(name: str, attempt: int = 1) -> ev.Ended:
    return ev.Ended(name, attempt, "succeeded", "returned")


def raised(name: str, attempt: int = 1, *, cause: str = "raised", retryable: bool = True) -> ev.Ended:
    return ev.Ended(name, attempt, "failed", cause, retryable)


def skipped(name: str, attempt: int = 1) -> ev.Ended:
    return ev.Ended(name, attempt, "skipped", "skip_raised")


def stopped(name: str, attempt: int = 1, mechanism: str = "") -> ev.Ended:
    """What an executor says of an attempt that it was told to end."""
    return ev.Ended(name, attempt, "cancelled", "cancel_requested", False, mechanism)


def lost(name: str, attempt: int = 1) -> ev.Lost:
    return ev.Lost(name, attempt)


class Script:
    """A machine with these tasks in it, watched as in the simulation; call it with an input to get lines."""

    def __init__(
        self,
        *nodes: Node,
        workers: int = 5,
        limits: Optional[Mapping[str, int]] = None,
        on_failure: str = "continue",
        draws: Iterable[float] = (),
        sealed: bool = True,
    ) -> None:
        options: Dict[str, Any] = {"max_workers": workers, "limits": dict(limits or {}), "on_failure": on_failure}
        drawn = iter(draws)
        self.machine = Scheduler(KINDS, draw=lambda: next(drawn, 0.5), **options)
        self.now = 0.0
        self.events: List[Event] = []
        self.moments: List[Tuple[float, Event]] = []  # and when each of them happened
        self._nodes: Dict[str, Node] = {}
        self.watch = Watch(self.machine, self._nodes, KINDS, **options)
        self(ev.Start())
        self.joined = self.add(*nodes)
        if sealed:
            self.sealed = self(ev.Seal())

    def __call__(self, message: Any, at: Optional[float] = None) -> List[str]:
        """Give the machine this input, at this time or that of the input before."""
        self.now = self.now if at is None else at
        events, effects = self.machine.handle(message, self.now)
        batch = Batch(len(self.events), self.now, tuple(events))
        self.events += events
        self.moments += [(self.now, event) for event in events]
        self.watch(message, batch, effects, self.now)
        return [*map(fact, events), *map(order, effects)]

    def add(self, *nodes: Node) -> List[str]:
        """Add tasks; what is said of them apart from that they joined."""
        self._nodes.update((node.name, node) for node in nodes)
        return [line for line in self(ev.Add(nodes)) if not line.endswith(" added")]

    def claim(self, times: int = 1) -> List[str]:
        """What that many claims launch."""
        lines = [line for _ in range(times) for line in self(CLAIM)]
        return [line[len("launch ") :] for line in lines if line.startswith("launch ")]

    def states(self) -> Dict[str, str]:
        return {name: self.machine.task_state(name) for name in self._nodes}

    @property
    def ended(self) -> str:
        """The run's last event: its state, its cause and the guilty task."""
        event = self.events[-1]
        return " ".join(filter(None, (event.state, event.cause, event.cause_task)))


def fact(event: Event) -> str:
    who = f"{event.task}#{event.attempt}" if event.attempt else event.task or "run"
    change = f"{event.before}>{event.state}" if event.before != event.state else f"{event.event} {event.state}"
    words = [who, change, event.cause]
    words += [f"({event.attempt_cause})" if event.attempt_cause else ""]
    words += [f"by {event.cause_task}" if event.cause_task else ""]
    words += [f"[{event.mechanism}]" if event.mechanism else ""]
    return " ".join(filter(None, words))


def order(effect: Any) -> str:
    if type(effect) is ev.Close:
        return f"close {effect.state}"
    if type(effect) is ev.LaunchBatch:
        return "launchbatch " + " ".join(f"{task}#{attempt}" for task, attempt in effect.attempts)
    if type(effect) is ev.Expand:
        return f"expand {effect.task}"
    cause = f" {effect.cause}" if type(effect) is ev.Stop else ""
    return f"{type(effect).__name__.lower()} {effect.task}#{effect.attempt}{cause}"
