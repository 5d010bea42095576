"""From measurements to tables: medians, ratios within a repeat, what a task costs in memory, and the targets."""

from __future__ import annotations

from statistics import median
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

PARTS = ("define", "graph", "run")
AT_MOST = {"wide": 2.0, "chain": 0.6, "tree": 2.0, "layers": 2.0, "diamonds": 0.6}  # times the floor, at 10,000 tasks
TIMES_DASK = 3.0
GROWTH = 1.3
BYTES = 3_000


class Measured(NamedTuple):
    """One contender in one repeat: microseconds a task by part, and the bytes a task by which the peak grew."""

    micros: Mapping[str, float]
    bytes: float

    @property
    def whole(self) -> float:
        """Making the graph and running it: the floor has to order its graph too."""
        return self.micros["graph"] + self.micros["run"]


Repeat = Mapping[str, Measured]  # by contender
Cases = Dict[Tuple[str, int], List[Repeat]]  # by shape and size


def of(repeats: Sequence[Repeat], who: str) -> List[Measured]:
    return [repeat[who] for repeat in repeats if who in repeat]


def part(repeats: Sequence[Repeat], who: str, name: str) -> Optional[float]:
    return _median(measured.micros[name] for measured in of(repeats, who) if name in measured.micros)


def whole(repeats: Sequence[Repeat], who: str) -> Optional[float]:
    return _median(measured.whole for measured in of(repeats, who))


def ratio(repeats: Sequence[Repeat], who: str, other: str, name: str = "") -> Optional[float]:
    """The median of the ratios within each repeat: what shares a moment on the machine is compared."""
    both = [(repeat[who], repeat[other]) for repeat in repeats if who in repeat and other in repeat]
    if name:
        return _median(one.micros[name] / two.micros[name] for one, two in both)
    return _median(one.whole / two.whole for one, two in both)


def _median(values: Iterable[float]) -> Optional[float]:
    found = list(values)
    return median(found) if found else None


def costs(cases: Cases) -> str:
    """Microseconds a task, and ratios."""
    head = ("shape", "tasks", *PARTS, "floor", "dask", "x floor", "run only", "dask x", "bytes")
    rows = []
    for (shape, size), repeats in cases.items():
        measured = [part(repeats, "flowdsl", name) for name in PARTS]
        rest = [whole(repeats, "floor"), whole(repeats, "dask")]
        ratios = [
            ratio(repeats, "flowdsl", "floor"),
            ratio(repeats, "flowdsl", "floor", "run"),
            ratio(repeats, "dask", "flowdsl"),
        ]
        memory = _median(one.bytes for one in of(repeats, "flowdsl"))
        rows.append(
            (shape, f"{size:,}", *map(_short, measured), *map(_short, rest), *map(_exact, ratios), _round(memory))
        )
    return table(head, rows)


def growth(cases: Cases) -> str:
    """What a task costs in the largest graph over what it costs in the smallest."""
    sizes = sorted({size for _, size in cases})
    shapes = dict.fromkeys(shape for shape, _ in cases)
    rows = [(shape, _exact(_grown(cases, shape, sizes))) for shape in shapes]
    return table(("shape", f"{sizes[-1]:,} : {sizes[0]:,}"), rows)


def _grown(cases: Cases, shape: str, sizes: Sequence[int]) -> Optional[float]:
    small, large = (whole(cases.get((shape, size), ()), "flowdsl") for size in (sizes[0], sizes[-1]))
    return large / small if small and large else None


def verdicts(cases: Cases) -> List[str]:
    """Each target that these sizes can tell of, and whether it is met."""
    lines = []
    for shape, most in AT_MOST.items():
        repeats = cases.get((shape, 10_000), [])
        lines += _verdict(f"{shape}: at most {most} x the floor", ratio(repeats, "flowdsl", "floor"), most=most)
        times = ratio(repeats, "dask", "flowdsl")
        lines += _verdict(f"{shape}: at least {TIMES_DASK} x faster than dask", times, least=TIMES_DASK)
        grown = _grown(cases, shape, (1_000, 100_000))
        lines += _verdict(f"{shape}: 100,000 tasks cost at most {GROWTH} x as much each as 1,000", grown, most=GROWTH)
        memory = _median(one.bytes for one in of(cases.get((shape, 100_000)) or repeats, "flowdsl"))
        lines += _verdict(f"{shape}: at most {BYTES:,} bytes a task", memory, most=BYTES)
    return lines


def _verdict(what: str, value: Optional[float], most: float = float("inf"), least: float = float("-inf")) -> List[str]:
    if value is None:
        return []
    return [f"{'met   ' if least <= value <= most else 'MISSED'}  {what}: {value:,.2f}"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that Markdown reads too."""
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = [head, ["-" * (width - 1) + ":" for width in widths], *rows]
    return "\n".join("| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths)) + " |" for line in lines)


def _short(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.1f}"


def _exact(value: Optional[float]) -> str:
    return "" if value is None else f"{value:.2f}"


def _round(value: Optional[float]) -> str:
    return "" if value is None else f"{value:,.0f}"
