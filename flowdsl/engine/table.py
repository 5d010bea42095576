"""The tasks of a run, a column a property and a row a task, and what the end of one means for its dependants."""

from __future__ import annotations

from itertools import repeat
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from flowdsl.engine import events as ev
from flowdsl.engine import states as st
from flowdsl.engine.events import Event
from flowdsl.engine.maps import Blame, Maps, item_name, item_upstream
from flowdsl.engine.policy import Node, Policy
from flowdsl.engine.queue import ReadyQueue
from flowdsl.errors import InternalError

Detail = Optional[Mapping[str, Any]]

_TRANSITIONS = st.TRANSITIONS
_RUNNING = _TRANSITIONS[st.READY, "started"]
_SUCCEEDED = _TRANSITIONS[st.RUNNING, "returned"]
_new = tuple.__new__  # of a NamedTuple: a third of the cost of its own constructor, several times a task


class TaskTable:
    """Every state of every task changes here, by the one table of transitions; what becomes ready joins the queue."""

    def __init__(self, queue: ReadyQueue) -> None:
        self._queue = queue
        self.open = 0  # tasks that have not ended
        self.number: Dict[str, int] = {}
        self.names: List[str] = []
        self.states: List[str] = []
        self.policies: List[Policy] = []
        self.uses: List[Tuple[str, ...]] = []
        self.ranks: List[float] = []  # times -1
        self.priorities: Dict[int, float] = {}  # times -1, of those that have one
        self.attempts: List[int] = []  # number of the latest attempt, 0 before the first
        self._rank = self._minus_rank = 0.0  # of the latest: keys that share the object are compared in half the time
        self._waiting: List[int] = []  # dependencies that have not ended
        self._children: List[Optional[List[int]]] = []
        # what only few tasks have
        self.maps = Maps()
        self._mapped = self.maps.nodes
        self.timed: Set[int] = set()  # with a time limit
        self._unconditional: Set[int] = set()  # run_when="any_failed" without dependencies: they run
        self._blame: Dict[int, Dict[str, str]] = {}  # task -> {state of a dependency: who began it}
        self._guilty: Dict[int, str] = {}  # task that ended for another's sake -> who began it

    def add_all(self, nodes: Sequence[Node], events: List[Event]) -> List[int]:
        """New rows; the numbers of those of which `decide` may have something to say, now that all rows are there.

        Column by column, because a row at a time costs twice as much.
        """
        names, numbers, waiting, ranks = self.names, self.number, self._waiting, self.ranks
        first, count = len(names), len(nodes)
        names += [node[0] for node in nodes]
        numbers.update(zip(names[first:], range(first, first + count)))
        if len(numbers) != len(names):
            twice = next(name for number, name in enumerate(names) if numbers[name] != number)
            raise InternalError("task %r was added twice" % twice)
        self.states += [st.PENDING] * count
        policies = [node[2] for node in nodes]
        self.policies += policies
        self.uses += [policy.uses for policy in policies]
        self.attempts += [0] * count
        self._children += [None] * count
        waiting += [0] * count
        self.open += count
        plain = None  # the latest policy that asks for nothing special, which most tasks share
        for number, (name, upstream, policy, priority, rank, known, detail, over) in enumerate(nodes, first):
            if rank != self._rank:
                self._rank, self._minus_rank = rank, -rank
            ranks.append(self._minus_rank)
            if priority:
                self.priorities[number] = -priority
            if over is not None and not known:
                self.maps.add(number, nodes[number - first], map(numbers.__getitem__, over))
            if upstream and not known:
                waiting[number] = self._wait_for(upstream, number)
            if policy is not plain:
                plain = self._note_policy(number, policy, upstream)
            events.append(_new(Event, (ev.TASK_ADDED, name, 0, "", st.PENDING, "added", "", "", "", detail)))
        return [number for number in range(first, first + count) if not waiting[number] or number in self._blame]

    def _note_policy(self, number: int, policy: Policy, upstream: Sequence[str]) -> Optional[Policy]:
        """What is special in it; None if something is."""
        if policy.timeout is not None:
            self.timed.add(number)
        if policy.run_when == "any_failed" and not upstream:
            self._unconditional.add(number)
        return policy if policy.timeout is None and policy.run_when != "any_failed" else None

    def _wait_for(self, upstream: Sequence[str], number: int) -> int:
        """Join the dependants of these tasks; how many of them have not ended."""
        waiting = 0
        numbers, states, dependants, items = self.number, self.states, self._children, self.maps.items
        open_states = st.OPEN
        for name in upstream:
            parent = numbers[name]
            if items and parent in items and self.maps.hands_items_to(parent, number):
                continue  # its items are there
            if states[parent] not in open_states:
                self._note(number, parent)
                continue
            waiting += 1
            children = dependants[parent]
            if children is None:
                dependants[parent] = [number]
            else:
                children.append(number)
        return waiting

    def cancel(self, number: int, cause: str, cause_task: str, events: List[Event], mechanism: str = "") -> None:
        """No cascade: whoever waits for this one is cancelled by the same order."""
        self.move(number, cause, ev.TASK_CANCELLED, events, cause_task=cause_task, mechanism=mechanism)
        self._children[number] = None
        self.open -= 1
        if self.maps.owner and self._item_ended(number, events) is not None:
            self.open -= 1

    # ---- one task changes, and what follows for those that wait for it

    def move(
        self,
        number: int,
        cause: str,
        event: str,
        events: List[Event],
        attempt: int = 0,
        cause_task: str = "",
        attempt_cause: str = "",
        mechanism: str = "",
        detail: Detail = None,
    ) -> None:
        """Change the state of a task by the table of transitions, and say so in `events`."""
        before = self.states[number]
        state = self.states[number] = _TRANSITIONS[before, cause]
        name = self.names[number]
        fields = (event, name, attempt, before, state, cause, cause_task, attempt_cause, mechanism, detail)
        events.append(_new(Event, fields))

    def make_ready(self, number: int, cause: str, events: List[Event]) -> None:
        """What `move` does, and the task waits for a worker from now on."""
        before = self.states[number]
        state = self.states[number] = _TRANSITIONS[before, cause]
        events.append(_new(Event, (ev.TASK_READY, self.names[number], 0, before, state, cause, "", "", "", None)))
        if self._mapped or self.priorities:
            self.push(number)
        else:
            self._queue.push(self.policies[number].kind, (0.0, self.ranks[number], number))

    def push(self, number: int) -> None:
        """It waits for a worker; a mapped task, which needs none, for its sizes."""
        if self._mapped and number in self._mapped:
            self.maps.unasked.append(number)
        else:
            key = (self.priorities.get(number, 0.0), self.ranks[number], number)
            self._queue.push(self.policies[number].kind, key)

    def succeed(self, number: int, detail: Detail, events: List[Event]) -> None:
        """The attempt in hand has succeeded: what `move` and `settle` do, for what happens most."""
        self.states[number] = _SUCCEEDED
        name, attempt = self.names[number], self.attempts[number]
        fields = (ev.ATTEMPT_SUCCEEDED, name, attempt, st.RUNNING, _SUCCEEDED, "returned", "", "", "", detail)
        events.append(_new(Event, fields))
        if self._children[number] is None:
            self._end_leaf(number, events)
        else:
            self.settle(number, events)

    def begin(self, number: int, detail: Detail, events: List[Event]) -> None:
        """The attempt in hand begins: what `move` does, for what happens most."""
        self.states[number] = _RUNNING
        name, attempt = self.names[number], self.attempts[number]
        fields = (ev.ATTEMPT_STARTED, name, attempt, st.READY, _RUNNING, "started", "", "", "", detail)
        events.append(_new(Event, fields))

    def run_through(self, numbers: Sequence[int], detail: Detail, said: Sequence[Detail], events: List[Event]) -> None:
        """Of each of these an attempt begins, `detail`, and succeeds, `said`, at once: as `begin` and `succeed` do."""
        names, states, attempts, children = self.names, self.states, self.attempts, self._children
        started, succeeded, items = ev.ATTEMPT_STARTED, ev.ATTEMPT_SUCCEEDED, self.maps.owner
        for number, words in zip(numbers, said or repeat(None)):
            name, attempt = names[number], attempts[number]
            fields = (started, name, attempt, st.READY, _RUNNING, "started", "", "", "", detail)
            events.append(_new(Event, fields))
            fields = (succeeded, name, attempt, _RUNNING, _SUCCEEDED, "returned", "", "", "", words)
            events.append(_new(Event, fields))
            states[number] = _SUCCEEDED
            if children[number] is not None:
                self.settle(number, events)
            elif items:
                self._end_leaf(number, events)
            else:
                self.open -= 1

    def _end_leaf(self, number: int, events: List[Event]) -> None:
        """What `settle` does for a task that nobody waits for, unless it is an item."""
        self.open -= 1
        if self.maps.owner:
            whole = self._item_ended(number, events)
            if whole is not None:
                self.settle(whole, events)

    def settle(self, number: int, events: List[Event]) -> None:
        """The task has ended: its dependants hear of it, and theirs in turn (no recursion: chains are long)."""
        waiting = self._waiting
        ended = [number]
        owner = self.maps.owner
        for parent in ended:  # it grows while it is walked
            self.open -= 1
            if owner:
                whole = self._item_ended(parent, events)
                if whole is not None:
                    ended.append(whole)
            children = self._children[parent]
            if children is None:
                continue
            self._children[parent] = None
            went_well = self.states[parent] in st.DONE_WELL
            for child in children:
                left = waiting[child] = waiting[child] - 1
                if not went_well:
                    self._note(child, parent)
                elif left:
                    continue  # nothing new for it
                if self.states[child] != st.PENDING:
                    continue
                if not self._blame and self.policies[child].run_when != "any_failed":  # as `decide` would, for most
                    self.make_ready(child, "dependencies_met", events)
                elif self.decide(child, events):
                    ended.append(child)

    # ---- mapped tasks

    def expand(self, number: int, size: int, events: List[Event]) -> None:
        """The sizes are known: the items join, and those that map over them one by one wait for this task no more."""
        node = self.maps.nodes[number]
        self.move(number, "expanded", ev.TASK_EXPANDED, events, detail={"size": size})
        items = range(len(self.names), len(self.names) + size)
        self.maps.expand(number, items)
        name, upstream, policy, priority, rank, _, _, over = node
        nodes = []
        for index in range(size):
            own = item_upstream(upstream, over, index) if over else upstream
            nodes.append(_new(Node, (item_name(name, index), own, policy, priority, rank, "", None, None)))
        unhindered = self.add_all(nodes, events)
        self._hand_on(number, events)
        for item in unhindered:
            if self.states[item] == st.PENDING and self.decide(item, events):
                self.settle(item, events)
        if not size:
            self._end_map(number, events)
            self.settle(number, events)

    def _hand_on(self, number: int, events: List[Event]) -> None:
        children, maps = self._children[number], self.maps
        takers = [child for child in children or () if maps.hands_items_to(number, child)]
        if not takers:
            return
        self._children[number] = [child for child in children or () if child not in takers]
        for child in takers:
            self._waiting[child] -= 1
            if self.states[child] == st.PENDING and self.decide(child, events):
                self.settle(child, events)

    def _item_ended(self, number: int, events: List[Event]) -> Optional[int]:
        """Where this was the last item of a mapped task: the number of that task, which has ended with it."""
        owner = self.maps.owner.get(number)
        if owner is None:
            return None
        items, state, name = self.maps.items[owner], self.states[number], self.names[number]
        items.open -= 1
        if state not in st.DONE_WELL and state not in items.blame:
            end = next(event for event in reversed(events) if event.task == name)
            items.blame[state] = Blame(name, end.cause, end.cause_task)
        if items.open:
            return None
        self._end_map(owner, events)
        return owner

    def _end_map(self, number: int, events: List[Event]) -> None:
        event, cause, guilty = self.maps.items[number].verdict()
        self.move(number, cause, event, events, cause_task=guilty)
        if guilty:
            self._guilty[number] = guilty

    def _note(self, child: int, parent: int) -> None:
        """Remember which dependency did not succeed, and who was the first in its line."""
        state = self.states[parent]
        if state not in st.DONE_WELL:
            guilty = self._guilty.get(parent, self.names[parent])
            self._blame.setdefault(child, {}).setdefault(state, guilty)

    def decide(self, number: int, events: List[Event]) -> bool:
        """Move a pending task on if its dependencies allow it; True when it ended for their sake."""
        blame = self._blame.get(number) if self._blame else None
        run_when = self.policies[number].run_when
        if blame is None:
            if self._waiting[number]:
                return False
            if run_when != "any_failed" or number in self._unconditional or self.maps.waits_for_items(number):
                self.make_ready(number, "dependencies_met", events)
                return False
            return self._end_for(number, "no_failure", ev.TASK_SKIPPED, "", events)
        return self._decide_blamed(number, run_when, blame, events)

    def _decide_blamed(self, number: int, run_when: str, blame: Dict[str, str], events: List[Event]) -> bool:
        failed = next((who for state, who in blame.items() if state in st.DONE_BADLY), None)
        if run_when == "all_succeeded" and failed is not None:
            return self._end_for(number, "upstream_failed", ev.TASK_UPSTREAM_FAILED, failed, events)
        if self._waiting[number]:
            return False
        wanted = failed is not None or self.maps.waits_for_items(number)
        if run_when == "all_done" or (run_when == "any_failed" and wanted):
            self.make_ready(number, "dependencies_met", events)
            return False
        if run_when == "any_failed":
            return self._end_for(number, "no_failure", ev.TASK_SKIPPED, "", events)
        if st.CANCELLED in blame:
            return self._end_for(number, "upstream_cancelled", ev.TASK_CANCELLED, blame[st.CANCELLED], events)
        return self._end_for(number, "upstream_skipped", ev.TASK_SKIPPED, blame[st.SKIPPED], events)

    def _end_for(self, number: int, cause: str, event: str, guilty: str, events: List[Event]) -> bool:
        self.move(number, cause, event, events, cause_task=guilty)
        if guilty:
            self._guilty[number] = guilty
        return True
