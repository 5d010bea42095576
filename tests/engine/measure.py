"""What a plain success costs the machine: `python tests/engine/measure.py`, microseconds of CPU a task, best of seven.

The pair is `handle(Ended)` and `handle(Claim)` with the inputs they take and the events they make; nothing is written.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from flowdsl.engine import events as ev
from flowdsl.engine.policy import Kind, Node, Policy
from flowdsl.engine.priority import remaining_paths
from flowdsl.engine.scheduler import Scheduler

THREADS = Policy("thread")
KINDS = {"thread": Kind("thread", grace=0.1, replaces=True, retries_timeouts=False)}
CLAIM = ev.Claim(("thread",), {"worker": "thread-1", "pid": 1})
WORKERS = 5
LAYER = 100


def three_of_the_layer_above(number: int) -> List[int]:
    first = LAYER * (number // LAYER - 1)
    return random.Random(number).sample(range(first, first + LAYER), 3) if first >= 0 else []


SHAPES: Dict[str, Callable[[int], List[int]]] = {
    "wide": lambda number: [],
    "chain": lambda number: [number - 1] if number else [],
    "layers": three_of_the_layer_above,
}


def graph(shape: str, size: int) -> Tuple[Node, ...]:
    names = [f"task {number}" for number in range(size)]
    upstream = {name: tuple(names[k] for k in SHAPES[shape](number)) for number, name in enumerate(names)}
    ranks = remaining_paths(names, upstream, {})
    return tuple(Node(name, upstream[name], THREADS, 0.0, ranks[name]) for name in names)


def play(nodes: Tuple[Node, ...]) -> Tuple[float, float]:
    """Seconds of CPU for adding all tasks, and for running them."""
    machine = Scheduler(KINDS, max_workers=WORKERS)
    handle = machine.handle
    began = time.process_time()
    for message in (ev.Start(), ev.Add(nodes), ev.Seal()):
        handle(message, 0.0)
    added = time.process_time()
    running = [handle(CLAIM, 0.0)[1][0] for _ in range(machine.claimable())]
    while running:
        launch = running.pop()
        handle(ev.Ended(launch.task, launch.attempt, "succeeded", "returned"), 0.0)
        while machine.claimable():
            running.append(handle(CLAIM, 0.0)[1][0])
    assert machine.state == "succeeded"
    return added - began, time.process_time() - added


def main() -> None:
    print("shape    tasks   us to add   us for a pair")
    for shape in SHAPES:
        for size in (1_000, 10_000, 100_000):
            nodes = graph(shape, size)
            adding, running = (min(times) / size * 1e6 for times in zip(*(play(nodes) for _ in range(7))))
            print(f"{shape:7} {size:7,} {adding:9.2f} {running:13.2f}")


if __name__ == "__main__":
    main()
