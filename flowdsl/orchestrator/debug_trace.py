"""Where the time of an attempt goes: its profile as a DataFrame."""

from __future__ import annotations

import cProfile
import pstats
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Tuple

from flowdsl.analysis.schema import build_frame, columns
from flowdsl.orchestrator import debug_replay

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Profile"]

PATIENCE = 2.0  # seconds

COLUMNS = columns("function:string file:string line:integer calls:integer own_s:float total_s:float share:float")
_OURS = "<method 'disable' of '_lsprof.Profiler' objects>"


def _wait_for_others() -> None:
    """Until threads that wind up an earlier run have ended, or for a moment.

    From Python 3.12 on the profiler hears all threads, and a call of another one can cost it one of ours.
    """
    until = time.monotonic() + PATIENCE
    while sys.version_info >= (3, 12) and time.monotonic() < until:
        if not any(thread.name in ("flowdsl-timer", "flowdsl-debug") for thread in threading.enumerate()):
            return
        time.sleep(0.005)


class Profile:
    """Runs something under the profiler of the standard library; `frame` says what took how long."""

    def __init__(self) -> None:
        self._profiler = cProfile.Profile()

    def around(self, function: Callable[[], Any]) -> Any:
        """Call the function, profiled; what it returns or raises."""
        __tracebackhide__ = True
        _wait_for_others()
        return self._profiler.runcall(function)

    def frame(self) -> pd.DataFrame:
        """A DataFrame with one row a function, the one that took longest itself first.

        ========  =======  ====  ===============================================================  =================
        name      dtype    unit  meaning                                                          when null
        ========  =======  ====  ===============================================================  =================
        function  string         its name                                                         never
        file      string         its file                                                         written in C
        line      Int64          the line where it begins                                         written in C
        calls     Int64          how often it was called                                          never
        own_s     float64  s     time in the function itself                                      never
        total_s   float64  s     time in it and in what it called                                 never
        share     float64        `own_s` as a share of the time of all, 0 to 1                    nothing took time
        ========  =======  ====  ===============================================================  =================
        """
        rows = self._rows()
        whole = sum(row[4] for row in rows)
        values: Dict[str, List[Any]] = {
            name: [row[at] for row in rows] for at, name in enumerate(("function", "file", "line", "calls", "own_s"))
        }
        values["total_s"] = [row[5] for row in rows]
        values["share"] = [row[4] / whole if whole else None for row in rows]
        return build_frame(COLUMNS, values)

    def _rows(self) -> List[Tuple[Any, ...]]:
        """function, file, line, calls, own, total; without our own call."""
        self._profiler.create_stats()
        stats = pstats.Stats(self._profiler).stats  # type: ignore[attr-defined]
        found = []
        for (file, line, function), (_, calls, own, total, _) in stats.items():
            if function == _OURS or file == debug_replay.__file__:
                continue
            in_c = file == "~"
            found.append((function, None if in_c else file, None if in_c else line, calls, own, total))
        return sorted(found, key=lambda row: (-row[4], -row[5], row[0]))
