"""Looks at the machine after every input: what it says, what it orders, and what can be asked of it."""

from __future__ import annotations

import itertools
from typing import Any, Container, Dict, FrozenSet, List, Mapping, Optional, Sequence, Set, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.check import Checker, InvariantBroken
from flowdsl.engine.events import Batch, Event
from flowdsl.engine.maps import split
from flowdsl.engine.policy import Kind, Node, Policy
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.snapshot import Snapshot

Key = Tuple[float, float, int]


class Watch:
    """A second, slower account of one run, kept from inputs, events and effects alone.

    Call it with `(message, batch, effects, now)` after every input; it raises InvariantBroken. `finish` judges the end.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        nodes: Mapping[str, Node],
        kinds: Mapping[str, Kind],
        *,
        max_workers: int,
        limits: Mapping[str, int],
        on_failure: str,
    ) -> None:
        self.scheduler = scheduler
        self.checker = Checker(max_workers=max_workers, limits=limits, on_failure=on_failure, nodes=nodes, kinds=kinds)
        self.snapshot = Snapshot()
        self.alive: Optional[Container[Tuple[str, int]]] = None  # attempts, as the world knows them
        self._nodes = nodes
        self._kinds = kinds
        self._max_workers = max_workers
        self._stops = on_failure == "stop"
        self._free = dict(limits)
        self._keys: Dict[str, Key] = {}
        self._ready: Dict[str, Key] = {}  # and not launched
        self._launched: Dict[str, int] = {}  # and not begun: task -> attempt
        self._running: Dict[str, int] = {}
        self._stopping: Dict[str, str] = {}
        self._given_up: Dict[Tuple[str, int], bool] = {}  # abandoned -> it keeps its slot
        self._due: Dict[str, float] = {}
        self._sizing: Set[str] = set()  # mapped tasks whose sizes are asked for
        self._together: Dict[str, FrozenSet[str]] = {}  # who is in one batch
        self._halted = ""
        self._sealed = False
        self._closed = False

    def __call__(self, message: Any, batch: Batch, effects: Sequence[Any], now: float) -> None:
        try:
            self._look(message, batch, effects, now)
        except (InvariantBroken, KeyError) as broken:
            raise InvariantBroken(f"at {now:.3f}, after {message}: {broken!r}\n{batch}\n{effects}") from broken

    def _look(self, message: Any, batch: Batch, effects: Sequence[Any], now: float) -> None:
        reports = [message]
        if type(message) is ev.Ran:
            reports = [ev.Ended(*attempt, st.SUCCEEDED, "returned") for attempt in message.attempts]
        current = [self._is_current(report) for report in reports]
        for report in itertools.compress(reports, current):
            if type(report) in (ev.Ended, ev.Lost, ev.Returned):
                self._together.pop(report.task, None)
        if self._closed:
            hold(not batch.events and not effects, "the run has ended")
            for report in reports:
                self._release_quietly(report)
        self._take_input(message, effects)
        self._take_effects(effects, now)
        self._take_events(batch, now)
        if type(message) is ev.Note:
            self._take_note(message, current[0], batch)
        for report, is_current in zip(reports, current):
            if type(report) in (ev.Ended, ev.Begun, ev.Lost, ev.Returned):
                self._take_report(report, is_current, batch, effects)
        self._judge_halt(batch, effects)
        self._judge_time(message, now)
        self._judge_progress(message, effects)
        self._judge_answers(batch)

    def _policy(self, task: str) -> Policy:
        return self._nodes[split(task)[0]].policy

    def _judge_batch(self, claim: ev.Claim, launches: Sequence[str]) -> None:
        if len(launches) < 2:
            return
        kind = self._policy(launches[0]).kind
        if self._kinds[kind].begins_at_launch:
            hold(len(launches) <= claim.most, "more of them than the worker asked for")
            hold(all(self._policy(task).timeout is None for task in launches), "one of them has a time limit")
        following = [
            task for task in sorted(self._ready, key=self._keys.__getitem__) if self._policy(task).kind == kind
        ]
        following = [task for task in following if task == launches[0] or not self._policy(task).uses]
        hold(following[following.index(launches[0]) :][: len(launches)] == launches, "others of the batch come later")
        owners = {name if index is not None else "" for name, index in map(split, launches)}
        hold(len(owners) == 1, "a batch is of the items of one map, or of tasks that are items of none")

    # ---- the second account

    def _is_current(self, message: Any) -> bool:
        """Whether a report is about the attempt that its task has now."""
        if type(message) in (ev.Ended, ev.Lost, ev.Returned):
            return message.attempt in (self._running.get(message.task), self._launched.get(message.task))
        if type(message) is ev.Note:
            return self._running.get(message.task) == message.attempt
        return type(message) is ev.Begun and self._launched.get(message.task) == message.attempt

    def _take_input(self, message: Any, effects: Sequence[Any]) -> None:
        if type(message) is ev.Claim:
            best = self._best(message.kinds)
            launches = [launch.task for launch in launched_by(effects)]
            hold(launches[:1] == ([] if best is None else [best]), f"the claim should be answered with {best}")
            self._judge_batch(message, launches)
        elif type(message) is ev.Add:
            for node in message.nodes:
                self._keys[node.name] = (-node.priority, -node.rank, len(self._keys))
        elif type(message) is ev.Sized:
            self._sizing.discard(message.task)
        elif type(message) is ev.Seal:
            self._sealed = True
        elif type(message) is ev.Cancel and self.checker.state == st.RUNNING and self._halted in ("", "stopped"):
            self._halted = message.cause
            self._sealed = True

    def _take_effects(self, effects: Sequence[Any], now: float) -> None:
        for effect in effects:
            if type(effect) is ev.LaunchBatch:
                members = frozenset(task for task, _ in effect.attempts)
                self._together.update(dict.fromkeys(members, members))
        for effect in [*launched_by(effects), *(e for e in effects if type(e) not in (ev.Launch, ev.LaunchBatch))]:
            task = effect.task if type(effect) is not ev.Close else ""
            if type(effect) is ev.Launch:
                self._launched[task] = effect.attempt
                del self._ready[task]
                hold(effect.attempt == self.checker.ledger.rows[task].begun + 1, "attempts are numbered one by one")
                hold(effect.kind == self._policy(task).kind, "another kind of executor")
                self._take_limits(task)
                hold(self._slots() <= self._max_workers, "one slot too many")
            elif type(effect) is ev.Stop:
                hold(effect.attempt in (self._launched.get(task), self._running.get(task)), "nothing to stop")
                hold(task not in self._stopping, "stopped twice")
                self._stopping[task] = effect.cause
                self._due.pop(task, None)
                if task in self._running:
                    self._set_grace(task, now)
            elif type(effect) is ev.Expand:
                hold(task not in self._sizing, "asked twice")
                self._sizing.add(task)
            else:
                hold(type(effect) is ev.Close and not self._closed, "the run ends once")
                self._closed = True

    def _take_events(self, batch: Batch, now: float) -> None:
        if not batch.events:
            return
        self.checker.take(batch)
        self.snapshot.apply(batch)
        for event in batch.events:
            if event.task:
                self._take_event(event, now)
        for event in batch.events:
            row = self.checker.ledger.rows.get(event.task)
            if row is not None and row.rule.over is not None and row.state == st.READY:
                hold(row.name in self._sizing, "nobody asks how many items there are")
        ended = batch.events[-1].event == ev.RUN_ENDED
        hold(ended == self._closed, "the end of the run is told and ordered together")

    def _take_event(self, event: Event, now: float) -> None:
        task, name = event.task, event.event
        if name == ev.TASK_ADDED:
            if task not in self._keys:  # an item: after all that have joined
                node = self._nodes[split(task)[0]]
                self._keys[task] = (-node.priority, -node.rank, len(self._keys))
        elif self.checker.ledger.rows[task].rule.over is not None:
            if event.state in st.TERMINAL:
                self._sizing.discard(task)
        elif name == ev.TASK_READY:
            self._ready[task] = self._keys[task]
            self._due.pop(task, None)
        elif name == ev.ATTEMPT_STARTED:
            hold(self._launched.pop(task, 0) == event.attempt, "an attempt began that was not launched")
            self._running[task] = event.attempt
            self._set_deadline(task, now)
        elif name == ev.ATTEMPT_PROGRESSED:
            hold(self._running.get(task) == event.attempt, "what is said of an attempt that does not run")
        elif name == ev.ATTEMPT_RELEASED:
            del self._given_up[task, event.attempt]
            self._give_limits_back(task)
        elif event.before == st.RUNNING:
            self._attempt_over(event, now)
        elif event.state in st.TERMINAL:
            self._due.pop(task, None)
            self._ready.pop(task, None)
            if self._launched.pop(task, None):
                self._give_limits_back(task)
                self._stopping.pop(task, None)

    def _attempt_over(self, event: Event, now: float) -> None:
        task = event.task
        del self._running[task]
        self._due.pop(task, None)
        self._stopping.pop(task, None)
        if event.mechanism == "abandoned":
            self._given_up[task, event.attempt] = not self._kinds[self._policy(task).kind].replaces
        else:
            self._give_limits_back(task)
        if event.event == ev.ATTEMPT_REQUEUED:
            self._ready[task] = self._keys[task]
        elif event.state == st.RETRY_WAIT:
            detail = event.detail or {}
            hold(detail["retry_at"] == now + detail["delay"], "the delay counts from the end of the attempt")
            self._due[task] = detail["retry_at"]

    def _take_note(self, message: ev.Note, current: bool, batch: Batch) -> None:
        told = [event for event in batch.events if event.event == ev.ATTEMPT_PROGRESSED]
        hold(len(told) == current, "a note is told once, while its attempt runs")
        if current:
            row = self.snapshot.tasks[message.task]
            hold((row.progress, row.message) == tuple(message.detail.values()), "the latest note is folded")

    def _take_report(self, message: Any, current: bool, batch: Batch, effects: Sequence[Any]) -> None:
        task = message.task
        if not current:
            others = [event for event in batch.events if event.event != ev.ATTEMPT_RELEASED]
            hold(not others or others[0].cause in st.CANCEL_CAUSES, "a superseded report is dropped")
            return
        if type(message) is ev.Begun:
            hold(self._running.get(task) == message.attempt, "a begin was not heard")
            return
        hold(self._running.get(task) != message.attempt, "an end was not heard")
        if self._launched.get(task) == message.attempt:  # no event tells of it
            hold(type(message) in (ev.Lost, ev.Returned), "an end was not heard")
            del self._launched[task]
            self._give_limits_back(task)
            self._ready[task] = self._keys[task]
        if type(message) is ev.Ended and message.state == st.FAILED and message.retryable:
            self._judge_final(task, batch)

    def _judge_final(self, task: str, batch: Batch) -> None:
        """An attempt that failed, and may be retried, is followed by another if one is left."""
        row, event = self.checker.ledger.rows[task], batch.events[-1 if len(batch.events) == 1 else 0]
        retry = self._policy(task).retry
        if event.event == ev.ATTEMPT_FAILED and event.cause != "retry":
            left = row.begun <= retry.retries and retry.max_elapsed is None
            hold(not left or self._halted != "" or event.mechanism == "abandoned", "an attempt was left")

    def _set_deadline(self, task: str, now: float) -> None:
        timeout = self._policy(task).timeout
        if task in self._stopping:
            self._set_grace(task, now)
        elif timeout is not None:
            self._due[task] = now + timeout

    def _set_grace(self, task: str, now: float) -> None:
        grace = self._kinds[self._policy(task).kind].grace
        if grace is not None:
            self._due[task] = now + grace

    def _release_quietly(self, message: Any) -> None:
        """After the end of the run nothing is told of what comes back."""
        key = (getattr(message, "task", ""), getattr(message, "attempt", 0))
        over = type(message) in (ev.Ended, ev.Lost) and getattr(message, "mechanism", "") != "abandoned"
        if over and self._given_up.pop(key, None) is not None:
            self._give_limits_back(key[0])

    def _take_limits(self, task: str) -> None:
        for name in self._policy(task).uses:
            self._free[name] -= 1
            hold(self._free[name] >= 0, f"more than limit {name!r} allows")

    def _give_limits_back(self, task: str) -> None:
        for name in self._policy(task).uses:
            self._free[name] += 1

    def _slots(self) -> int:
        slots = {self._together.get(task, task) for task in (*self._launched, *self._running)}
        return len(slots) + sum(self._given_up.values())

    def _best(self, kinds: Optional[Tuple[str, ...]] = None) -> Optional[str]:
        """The task that a claim should be answered with."""
        if not self._ready or self._halted or self._slots() >= self._max_workers:
            return None
        return min(
            (task for task in self._ready if self._may_go(task, kinds)), key=self._ready.__getitem__, default=None
        )

    def _may_go(self, task: str, kinds: Optional[Tuple[str, ...]]) -> bool:
        policy = self._policy(task)
        return (kinds is None or policy.kind in kinds) and all(self._free[name] > 0 for name in policy.uses)

    # ---- what is asked after every input

    def _judge_time(self, message: Any, now: float) -> None:
        due = min(self._due.values(), default=None)
        hold(self.scheduler.next_due() == due, f"the next tick should be wanted at {due}")
        if type(message) is ev.Tick:
            hold(due is None or due > now or self._halted != "", "something is overdue")

    def _judge_halt(self, batch: Batch, effects: Sequence[Any]) -> None:
        if self._stops and self.checker.ledger.first_failure:
            self._halted = self._halted or "stopped"
        self._judge_abandoned({event.cause for event in batch.events} | {getattr(e, "cause", "") for e in effects})
        if self._halted:
            hold(all(task in self._stopping for task in self._launched), "something launched is not told to stop")
            hold(self._halted == "stopped" or self._running.keys() <= self._stopping.keys(), "something runs on")
            hold(not self._ready, "something is still ready")

    def _judge_abandoned(self, causes: Set[str]) -> None:
        """Too many of them end the run: more than workers, or as many as there are slots, or all that holds a limit."""
        if self._halted not in ("", "stopped"):
            return
        kept = sum(self._given_up.values())
        too_many = len(self._given_up) > self._max_workers
        none_left = kept >= self._max_workers and (self.checker.ledger.open > 0 or "too_many_abandoned" in causes)
        if self._given_up and (too_many or none_left) and not self._closed:
            self._halted = "too_many_abandoned"
        elif "too_many_abandoned" in causes:
            hold(bool(self._given_up), "nothing was abandoned")
            going = self._running or self._launched or self._due or self._sizing
            hold(too_many or none_left or not going, "others could go on")
            self._halted = "too_many_abandoned"

    def _judge_progress(self, message: Any, effects: Sequence[Any]) -> None:
        best, claimable = self._best(), self.scheduler.claimable()
        hold(best is None or claimable > 0, f"nobody is told that {best} could begin")
        for kind in {self._policy(task).kind for task in self._ready}:
            hold(not self._best((kind,)) or self.scheduler.claimable((kind,)) > 0, f"no {kind} is told to begin")
        if type(message) is ev.Claim and message.kinds is None and not effects:
            hold(claimable == 0, "claims are asked for in vain")
        hold(claimable <= max(0, self._max_workers - self._slots()), "more claims than slots")
        if self._sealed and not self._closed:
            going = bool(self._running or self._launched or self._due or self._sizing)
            hold(going or best is not None or claimable > 0, "nothing will ever happen again")

    def _judge_answers(self, batch: Batch) -> None:
        machine = self.scheduler
        hold(machine.busy == self._slots(), f"{machine.busy} slots are taken, not {self._slots()}")
        hold(machine.state == self.checker.state == (self.snapshot.state if machine.state else ""), "states of the run")
        hold(machine.abandoned() == list(self._given_up), "other attempts are given up")
        if self.alive is not None:
            hold(all(key in self.alive for key in self._given_up), "what was given up has ended, and nobody heard")
        for event in batch.events:
            if event.task:
                self._judge_task(event.task)

    def _judge_task(self, task: str) -> None:
        row, folded = self.checker.ledger.rows[task], self.snapshot.tasks[task]
        states = (self.scheduler.task_state(task), row.state, folded.state)
        hold(states == (row.state,) * 3, f"machine, events and fold disagree: {states}")
        number = self._launched.get(task, row.begun)
        hold(folded.attempts == row.begun, f"{folded.attempts} attempts are folded of {row.begun}")
        hold(self.scheduler.attempt_number(task) in (number, number + 1), "the number of the latest attempt")
        hold(folded.abandoned == bool(row.abandoned), "what is abandoned is folded")

    # ---- the end

    def finish(self) -> None:
        """The run is over, and all that is alive was given up."""
        self.checker.finish()
        hold(self._closed and not self._launched and not self._running and not self._due, "something goes on")
        hold(self.scheduler.next_due() is None and self.scheduler.claimable() == 0, "something is wanted")
        for task in self.checker.ledger.rows:
            self._judge_task(task)
            hold(self.scheduler.task_state(task) in st.TERMINAL, f"{task} has not ended")
        counted = dict.fromkeys(st.TASK_STATES, 0)
        for row in self.checker.ledger.rows.values():
            counted[row.state] += 1
        hold(self.snapshot.counts == counted, "the fold counts otherwise")


def launched_by(effects: Sequence[Any]) -> List[ev.Launch]:
    """Every attempt that is to start, those of a batch one by one."""
    found: List[ev.Launch] = []
    for effect in effects:
        if type(effect) is ev.LaunchBatch:
            found += effect.launches()
        elif type(effect) is ev.Launch:
            found.append(effect)
    return found


def hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InvariantBroken(otherwise)
