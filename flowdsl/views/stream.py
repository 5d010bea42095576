"""A stream that views write to: it may be closed, broken or unable to write an icon, and nobody hears of it."""

from __future__ import annotations

import shutil
import sys
from typing import Any, Optional

__all__ = ["Stream"]


class Stream:
    """Writes text to `stream` (stderr by default, as it is now) until that fails; then it says nothing more."""

    def __init__(self, stream: Optional[Any] = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self.dead = self._stream is None  # under pythonw there is no stderr

    def write(self, text: str) -> None:
        """Write `text` now."""
        if self.dead:
            return
        try:
            self._stream.write(self._fit(text))
            self._stream.flush()
        except Exception:  # closed, broken, or somebody's own object
            self.dead = True

    def is_terminal(self) -> bool:
        """Whether somebody can see a line being written over."""
        try:
            return bool(self._stream.isatty())
        except Exception:
            return False

    def width(self) -> int:
        """Columns of the terminal."""
        return max(20, shutil.get_terminal_size().columns)

    def _fit(self, text: str) -> str:
        """`text` with what the stream's encoding cannot write replaced."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)
