"""Exceptions and results that do not cross the border to another process."""

from __future__ import annotations

import threading
from typing import Any


class Sticky(Exception):
    """Pickles, and does not unpickle: the classic that breaks a whole process pool."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)


class Locked(Exception):
    """Cannot even be pickled."""

    def __init__(self) -> None:
        super().__init__("has a lock")
        self.lock = threading.Lock()


class OpensBadly:
    """A result that pickles, and does not unpickle."""

    def __reduce__(self) -> Any:
        return (int, ("not a number",))
