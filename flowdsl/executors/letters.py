"""Large pickles: they go into a file piece by piece, and are read from it straight into what they become.

A pickler that writes to a file hands large bytes and bytearrays on as they are, and an unpickler that reads one has the
system put them where they are to be: nobody copies them in between, and nobody keeps the interpreter's lock for them.
What is read is what pickle makes of it everywhere: real bytes, bytearrays and texts, the same object where it was one.
"""

from __future__ import annotations

import pickle
from typing import Any, List, NamedTuple, Sequence

from flowdsl.executors import buffers

LARGE = 1 << 20  # bytes of a pickle: smaller ones go through the pipe, which takes as long


class Sheets:
    """A file to pickle into; it keeps what is written as it comes."""

    __slots__ = ("_written", "write")

    def __init__(self) -> None:
        self._written: List[Any] = []
        self.write = self._written.append  # no method of ours, which would cost small pickles something

    def pieces(self) -> List[bytes]:
        """What was written; of what may still be changed by others a copy."""
        written = self._written
        return written if len(written) == 1 else [one if type(one) is bytes else _copy(one) for one in written]


def _copy(piece: Any) -> bytes:
    return bytes(piece.raw() if type(piece) is pickle.PickleBuffer else piece)


class Sealed(NamedTuple):
    """A pickled value that is opened under `try`: its class may be at fault."""

    data: bytes
    path: str = ""  # of the file that it is in, where it is large: `data` only says so then


class _Elsewhere(NamedTuple):
    """What stands in a pickle for one that is in a file."""

    path: str

    def __reduce__(self) -> Any:
        return read, (self.path,)


def is_large(pieces: Sequence[bytes]) -> bool:
    """Whether they are to go into a file, if there is room for one.

    A pickler writes frames of 64 kB: what is one piece is small, or a number with millions of digits.
    """
    return len(pieces) > 1 and sum(map(len, pieces)) >= LARGE


def seal(pieces: Sequence[bytes], places: Sequence[str]) -> Sealed:
    """The pieces of a pickle as one; in a file where they are large, which whoever reads it removes."""
    if len(pieces) == 1:
        return Sealed(pieces[0])
    written = buffers.write(places, [memoryview(one) for one in pieces], alignment=1) if is_large(pieces) else None
    if written is None:
        return Sealed(b"".join(pieces))
    path, _ = written
    return Sealed(pickle.dumps(_Elsewhere(path)), path)


def read(path: str) -> Any:
    """The value whose pickle is in that file, which nobody else wants; for pickles."""
    with buffers.taken(path) as file:
        return pickle.load(file)
