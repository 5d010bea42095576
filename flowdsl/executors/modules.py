"""What a worker has imported that its user may change."""

from __future__ import annotations

import contextlib
import os
import site
import sys
import sysconfig
from pathlib import Path
from typing import Dict, Set, Tuple


class Modules:
    """The files of imported modules that a user may change: not those of the library or of installed packages."""

    def __init__(self) -> None:
        known = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        known += [*site.getsitepackages(), site.getusersitepackages(), str(Path(__file__).parents[1])]
        self._installed: Tuple[str, ...] = tuple(path + os.sep for path in known if path)
        self._seen: Set[str] = set(sys.modules)

    def new(self) -> Dict[str, int]:
        """Those imported since the last call, with the time of their last change in ns."""
        if len(sys.modules) == len(self._seen):
            return {}
        fresh = set(sys.modules) - self._seen
        self._seen = set(sys.modules)
        found: Dict[str, int] = {}
        for name in fresh:
            file = getattr(sys.modules.get(name), "__file__", None)
            if isinstance(file, str) and not file.startswith(self._installed):
                with contextlib.suppress(OSError):
                    found[str(Path(file).absolute())] = Path(file).stat().st_mtime_ns
        return found
