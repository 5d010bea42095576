"""What a worker shares with who started it: working directory, module search path, environment, room for buffers."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

from flowdsl.executors import records, sharing
from flowdsl.executors.pipe import Body

MARK = "FLOWDSL_WORKER"  # the environment variable by which the descendants of a dead worker are known


class Surroundings(NamedTuple):
    """What of a process its workers take over."""

    directory: Optional[str]  # None: it has been removed
    path: List[str]
    environment: Dict[str, str]
    places: Sequence[str]  # for large buffers
    logging: records.Levels


def here(places: Sequence[str] = ()) -> bytes:
    """The surroundings of this process now, as a worker takes them."""
    try:
        directory: Optional[str] = str(Path.cwd())
    except OSError:
        directory = None
    path = list(map(str, sys.path))
    return pickle.dumps(tuple(Surroundings(directory, path, dict(os.environ), places, records.here())))


def adopt(data: Body) -> None:
    """Make this process, a worker, look like the one that sent the surroundings."""
    wanted = Surroundings(*pickle.loads(data))
    if wanted.directory is not None:
        with contextlib.suppress(OSError):  # it is gone by now: stay
            os.chdir(wanted.directory)
    sys.path[:] = wanted.path
    for name in set(os.environ) - set(wanted.environment) - {MARK}:
        del os.environ[name]
    for name, value in wanted.environment.items():
        if name != MARK and os.environ.get(name) != value:
            os.environ[name] = value
    sharing.use(wanted.places)
    records.adopt(wanted.logging)
