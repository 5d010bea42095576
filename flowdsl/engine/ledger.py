"""What each task of a run was promised, and what became of it as far as its events have told: for the checker."""

from __future__ import annotations

from typing import Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

from flowdsl.definition.options import Retry
from flowdsl.engine import states as st
from flowdsl.engine.policy import Kind, Node

__all__ = ["Ledger", "Row", "Rule", "guilty", "promised", "told", "verdict", "verdicts_of_items"]


class Rule(NamedTuple):
    """What a task was promised."""

    run_when: str
    uses: Tuple[str, ...]
    retries: int
    retry: Optional[Retry] = None  # None: only the number is known
    replaces: bool = True  # a worker that is left behind takes no slot
    over: Optional[Tuple[str, ...]] = None  # of a mapped task: those whose items it takes one by one


class Row:
    """One task, as far as its events have told."""

    __slots__ = (
        "abandoned",
        "begun",
        "cause",
        "cause_task",
        "children",
        "ends",
        "first_begun",
        "items",
        "name",
        "open",
        "owner",
        "retry_at",
        "rule",
        "size",
        "state",
        "upstream",
    )

    def __init__(self, name: str, rule: Rule, upstream: Tuple[str, ...]) -> None:
        self.name = name
        self.rule = rule
        self.upstream = upstream
        self.state = st.PENDING
        self.cause = "added"
        self.cause_task = ""
        self.children: List[Row] = []
        self.open = 0  # dependencies that have not ended
        self.ends: Set[str] = set()  # the states in which dependencies ended
        self.begun = 0  # attempts
        self.first_begun = 0.0
        self.retry_at = 0.0
        self.abandoned: Set[int] = set()  # attempts that are still going
        self.size: Optional[int] = None  # of a mapped task, once its items join
        self.items: List[Row] = []
        self.owner: Optional[Row] = None  # the mapped task that this is an item of

    def hands_items_to(self, other: Row) -> bool:
        """Whether `other` takes the items of this task one by one, and they have joined."""
        return self.size is not None and self.name in (other.rule.over or ())


class Ledger:
    """A whole run, as far as its events have told; `max_workers` and `limits` are None while nobody has said them."""

    def __init__(self, max_workers: Optional[int], limits: Optional[Mapping[str, int]]) -> None:
        self.max_workers = max_workers
        self.limits = limits
        self.rows: Dict[str, Row] = {}
        self.open = 0  # tasks that have not ended
        self.running = 0  # attempts
        self.kept = 0  # slots of abandoned attempts
        self.used: Dict[str, int] = {}  # how many attempts hold each named limit
        self.halted = False  # nothing may become ready any more
        self.first_failure = ""
        self.doubted: List[Row] = []  # to be decided before the batch is over
        self.now = 0.0  # seconds since the run's start


def verdict(row: Row) -> str:
    """The state that its dependencies want for a task that has not begun."""
    badly = not row.ends.isdisjoint(st.DONE_BADLY)
    if row.rule.run_when == "all_succeeded" and badly:
        return st.UPSTREAM_FAILED
    if row.open:
        return st.PENDING
    if row.rule.run_when == "all_done":
        return st.READY
    if row.rule.run_when == "any_failed":
        if row.rule.over:  # for its items to say
            return st.READY
        return st.READY if badly or not row.upstream else st.SKIPPED
    if st.CANCELLED in row.ends:
        return st.CANCELLED
    return st.SKIPPED if st.SKIPPED in row.ends else st.READY


def guilty(row: Row, state: str, rows: Mapping[str, Row]) -> Set[str]:
    """The tasks that may have begun it, when a task is in this state for the sake of its dependencies."""
    like = st.DONE_BADLY if state == st.UPSTREAM_FAILED else {state}
    parents = [rows[name] for name in row.upstream if rows[name].state in like]
    return {p.cause_task if p.cause.startswith(("upstream_", "items_")) else p.name for p in parents}


def verdicts_of_items(row: Row) -> Set[Tuple[str, str, str]]:
    """The (state, cause, guilty task) in which a mapped task may end, once all its items have."""
    failed = [item for item in row.items if item.state in st.FAILED_ITSELF]
    if failed:
        return {(st.FAILED, "items_failed", item.name) for item in failed}
    for state in (st.UPSTREAM_FAILED, st.CANCELLED):
        found = {(state, item.cause, item.cause_task) for item in row.items if item.state == state}
        if found:
            return found
    return {(st.SUCCEEDED, "items_done", "")}


def promised(node: Node, kinds: Mapping[str, Kind]) -> Tuple[Rule, Tuple[str, ...]]:
    """The rule of a task and its dependencies, from what the machine was told."""
    policy = node.policy
    kind = kinds.get(policy.kind)
    replaces = kind is None or kind.replaces
    over = None if node.known else node.over
    rule = Rule(policy.run_when, policy.uses, policy.retry.retries, policy.retry, replaces, over)
    return rule, () if node.known else node.upstream


def told(detail: Mapping[str, object]) -> Tuple[Rule, Tuple[str, ...]]:
    """The rule of a task and its dependencies, from its `task_added` event; what is left out has its default."""
    retries = detail.get("retries", 0)
    run_when = str(detail.get("run_when", "all_succeeded"))
    over = _names(detail, "over") if "map" in detail else None
    rule = Rule(run_when, _names(detail, "uses"), retries if isinstance(retries, int) else 0, over=over)
    return rule, _names(detail, "upstream")


def _names(detail: Mapping[str, object], key: str) -> Tuple[str, ...]:
    value = detail.get(key)
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else ()
