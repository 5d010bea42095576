"""One random run: a seed draws the graph, the executors, the faults, the cancels; everything is watched."""

from __future__ import annotations

import random
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from flowdsl.definition.options import Retry
from flowdsl.engine import events as ev
from flowdsl.engine.policy import Kind, Node, Policy
from flowdsl.engine.priority import remaining_paths
from flowdsl.engine.scheduler import Scheduler
from flowdsl.engine.world import NEVER, Act, World
from tests.engine.script import line_for_the_log
from tests.engine.watch import Watch

RUN_WHEN = ("all_succeeded",) * 5 + ("all_done", "any_failed")
KINDS = (
    Kind("thread", grace=0.1, replaces=True, retries_timeouts=False),
    Kind("thread", grace=0.0, replaces=True, retries_timeouts=False),
    Kind("process", begins_at_launch=False, batches=True),
    Kind("async"),
    Kind("inline", grace=0.1, replaces=False, retries_timeouts=False),
    Kind("remote", begins_at_launch=False, grace=0.1, replaces=False),
    Kind("pool", begins_at_launch=False, grace=0.0, replaces=True, retries_timeouts=False),
)
MECHANISM = {"inline": "overran", "thread": "cooperative", "process": "killed", "async": "cancelled"}
FAILURES = ("raised", "verify_failed", "unpicklable", "worker_died")


class Scenario(NamedTuple):
    """Everything about a run but what its attempts do."""

    seed: int
    nodes: Tuple[Node, ...]
    kinds: Dict[str, Kind]
    max_workers: int
    limits: Dict[str, int]
    on_failure: str


class Faults:
    """How often what goes wrong in this run, and the habits of its workers."""

    def __init__(self, rng: random.Random, kinds: Dict[str, Kind], nodes: Tuple[Node, ...] = ()) -> None:
        self._over = {node.name: node.over for node in nodes if node.over}
        self._sizes: Dict[str, Optional[int]] = {}
        self.expanded: Callable[[str], bool] = lambda task: True  # whether the items of a mapped task have joined
        self._draw = rng.random
        self._rng = rng
        self._aside = random.Random(hash(rng.getstate()[1]))  # so that what it draws changes no other draw
        self._most_items = 40 if self._aside.random() < 0.4 else 5
        self._kinds = kinds
        self._names = tuple(kinds)
        fault = 0.0 if rng.random() < 0.1 else 1.0
        self.failing = fault * rng.choice((0.0, 0.05, 0.2, 0.5))
        self.skipping = fault * rng.choice((0.0, 0.0, 0.1))
        self.losing = fault * rng.choice((0.0, 0.0, 0.1, 0.7))
        self.hanging = fault * rng.choice((0.0, 0.0, 0.1, 0.3))
        self.deaf = fault * rng.choice((0.0, 0.3, 0.9))
        self.echoing = fault * rng.choice((0.0, 0.2))
        self.picky = rng.choice((0.0, 0.0, 0.5))
        self.slow_claims = rng.choice((0.0, 0.0, 0.3))
        self.late_ticks = rng.choice((0.0, 0.0, 0.5))

    def act(self, launch: ev.Launch) -> Act:
        draw, kind = self._draw, self._kinds[launch.kind]
        state, cause, retryable = "succeeded", "returned", True
        if draw() < self.failing:
            state, cause, retryable = "failed", FAILURES[int(draw() * 4)], draw() < 0.8
        elif draw() < self.skipping:
            state, cause = "skipped", "skip_raised"
        duration, obeys_after = 0.01 + draw() * 2.0, draw() * 0.2
        if self._most_items > 5 and launch.task[-1] == "]":  # so short that they go out in batches
            duration *= 0.01
        if draw() < self.hanging:
            duration = 20.0 * draw() if draw() < 0.7 or kind.grace is None else NEVER
        mechanism = MECHANISM.get(kind.name, "")
        if kind.grace is not None and draw() < self.deaf:
            obeys_after = NEVER
        elif duration == NEVER or draw() < 0.3:
            obeys_after = 0.0
        elif kind.grace is not None and draw() < 0.1:
            mechanism = "abandoned"
        echoes = (draw() * 3.0,) if draw() < self.echoing else ()
        begins_after = 0.0 if draw() < 0.5 else draw() * 0.3
        lost = draw() < self.losing and not (kind.begins_at_launch and draw() < 0.5)
        notes = tuple(sorted(self._aside.random() * 2.5 for _ in range(self._aside.choice((0, 0, 1, 3)))))
        aside = self._aside.random
        silent = (kind.batches or (kind.replaces and kind.begins_at_launch)) and aside() < 0.6
        # A driver whose workers may hang, or do not tell of each begin, always takes back what waits behind one.
        looks = kind.replaces or silent or aside() < 0.2
        recalls_after = (0.5 if kind.replaces else 0.05) * aside() if looks else NEVER
        if kind.begins_at_launch or draw() < 0.95:
            return Act(
                duration,
                state,
                cause,
                retryable,
                begins_after,
                lost,
                obeys_after=obeys_after,
                mechanism=mechanism,
                notes=notes,
                recalls_after=recalls_after,
                echoes=echoes,
                silent=silent,
                tells_at_once=True,
                tells_late=aside() < 0.9,
            )
        if draw() < self.failing:
            return Act(duration, "failed", "unpicklable", False, begins_after, refused=True)
        # Whoever does not say that it began must come to its end: nothing is known of how long it may take.
        return Act(
            min(duration, 20.0),
            state,
            cause,
            retryable,
            begins_after,
            silent=True,
            obeys_after=obeys_after,
            tells_at_once=aside() < 0.5,
        )

    def size(self, task: str) -> Tuple[float, Optional[int]]:
        draw = self._draw
        sources = self._over.get(task, ())
        handed_on = [self._sizes.get(source) if self.expanded(source) else None for source in sources]
        known = handed_on or [int(draw() * self._most_items)]
        size = None if None in known else known[0]  # one that never had items has none to hand on
        if draw() < 0.1 * self.failing:
            size = None
        self._sizes[task] = size
        return (0.0 if draw() < 0.5 else draw()), size

    def claim(self) -> Tuple[float, ev.Claim]:
        delay = self._draw() * self.slow_claims if self.slow_claims else 0.0
        if self._draw() < self.picky:
            name = self._rng.choice(self._names)
            most = self._aside.choice((1, 1, 4)) if self._kinds[name].replaces else 1
            return delay, ev.Claim((name,), most=most)
        most = self._aside.choice((1, 1, 4)) if all(kind.replaces for kind in self._kinds.values()) else 1
        return delay, ev.Claim(most=most)

    def lateness(self) -> float:
        return self._draw() * self.late_ticks


