"""A process in which threads print while the routing of output comes and goes."""

from __future__ import annotations

import io
import sys
import threading
from typing import List

from flowdsl.executors import capture

stop = threading.Event()
errors: List[str] = []


class Other:
    """Takes the place of what is let go."""


def chatter() -> None:
    try:
        while not stop.is_set():
            print("several", "pieces", "at once", flush=True)
    except BaseException as exc:
        errors.append(repr(exc))


def main() -> None:
    sys.stdout = io.StringIO()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=chatter) for _ in range(3)]
    for thread in threads:
        thread.start()
    others: List[Other] = []
    for _ in range(4000):
        capture.begin()
        capture.end()
        others += [Other() for _ in range(5)]
    stop.set()
    for thread in threads:
        thread.join()
    sys.stderr.write("\n".join(errors) or "fine")


if __name__ == "__main__":
    main()
