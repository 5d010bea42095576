"""The names of runs, which are those of their directories: by time, and whose run it is."""

from __future__ import annotations

import re
import secrets
import time
from typing import Iterable, List

__all__ = ["new_run_id", "newest_of", "run_id_at"]

_ID = re.compile(r"\d{8}-\d{6}-\d{3}-(.+)-[0-9a-f]{6}")


def new_run_id(flow: str) -> str:
    """A name for the run and its directory: sorts by time, says which flow, is never given twice."""
    return run_id_at(flow, time.time(), secrets.randbits(24))


def run_id_at(flow: str, at: float, tail: int) -> str:
    """The name of a run that begins at that moment, in seconds since the epoch; `tail` tells it from others."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at))
    return "%s-%03d-%s-%06x" % (stamp, at % 1 * 1000, _slug(flow), tail)


def newest_of(flow: str, names: Iterable[str]) -> List[str]:
    """Those of the names that may be runs of this flow, newest first; another flow may have the same slug."""
    slug = _slug(flow)
    return sorted((name for name in names if _whose(name) == slug), reverse=True)


def _slug(flow: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", flow).strip("-.")[:40] or "flow"


def _whose(name: str) -> str:
    found = _ID.fullmatch(name)
    return found.group(1) if found else ""