def draw_scenario(seed: int, rng: random.Random) -> Scenario:
    kinds = {kind.name: kind for kind in rng.sample(KINDS, rng.choice((1, 1, 2, 3)))}
    limits = {name: rng.randint(1, 2) for name in ("db", "gpu", "net")[: rng.choice((0, 0, 1, 2, 3))]}
    count = rng.randint(50, 120) if rng.random() < 0.01 else rng.randint(3, 20)
    policies = [draw_policy(rng, tuple(kinds), tuple(limits)) for _ in range(rng.choice((1, 3, 8)))]
    return Scenario(
        seed,
        draw_nodes(rng, count, policies),
        kinds,
        rng.randint(1, 5),
        limits,
        rng.choice(("continue", "continue", "stop")),
    )


def draw_policy(rng: random.Random, kinds: Tuple[str, ...], limits: Tuple[str, ...]) -> Policy:
    return Policy(
        rng.choice(kinds),
        rng.choice(RUN_WHEN),
        draw_retry(rng),
        rng.choice((None, None, 0.5, 1.5)),
        tuple(rng.sample(limits, rng.randint(0, len(limits)))) if rng.random() < 0.5 else (),
    )


def draw_retry(rng: random.Random) -> Retry:
    return Retry(
        rng.choice((0, 0, 1, 2, 3)),
        delay=rng.choice((0.0, 0.3, 1.0, 3.0)),
        backoff=rng.choice((1.0, 2.0)),
        max_delay=4.0,
        jitter=rng.choice((0.0, 0.5)),
        retry_on=rng.choice((Exception, Exception, OSError)),
        max_elapsed=rng.choice((None, None, None, 5.0)),
        retry_abandoned=rng.random() < 0.4,
    )


def draw_nodes(rng: random.Random, count: int, policies: List[Policy]) -> Tuple[Node, ...]:
    names = [f"t{number}" for number in range(count)]
    parents = SHAPES[rng.randrange(len(SHAPES))]
    upstream = {name: tuple(names[k] for k in parents(rng, number)) for number, name in enumerate(names)}
    ranks = remaining_paths(names, upstream, {name: rng.random() * 2.0 for name in names} if rng.random() < 0.5 else {})
    given = 0.1 if rng.random() < 0.2 else 0.0
    prefers = 0.3 if rng.random() < 0.3 else 0.0
    kept = results_of_an_earlier_run(upstream)
    mapped = 0.3 if rng.random() < 0.5 else 0.0
    roots: Dict[str, str] = {}  # mapped tasks whose items come from the same map share one
    nodes = []
    for name in names:
        policy, is_given = rng.choice(policies), rng.random() < given
        priority = rng.choice((-1.0, 1.0)) if rng.random() < prefers else 0.0
        known = "given" if is_given else kept[name]
        over = None
        if rng.random() < mapped and not known:
            over = draw_over(rng, name, upstream[name], roots)
        detail = line_for_the_log(() if is_given else upstream[name], policy, over)
        nodes.append(Node(name, upstream[name], policy, priority, ranks[name], known, detail, over))
    return tuple(nodes)


