"""The flow that the page on documentation shows."""

from __future__ import annotations

from typing import Dict, List

from flowdsl import Flow, Retry

flow = Flow("delays", limits={"disk": 2}, timeout=300)


@flow.task(retries=Retry(2, delay=1, backoff=2), uses="disk")
def flights(path: str = "flights.csv") -> List[Dict[str, int]]:
    """The flights of one month, a row each.

    Args:
        path: a CSV with the columns `origin` and `delay`, in minutes.
    """
    return [{"origin": 1, "delay": 7}, {"origin": 2, "delay": -3}]


@flow.task(isolation="process", timeout=60)
def clean(flights: List[Dict[str, int]]) -> List[Dict[str, int]]:
    """Without the flights that were cancelled."""
    return [row for row in flights if row["delay"] is not None]


@flow.task(tags=["checks"])
def audit(flights: List[Dict[str, int]], at_least: int = 1) -> None:
    """Raises where a month has too few flights."""
    assert len(flights) >= at_least


@flow.task
def airports(clean: List[Dict[str, int]]) -> List[int]:
    """The airports of origin."""
    return sorted({row["origin"] for row in clean})


@flow.task(map="airports")
def delay(airports: int, clean: List[Dict[str, int]]) -> float:
    """The mean delay at one airport, in minutes."""
    delays = [row["delay"] for row in clean if row["origin"] == airports]
    return sum(delays) / len(delays)


@flow.task(depends_on=["delay", "audit"], verify=bool)
def report(delay: List[float]) -> str:
    """The worst delay as a sentence."""
    return f"at most {max(delay):.0f} minutes"
