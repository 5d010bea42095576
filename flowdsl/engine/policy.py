"""What the machine is told about a task and about the kind of executor that its attempts run on."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Optional, Tuple

from flowdsl.definition.options import Retry

ONCE = Retry(0)


class Kind(NamedTuple):
    """A kind of executor, as far as the machine has to know it: capabilities as data, never `isinstance`."""

    name: str
    begins_at_launch: bool = True  # False: a `Begun` will tell
    grace: Optional[float] = None  # seconds after a Stop until the attempt counts as abandoned; None: it always ends
    replaces: bool = False  # a worker left behind with an abandoned attempt gets a replacement at once
    retries_timeouts: bool = True  # False: only with `retry_abandoned=True`
    batches: bool = False  # its backend has `launch_batch`: several attempts on one worker, in order, in one slot


class Policy(NamedTuple):
    """How a task is to be run; tasks with the same options share one."""

    kind: str
    run_when: str = "all_succeeded"
    retry: Retry = ONCE
    timeout: Optional[float] = None  # seconds, from begun to outcome
    uses: Tuple[str, ...] = ()  # named limits


class Node(NamedTuple):
    """A task as the machine knows it."""

    name: str
    upstream: Tuple[str, ...]  # distinct names, all added before or together with this one
    policy: Policy
    priority: float = 0.0  # higher goes first, before any rank
    rank: float = 1.0  # longest remaining path, its own duration included; longer goes first
    known: str = ""  # why its result is there already, "given" or "earlier_run": it ends at once, without an attempt
    detail: Optional[Mapping[str, Any]] = None  # for the journal; the machine never looks
    over: Optional[Tuple[str, ...]] = None  # a mapped task: those upstream whose items it takes one by one