def results_of_an_earlier_run(upstream: Mapping[str, Tuple[str, ...]]) -> Dict[str, str]:
    """What is there already in a run that runs another one again: never the dependant of what is not.

    Its chance is its own, or the seeds that once failed would draw other runs now.
    """
    rng = random.Random(repr(upstream))
    share = rng.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.9))
    kept: Dict[str, str] = {}
    for name, parents in upstream.items():
        kept[name] = "earlier_run" if rng.random() < share and all(kept[parent] for parent in parents) else ""
    return kept


def draw_over(
    rng: random.Random, name: str, upstream: Tuple[str, ...], roots: Dict[str, str]
) -> Optional[Tuple[str, ...]]:
    """Whose items a mapped task takes one by one: those of one map, or of none."""
    found = {roots[parent] for parent in upstream if parent in roots}
    root = rng.choice([name, *sorted(found)])
    roots[name] = root
    return tuple(parent for parent in upstream if roots.get(parent) == root)


def any_before(rng: random.Random, number: int) -> List[int]:
    return rng.sample(range(number), rng.randint(0, min(number, 3)))


def one_before(rng: random.Random, number: int) -> List[int]:
    return [number - 1] if number else []


def nobody(rng: random.Random, number: int) -> List[int]:
    return []


def the_first(rng: random.Random, number: int) -> List[int]:
    return [0] if number else []


def a_layer_up(rng: random.Random, number: int) -> List[int]:
    layer = number // 4
    return sorted({4 * layer - 1 - rng.randrange(4) for _ in range(3)}) if layer else []


def all_before(rng: random.Random, number: int) -> List[int]:
    return list(range(number)) if number % 5 == 4 else []


SHAPES: Tuple[Callable[[random.Random, int], List[int]], ...] = (
    any_before,
    any_before,
    any_before,
    one_before,
    nobody,
    the_first,
    a_layer_up,
    all_before,
)


def plan_inputs(rng: random.Random, world: World, nodes: Tuple[Node, ...], header: Dict[str, Any]) -> None:
    """Start, the tasks in one go or some of them later, the seal, perhaps cancels and jumps of the clock."""
    world.feed(ev.Start(header))
    cuts = sorted(rng.randint(0, len(nodes)) for _ in range(rng.choice((0, 0, 1, 3))))
    moments = [0.0, *sorted(rng.random() * 4.0 for _ in cuts)]
    for moment, first, last in zip(moments, [0, *cuts], [*cuts, len(nodes)]):
        world.later(moment, ev.Add(nodes[first:last]))
    world.later(moments[-1], ev.Seal())
    if rng.random() < 0.25:
        cause = rng.choice(("cancel_requested", "keyboard_interrupt", "log_write_failed", "internal_error"))
        for _ in range(rng.randint(1, 2)):
            world.later(rng.random() * 5.0, ev.Cancel(cause))
    aside = random.Random(hash(rng.getstate()[1]))  # so that what it draws changes no other draw
    for _ in range(aside.randint(1, 3) if nodes and aside.random() < 0.2 else 0):
        name = aside.choice(nodes).name
        name = "%s[%d]" % (name, aside.randint(0, 2)) if aside.random() < 0.2 else name
        world.later(aside.random() * 5.0, ev.CancelTask(name))
    if rng.random() < 0.15:
        world.jump(rng.random() * 4.0, rng.choice((0.2, 3.0, 1000.0)))
    if rng.random() < 0.1:
        world.later(rng.random() * 4.0, ev.Tick())


def run_seed(seed: int, machine: Callable[..., Scheduler] = Scheduler) -> Watch:
    """Play the run of this seed; raises where something is wrong, else returns what was seen."""
    rng = random.Random(seed)
    scenario = draw_scenario(seed, rng)
    options: Dict[str, Any] = {
        "max_workers": scenario.max_workers,
        "limits": scenario.limits,
        "on_failure": scenario.on_failure,
    }
    scheduler = machine(scenario.kinds, draw=rng.random, **options)
    watch = Watch(scheduler, {node.name: node for node in scenario.nodes}, scenario.kinds, **options)
    faults = Faults(rng, scenario.kinds, scenario.nodes)
    table = scheduler._table
    faults.expanded = lambda task: table.number[task] in table.maps.items
    world = World(scheduler, scenario.kinds, faults, watch)
    watch.alive = world.alive
    plan_inputs(rng, world, scenario.nodes, options)
    world.run(2_000 + 1_000 * len(scenario.nodes))
    if scheduler.state == "running":  # an attempt without a timeout does not come back
        world.later(0.0, ev.Cancel())
        world.run()
    watch.finish()
    alive = set(world.alive)
    assert alive == set(scheduler.abandoned()), f"left alive: {alive}"
    return watch
