"""The five shapes of graph that are measured: no-op tasks, an integer along every edge, and what each must come to."""

from __future__ import annotations

import random
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple

MODULUS = 1_000_003  # keeps the integers small, however long the paths
WIDTH = 100  # tasks in a layer, whatever the size: more tasks make more layers
SEED = 7
PARAMETERS = ("x", "y", "z")


class Step(NamedTuple):
    """One task: its function, and the tasks whose results it takes in the place of x, y and z."""

    function: Callable[..., int]
    parents: Tuple[str, ...]


Steps = Mapping[str, Step]  # by name, parents before children


def wide(size: int) -> List[Sequence[int]]:
    """One source, and all others take its result."""
    return [(), *((0,) for _ in range(size - 1))]


def chain(size: int) -> List[Sequence[int]]:
    """Each takes the result of the one before."""
    return [(), *((number - 1,) for number in range(1, size))]


def tree(size: int) -> List[Sequence[int]]:
    """A binary tree from the leaves to the root: every inner task takes two results (in an even size the root one)."""
    leaves = (size + 1) // 2
    inner = (range(2 * number, min(2 * number + 2, leaves + number)) for number in range(size - leaves))
    return [*(() for _ in range(leaves)), *inner]


def layers(size: int) -> List[Sequence[int]]:
    """Layers of 100 tasks, each of which takes the results of three random tasks of the layer before."""
    draw = random.Random(SEED)
    starts = (number // WIDTH * WIDTH - WIDTH for number in range(size))
    return [draw.sample(range(start, start + WIDTH), 3) if start >= 0 else () for start in starts]


def diamonds(size: int) -> List[Sequence[int]]:
    """Diamonds in a row, the last task of one being the first of the next: at most two tasks are ready at once."""
    kinds = ((-2, -1), (-1,), (-2,))  # bottom, left, right
    return [(), *([number + back for back in kinds[number % 3]] for number in range(1, size))]


SHAPES: Mapping[str, Callable[[int], List[Sequence[int]]]] = {
    "wide": wide,
    "chain": chain,
    "tree": tree,
    "layers": layers,
    "diamonds": diamonds,
}


def steps_of(shape: str, size: int) -> Dict[str, Step]:
    """The tasks of a graph; each has a function of its own, as in a notebook."""
    parents = SHAPES[shape](size)
    return {
        f"t{number}": Step(_function(number, len(above)), tuple(f"t{parent}" for parent in above))
        for number, above in enumerate(parents)
    }


def _function(number: int, parents: int) -> Callable[..., int]:
    def none() -> int:
        return number

    def one(x: int) -> int:
        return (number + x) % MODULUS

    def two(x: int, y: int) -> int:
        return (number + x + 2 * y) % MODULUS

    def three(x: int, y: int, z: int) -> int:
        return (number + x + 2 * y + 3 * z) % MODULUS

    return (none, one, two, three)[parents]


def results_of(steps: Steps) -> Dict[str, int]:
    """What the tasks come to, one after the other: the answer that every contender has to give."""
    found: Dict[str, int] = {}
    for name, (function, parents) in steps.items():
        found[name] = function(*(found[parent] for parent in parents))
    return found


def check(steps: Steps, results: Mapping[str, Any]) -> None:
    """Raise AssertionError at the first task whose result is not the right one."""
    for name, right in results_of(steps).items():
        if results[name] != right:
            raise AssertionError(f"task {name} came to {results[name]!r} and not to {right}")
