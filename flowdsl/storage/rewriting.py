"""The rewriting of a journal: a shorter one takes the place of the one that is there, in one step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Mapping, Sequence, Set

from flowdsl.engine.events import Event
from flowdsl.storage.detail import FOLDER, spill
from flowdsl.storage.line import format_lines
from flowdsl.storage.reading import FILE

__all__ = ["rewritten"]

DRAFT = "events.jsonl.draft"  # one that lies there was never finished, and nobody reads it

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def rewritten(run_dir: Path, events: Sequence[Event], at: float) -> int:
    """Put these events in the place of all that the journal says; the new file, open to go on with.

    To be called by whoever holds the lock of the directory. It is durable when this returns; OSError, and a process
    that dies in the middle, leave the journal as it was.
    """
    spilled: Set[str] = set()

    def note(seq: int, text: bytes) -> Mapping[str, Any]:
        where = spill(run_dir, seq, text, True)
        spilled.add(Path(where["file"]).name)
        return where

    draft = run_dir / DRAFT
    fd = os.open(str(draft), _FLAGS, 0o600)
    try:
        with os.fdopen(fd, "wb", closefd=False) as file:
            file.write(format_lines([(at, events)], 0, note))
        os.fsync(fd)
        draft.replace(run_dir / FILE)
    except BaseException:
        os.close(fd)
        draft.unlink()
        raise
    _remove_but(run_dir / FOLDER, spilled)
    return fd


def _remove_but(folder: Path, names: Set[str]) -> None:
    """Take away the details of lines that are no more."""
    for path in folder.glob("*.json"):
        if path.name not in names:
            path.unlink()
