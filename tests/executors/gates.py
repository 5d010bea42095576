"""Ways to hold up what a large value goes through, until a test's other tasks have ended; workers import this."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from flowdsl import Flow

PATIENCE = 60.0  # seconds; who waits in vain has been held up
OTHERS = 12  # tasks that begin and end while somebody stands at the gate


def stand(folder: Path) -> str:
    """Say that somebody is at the gate, and wait until it opens."""
    (folder / "there").touch()
    wait_for(folder / "open")
    return "passed"


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            raise TimeoutError("nobody made %s" % path.name)
        time.sleep(0.005)


class AtPickling:
    """Whoever pickles it stands at the gate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return str, (stand(self.folder),)


class AtUnpickling:
    """Whoever opens its pickle stands at the gate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return stand, (self.folder,)


def add_others(flow: Flow, folder: Path) -> None:
    """Tasks, one after the other, that begin when somebody is at the gate, and whose last opens it."""
    flow.task(name="o0")(lambda: wait_for(folder / "there"))
    for number in range(1, OTHERS):
        flow.task(name="o%d" % number, depends_on=["o%d" % (number - 1)])(lambda: None)
    flow.task(name="opens", depends_on=["o%d" % (OTHERS - 1)])(lambda: (folder / "open").touch())
