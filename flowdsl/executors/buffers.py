"""Large buffers in files: written once, in one piece, and mapped read-only by everyone who wants them."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import BinaryIO, Iterator, List, Optional, Sequence, Tuple

SPARE = 4 << 30  # bytes that stay free on any file system, however large
ALIGNMENT = 64  # bytes: a cache line, and what Arrow asks for

Span = Tuple[int, int]  # from, to


def write(
    places: Sequence[str], buffers: Sequence[memoryview], alignment: int = ALIGNMENT
) -> Optional[Tuple[str, List[Span]]]:
    """The file with these bytes, and where in it each of them is; None where no directory has room for it.

    The space is reserved first: a full file system is then an error here, and never a signal for whoever maps the file.
    """
    spans, size = _lay_out(buffers, alignment)
    for place in places:
        path = os.path.join(place, secrets.token_hex(8))  # noqa: PTH118 - a string, sent as such
        try:
            if _has_room(place, size):
                _write_file(path, size, spans, buffers)
                return path, spans
        except OSError:  # full after all, or the run is over: the next one, or none
            remove(path)
    return None


def read(path: str, spans: Sequence[Span]) -> List[memoryview]:
    """The buffers of a file, mapped, read-only; they stay when the file is removed."""
    from flowdsl.executors.mapping import map_file  # POSIX only, as those who share

    whole = map_file(path)
    return [whole[start:end] for start, end in spans]


@contextlib.contextmanager
def taken(path: str) -> Iterator[BinaryIO]:
    """The file, open for reading, and its name gone: nobody else finds it, and it goes when it is closed."""
    with Path(path).open("rb") as file:
        remove(path)
        yield file


def exists(path: str) -> bool:
    """Whether the file can still be asked for."""
    return Path(path).exists()


def remove(path: str) -> None:
    """The name goes now, the memory with the last mapping."""
    with contextlib.suppress(OSError):
        Path(path).unlink()


def _lay_out(buffers: Sequence[memoryview], alignment: int) -> Tuple[List[Span], int]:
    spans: List[Span] = []
    end = 0
    for buffer in buffers:
        start = -(-end // alignment) * alignment
        end = start + buffer.nbytes
        spans.append((start, end))
    return spans, end


def _has_room(place: str, size: int) -> bool:
    """Whether a quarter of the file system, or SPARE, stays free for others, who may not expect a full /dev/shm."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize - size >= min(found.f_blocks * found.f_frsize // 4, SPARE)


def _write_file(path: str, size: int, spans: Sequence[Span], buffers: Sequence[memoryview]) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, size)
        for (start, _), buffer in zip(spans, buffers):
            while buffer:
                written = os.pwrite(fd, buffer, start)
                start, buffer = start + written, buffer[written:]
    finally:
        os.close(fd)
