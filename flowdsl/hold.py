"""Holding runs back: while a file is only being loaded, what it would run does not run."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator

__all__ = ["HeldBack", "check_not_held", "runs_held_back"]

_held: ContextVar[bool] = ContextVar("flowdsl_held", default=False)


class HeldBack(BaseException):
    """What was asked for needs a run, and runs are held back; no `except Exception` of a file is meant for that."""


@contextmanager
def runs_held_back() -> Iterator[None]:
    """Inside, whatever starts a run, or asks for past ones, raises HeldBack before anything happens."""
    token = _held.set(True)
    try:
        yield
    finally:
        _held.reset(token)


def check_not_held() -> None:
    """Raise HeldBack where runs are held back."""
    if _held.get():
        raise HeldBack
